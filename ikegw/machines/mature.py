"""The common part of an IKE SA, once established: Figure 6 (requests) and Figure 7 (responses), and the orderly end of Figure 3.

The initiator's and the responder's machines hand over here at SM_MATURE, or at SM_TERMINATE when a half-made
IKE SA is to be ended. Only what a request of ours does to the IKE SA has states; requests of the peer are served
at once in all of them (§6), and one of these is an input: that the peer deleted the IKE SA.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def idle(self) -> None:
        """SM_MATURE again: the next message in the queue may act."""

    def request_rekey(self) -> None:
        """New SPI, nonce and KE; send CREATE_CHILD_SA {SA, Ni, KEi}, the first time or with another group."""

    def hand_over(self) -> None:
        """The new IKE SA takes children, queue, lease and timers."""

    def yield_to_peers_rekey(self) -> None:
        """The IKE SA of the peer's rekeying takes over; the one that ours made is deleted."""

    def retry_rekey(self) -> None:
        """Post MSG_IKE_REKEY after a random delay, which grows; after some minutes of it, MSG_IKE_TERMINATE."""

    def reauthenticate_instead(self) -> None:
        """Post MSG_IKE_REAUTH."""

    def request_liveness(self) -> None:
        """Send an empty INFORMATIONAL."""

    def request_update(self) -> None:
        """Send INFORMATIONAL {N(UPDATE_SA_ADDRESSES), …}, or {N(COOKIE2)} to see whether a peer that moved is there."""

    def update_crl(self) -> None:
        """Start the download."""

    def begin_reauthentication(self) -> None:
        """Start a new initiator machine with the same children wanted."""

    def retry_reauthentication(self) -> None:
        """Post MSG_IKE_REAUTH later."""

    def tell_lifetime(self) -> None:
        """Send N(AUTH_LIFETIME) if the peer was not told; at the end of the time post MSG_IKE_TERMINATE."""

    def renew_lease(self) -> None:
        """Ask the provider to renew."""

    def request_delete(self) -> None:
        """Send INFORMATIONAL {D(IKE)}, or {N(AUTHENTICATION_FAILED)} if the peer proved false.

        Without keys nothing can be sent: then tell `nothing_to_send`.
        """

    def dead(self) -> None:
        """End the IKE SA: the one place of row IE-21."""


class Mature(Protocol):
    """The inputs. MSG_* come one at a time, when the queue gives them."""

    def rekey(self) -> None:
        """MSG_IKE_REKEY."""

    def enter_rekey(self) -> None:
        """Entry of SM_REKEY."""

    def rekeyed(self) -> None:
        """A proper answer, and ours is the IKE SA that survives."""

    def other_group(self) -> None:
        """N(INVALID_KE_PAYLOAD) for a group that we offered, may use, and have not tried."""

    def rekey_postponed(self) -> None:
        """N(TEMPORARY_FAILURE)."""

    def rekey_refused(self) -> None:
        """Another error, or an answer that cannot be used."""

    def rekey_redundant(self) -> None:
        """The peer's simultaneous rekeying survives."""

    def dpd(self) -> None:
        """MSG_IKE_DPD."""

    def enter_dpd(self) -> None:
        """Entry of SM_DPD."""

    def alive(self) -> None:
        """The peer answered."""

    def update(self) -> None:
        """MSG_IKE_UPDATE: one of the ends moved, MOBIKE is in use, and we have to ask about it."""

    def enter_update(self) -> None:
        """Entry of SM_UPDATE."""

    def updated(self) -> None:
        """The peer answered."""

    def crl_update(self) -> None:
        """MSG_IKE_CRL_UPDATE."""

    def crl_updated(self) -> None:
        """DL_DONE, and the peer's chain is still good."""

    def crl_update_failed(self) -> None:
        """DL_FAILED, and policy can live with it."""

    def revoked(self) -> None:
        """DL_DONE with a revoked certificate in the chain, or DL_FAILED where policy cannot live with it."""

    def reauth(self) -> None:
        """MSG_IKE_REAUTH, and we can authenticate anew by ourselves."""

    def reauth_by_peer(self) -> None:
        """MSG_IKE_REAUTH, and only the peer can."""

    def reauthenticated(self) -> None:
        """The new machine reached SM_MATURE."""

    def reauth_failed(self) -> None:
        """The new machine reached SM_DEAD."""

    def lease_renew(self) -> None:
        """MSG_IKE_LEASE_RENEW."""

    def lease_renewed(self) -> None:
        """CFG_DONE with the same address."""

    def lease_left_to_heir(self) -> None:
        """The peer rekeyed the IKE SA meanwhile: the lease is the new one's to renew."""

    def lease_lost(self) -> None:
        """CFG_FAILED, or another address."""

    def terminate(self) -> None:
        """MSG_IKE_TERMINATE."""

    def enter_terminate(self) -> None:
        """Entry of SM_TERMINATE."""

    def nothing_to_send(self) -> None:
        """There are no keys to protect a DELETE with."""

    def delete_answered(self) -> None:
        """The peer answered our DELETE."""

    def peer_deleted(self) -> None:
        """INFORMATIONAL {D(IKE)} of the peer, answered."""

    def malformed(self) -> None:
        """A request that decrypts but cannot be read, answered N(INVALID_SYNTAX)."""

    def timeout(self) -> None:
        """No answer after the last retransmission."""


builder = TypeMachineBuilder(Mature, Driver)

SM_MATURE = builder.state("SM_MATURE")
SM_REKEY = builder.state("SM_REKEY")
SM_REKEY_WAIT = builder.state("SM_REKEY_WAIT")
SM_DPD = builder.state("SM_DPD")
SM_DPD_WAIT = builder.state("SM_DPD_WAIT")
SM_UPDATE = builder.state("SM_UPDATE")
SM_UPDATE_WAIT = builder.state("SM_UPDATE_WAIT")
SM_CRL_UPDATE = builder.state("SM_CRL_UPDATE")
SM_REAUTH = builder.state("SM_REAUTH")
SM_LEASE_RENEW = builder.state("SM_LEASE_RENEW")
SM_TERMINATE = builder.state("SM_TERMINATE")
SM_DYING = builder.state("SM_DYING")
SM_DEAD = builder.state("SM_DEAD")

# ---------------------------------------------------------------- rekeying


@SM_MATURE.upon(Mature.rekey).to(SM_REKEY)
def _rekey(machine: Mature, driver: Driver) -> None:
    """Q-01: slot free, no child of ours under way."""
    machine.enter_rekey()


@SM_REKEY.upon(Mature.enter_rekey).to(SM_REKEY_WAIT)
def _request_rekey(machine: Mature, driver: Driver) -> None:
    """Q-02: CREATE_CHILD_SA {SA, Ni, KEi}."""
    driver.request_rekey()


@SM_REKEY_WAIT.upon(Mature.rekeyed).to(SM_TERMINATE)
def _rekeyed(machine: Mature, driver: Driver) -> None:
    """Q-03, Q-07, K-10: the new IKE SA takes over; this one is deleted by us."""
    driver.hand_over()
    machine.enter_terminate()


@SM_REKEY_WAIT.upon(Mature.other_group).loop()
def _other_group(machine: Mature, driver: Driver) -> None:
    """Q-04: again with KEi of the group asked for."""
    driver.request_rekey()


@SM_REKEY_WAIT.upon(Mature.rekey_postponed).to(SM_MATURE)
def _rekey_postponed(machine: Mature, driver: Driver) -> None:
    """Q-05: later."""
    driver.retry_rekey()
    driver.idle()


@SM_REKEY_WAIT.upon(Mature.rekey_refused).to(SM_MATURE)
def _rekey_refused(machine: Mature, driver: Driver) -> None:
    """Q-06: authenticate anew instead, before the hard lifetime."""
    driver.reauthenticate_instead()
    driver.idle()


@SM_REKEY_WAIT.upon(Mature.rekey_redundant).to(SM_MATURE)
def _rekey_redundant(machine: Mature, driver: Driver) -> None:
    """Q-07, K-10: the peer's rekeying survives; the peer deletes this IKE SA, we the redundant one."""
    driver.yield_to_peers_rekey()


# ---------------------------------------------------------------- liveness


@SM_MATURE.upon(Mature.dpd).to(SM_DPD)
def _dpd(machine: Mature, driver: Driver) -> None:
    """Q-08: nothing authentic came in for the DPD interval."""
    machine.enter_dpd()


@SM_DPD.upon(Mature.enter_dpd).to(SM_DPD_WAIT)
def _request_liveness(machine: Mature, driver: Driver) -> None:
    """Q-09: an empty INFORMATIONAL."""
    driver.request_liveness()


@SM_DPD_WAIT.upon(Mature.alive).to(SM_MATURE)
def _alive(machine: Mature, driver: Driver) -> None:
    """Q-10: the peer lives."""
    driver.idle()


# ---------------------------------------------------------------- other addresses (RFC 4555)


@SM_MATURE.upon(Mature.update).to(SM_UPDATE)
def _update(machine: Mature, driver: Driver) -> None:
    """P-08: one of the ends moved."""
    machine.enter_update()


@SM_UPDATE.upon(Mature.enter_update).to(SM_UPDATE_WAIT)
def _request_update(machine: Mature, driver: Driver) -> None:
    """P-08: INFORMATIONAL {N(UPDATE_SA_ADDRESSES), …} of the original initiator, {N(COOKIE2)} of the other side."""
    driver.request_update()


@SM_UPDATE_WAIT.upon(Mature.updated).to(SM_MATURE)
def _updated(machine: Mature, driver: Driver) -> None:
    """P-08: answered."""
    driver.idle()


# ---------------------------------------------------------------- CRLs


@SM_MATURE.upon(Mature.crl_update).to(SM_CRL_UPDATE)
def _crl_update(machine: Mature, driver: Driver) -> None:
    """Q-11: start the download; nothing is sent."""
    driver.update_crl()


@SM_CRL_UPDATE.upon(Mature.crl_updated).to(SM_MATURE)
def _crl_updated(machine: Mature, driver: Driver) -> None:
    """Q-12: the peer's chain is still good."""
    driver.idle()


@SM_CRL_UPDATE.upon(Mature.crl_update_failed).to(SM_MATURE)
def _crl_update_failed(machine: Mature, driver: Driver) -> None:
    """Q-14: tried again later."""
    driver.idle()


@SM_CRL_UPDATE.upon(Mature.revoked).to(SM_TERMINATE)
def _revoked(machine: Mature, driver: Driver) -> None:
    """Q-13, Q-15: a certificate of the chain is revoked, or may be and policy is strict."""
    machine.enter_terminate()


# ---------------------------------------------------------------- re-authentication


@SM_MATURE.upon(Mature.reauth).to(SM_REAUTH)
def _reauth(machine: Mature, driver: Driver) -> None:
    """Q-16: a new initiator machine, make before break."""
    driver.begin_reauthentication()


@SM_REAUTH.upon(Mature.reauthenticated).to(SM_TERMINATE)
def _reauthenticated(machine: Mature, driver: Driver) -> None:
    """Q-17: the new IKE SA is mature; this one ends."""
    machine.enter_terminate()


@SM_REAUTH.upon(Mature.reauth_failed).to(SM_MATURE)
def _reauth_failed(machine: Mature, driver: Driver) -> None:
    """Q-18: the new machine died; later again, while the hard lifetime lasts."""
    driver.retry_reauthentication()
    driver.idle()


@SM_MATURE.upon(Mature.reauth_by_peer).loop()
def _reauth_by_peer(machine: Mature, driver: Driver) -> None:
    """Q-19: only the peer can authenticate anew; it is told by when."""
    driver.tell_lifetime()


# ---------------------------------------------------------------- the lease


@SM_MATURE.upon(Mature.lease_renew).to(SM_LEASE_RENEW)
def _lease_renew(machine: Mature, driver: Driver) -> None:
    """Q-20, Q-21: ask the provider, or if we are the client, the gateway."""
    driver.renew_lease()


@SM_LEASE_RENEW.upon(Mature.lease_renewed).to(SM_MATURE)
def _lease_renewed(machine: Mature, driver: Driver) -> None:
    """Q-22: same address, new times."""
    driver.idle()


@SM_LEASE_RENEW.upon(Mature.lease_left_to_heir).to(SM_MATURE)
def _lease_left_to_heir(machine: Mature, driver: Driver) -> None:
    """P-07, Q-20: the IKE SA that takes over asks anew."""


@SM_LEASE_RENEW.upon(Mature.lease_lost).to(SM_TERMINATE)
def _lease_lost(machine: Mature, driver: Driver) -> None:
    """Q-23: the address may no longer be used."""
    machine.enter_terminate()


# ---------------------------------------------------------------- the end


def _terminate(machine: Mature, driver: Driver) -> None:
    """Q-24: told to end; what is outstanding no longer matters."""
    machine.enter_terminate()


@SM_TERMINATE.upon(Mature.enter_terminate).to(SM_DYING)
def _delete(machine: Mature, driver: Driver) -> None:
    """Q-26, IE-14: send the DELETE and wait for its answer."""
    driver.request_delete()


@SM_DYING.upon(Mature.nothing_to_send).to(SM_DEAD)
def _nothing_to_send(machine: Mature, driver: Driver) -> None:
    """IE-15: without keys nothing can be protected, so nothing is sent."""
    driver.dead()


@SM_DYING.upon(Mature.delete_answered).to(SM_DEAD)
def _delete_answered(machine: Mature, driver: Driver) -> None:
    """Q-27, IE-16: the peer knows."""
    driver.dead()


@SM_DYING.upon(Mature.terminate).loop()
def _already_dying(machine: Mature, driver: Driver) -> None:
    """Q-24: already ending."""


@SM_DYING.upon(Mature.timeout).to(SM_DEAD)
def _unanswered_delete(machine: Mature, driver: Driver) -> None:
    """Q-27, IE-17: the peer is gone too."""
    driver.dead()


@SM_DEAD.upon(Mature.terminate).loop()
def _already_dead(machine: Mature, driver: Driver) -> None:
    """Q-24: already gone."""


def _timeout(machine: Mature, driver: Driver) -> None:
    """Q-25: the peer is dead."""
    driver.dead()


def _peer_deleted(machine: Mature, driver: Driver) -> None:
    """P-01, IE-18, K-11, K-12, K-16: the peer's DELETE is answered and ends it, whatever we had in mind."""
    driver.dead()


def _malformed(machine: Mature, driver: Driver) -> None:
    """P-10: INVALID_SYNTAX is fatal for both; no DELETE is needed."""
    driver.dead()


_LIVING = (SM_MATURE, SM_REKEY_WAIT, SM_DPD_WAIT, SM_UPDATE_WAIT, SM_CRL_UPDATE, SM_REAUTH, SM_LEASE_RENEW)
for _state in _LIVING:
    _state.upon(Mature.terminate).to(SM_TERMINATE)(_terminate)
    _state.upon(Mature.timeout).to(SM_DEAD)(_timeout)
for _state in (*_LIVING, SM_DYING):
    _state.upon(Mature.peer_deleted).to(SM_DEAD)(_peer_deleted)
    _state.upon(Mature.malformed).to(SM_DEAD)(_malformed)

MatureMachine = builder.build()
