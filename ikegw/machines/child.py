"""The CHILD SA: Figure 8. One machine for each CHILD SA of an IKE SA.

When a CHILD SA is rekeyed, the old one's machine asks, and the new one gets a machine of its own.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def await_slot(self) -> None:
        """Wait for the IKE SA's slot; then tell `slot_free`."""

    def leave_queue(self) -> None:
        """Wait for the slot no longer."""

    def request_create(self) -> None:
        """Send CREATE_CHILD_SA {SA, Ni, [KEi], TSi, TSr}, the first time or with another group."""

    def request_rekey(self) -> None:
        """Send CREATE_CHILD_SA {N(REKEY_SA), SA, Ni, [KEi], TSi, TSr}, the first time or with another group."""

    def request_delete(self) -> None:
        """Send INFORMATIONAL {D(ESP, our inbound SPI)}."""

    def retry_later(self) -> None:
        """Try again after a random delay, which grows."""

    def started(self) -> None:
        """The CHILD SA carries traffic: tell it, and start its timers."""

    def superseded(self) -> None:
        """The peer rekeyed it: start the guard time in which the peer is to delete it."""

    def stop_carrying(self) -> None:
        """The peer deleted it while we are rekeying it: the data plane gives it up now."""

    def rekey_no_more(self) -> None:
        """The peer will not have it rekeyed by us: wait for the peer, or for hard expiry."""

    def begin_anew(self) -> None:
        """It is gone at the peer's and has no successor: ask for another from scratch."""

    def gone(self) -> None:
        """Take it out of the data plane and the IKE SA's table; tell it (row C-38)."""


class Child(Protocol):
    """The inputs."""

    def installed(self) -> None:
        """Agreed with the peer, and the data plane carries it."""

    def create(self) -> None:
        """MSG_CHILD_CREATE, and the IKE SA is mature."""

    def slot_free(self) -> None:
        """The IKE SA's slot is ours."""

    def other_group(self) -> None:
        """N(INVALID_KE_PAYLOAD) for a group that we offered, may use, and have not tried."""

    def postponed(self) -> None:
        """N(TEMPORARY_FAILURE)."""

    def refused(self) -> None:
        """Another error of the peer, or our own data plane refused it."""

    def unusable(self) -> None:
        """The peer believes that it exists, and we cannot have it so."""

    def soft_expired(self) -> None:
        """EXPIRE_SOFT, and rekeying is on."""

    def rekeyed(self) -> None:
        """A proper answer to our rekeying; the successor carries the traffic."""

    def rekeyed_meanwhile_gone(self) -> None:
        """A proper answer to our rekeying, but the peer has deleted this one before."""

    def rekey_redundant(self) -> None:
        """The peer's simultaneous rekeying survives."""

    def not_found(self) -> None:
        """N(CHILD_SA_NOT_FOUND)."""

    def superseded(self) -> None:
        """The peer's rekeying of it was answered."""

    def remove(self) -> None:
        """EXPIRE_HARD or MSG_CHILD_REMOVE."""

    def peer_deleted(self) -> None:
        """The peer's DELETE for this child."""

    def delete_answered(self) -> None:
        """The peer answered our DELETE, with or without a D of its own."""

    def ike_sa_gone(self) -> None:
        """The IKE SA reached SM_DEAD."""


builder = TypeMachineBuilder(Child, Driver)

SA_INIT = builder.state("SA_INIT")
SA_CREATE = builder.state("SA_CREATE")
SA_CREATE_WAIT = builder.state("SA_CREATE_WAIT")
SA_MATURE = builder.state("SA_MATURE")
SA_REKEY = builder.state("SA_REKEY")
SA_REKEY_WAIT = builder.state("SA_REKEY_WAIT")
SA_REMOVE = builder.state("SA_REMOVE")
SA_DEAD = builder.state("SA_DEAD")

# ---------------------------------------------------------------- making


@SA_INIT.upon(Child.installed).to(SA_MATURE)
def _installed(machine: Child, driver: Driver) -> None:
    """C-01, C-11, C-23: inbound, outbound and policies are in place."""
    driver.started()


@SA_INIT.upon(Child.refused).to(SA_DEAD)
def _never_made(machine: Child, driver: Driver) -> None:
    """C-12: not acceptable, or the data plane refused it."""
    driver.gone()


@SA_INIT.upon(Child.unusable).to(SA_REMOVE)
def _unusable_successor(machine: Child, driver: Driver) -> None:
    """C-09: the answer to a rekeying cannot be used; the peer believes that it exists."""
    driver.await_slot()


@SA_INIT.upon(Child.create).to(SA_CREATE)
def _create(machine: Child, driver: Driver) -> None:
    """C-02: wanted, in an IKE SA that is mature."""
    driver.await_slot()


@SA_CREATE.upon(Child.slot_free).to(SA_CREATE_WAIT)
def _request_create(machine: Child, driver: Driver) -> None:
    """C-04: CREATE_CHILD_SA."""
    driver.request_create()


@SA_CREATE_WAIT.upon(Child.installed).to(SA_MATURE)
def _created(machine: Child, driver: Driver) -> None:
    """C-05: agreed and installed."""
    driver.started()


@SA_CREATE_WAIT.upon(Child.other_group).loop()
def _create_with_group(machine: Child, driver: Driver) -> None:
    """C-06: again with KEi of the group asked for."""
    driver.request_create()


@SA_CREATE_WAIT.upon(Child.postponed).to(SA_CREATE)
def _create_later(machine: Child, driver: Driver) -> None:
    """C-07: after a delay."""
    driver.retry_later()


@SA_CREATE_WAIT.upon(Child.refused).to(SA_DEAD)
def _create_refused(machine: Child, driver: Driver) -> None:
    """C-08: free the SPI, tell the caller."""
    driver.gone()


@SA_CREATE_WAIT.upon(Child.unusable).to(SA_REMOVE)
def _unusable(machine: Child, driver: Driver) -> None:
    """C-09: wider selectors, a foreign proposal, or the data plane refuses; the peer believes that it exists."""
    driver.await_slot()


# ---------------------------------------------------------------- rekeying by us


@SA_MATURE.upon(Child.soft_expired).to(SA_REKEY)
def _soft_expired(machine: Child, driver: Driver) -> None:
    """C-20: near its limit."""
    driver.await_slot()


@SA_REKEY.upon(Child.slot_free).to(SA_REKEY_WAIT)
def _request_rekey(machine: Child, driver: Driver) -> None:
    """C-21: CREATE_CHILD_SA with N(REKEY_SA)."""
    driver.request_rekey()


@SA_REKEY.upon(Child.superseded).to(SA_MATURE)
def _peer_was_first(machine: Child, driver: Driver) -> None:
    """C-22: the peer rekeyed it before our turn came."""
    driver.leave_queue()
    driver.superseded()


@SA_REKEY_WAIT.upon(Child.rekeyed).to(SA_REMOVE)
def _rekeyed(machine: Child, driver: Driver) -> None:
    """C-23, K-09: the successor carries the traffic; this one is deleted by us."""
    driver.await_slot()


@SA_REKEY_WAIT.upon(Child.rekeyed_meanwhile_gone).to(SA_DEAD)
def _rekeyed_meanwhile_gone(machine: Child, driver: Driver) -> None:
    """K-05: keep the successor; this one is gone already, so no DELETE for it."""
    driver.gone()


@SA_REKEY_WAIT.upon(Child.rekey_redundant).to(SA_MATURE)
def _rekey_redundant(machine: Child, driver: Driver) -> None:
    """K-09: the peer's rekeying survives, and the peer deletes this one."""
    driver.superseded()


@SA_REKEY_WAIT.upon(Child.other_group).loop()
def _rekey_with_group(machine: Child, driver: Driver) -> None:
    """C-26: again with KEi of the group asked for."""
    driver.request_rekey()


@SA_REKEY_WAIT.upon(Child.postponed).to(SA_MATURE)
def _rekey_later(machine: Child, driver: Driver) -> None:
    """C-24: after a delay."""
    driver.retry_later()


@SA_REKEY_WAIT.upon(Child.not_found).to(SA_DEAD)
def _not_found(machine: Child, driver: Driver) -> None:
    """C-25: the peer does not know it; no DELETE, and a new one if nothing replaced it."""
    driver.begin_anew()
    driver.gone()


@SA_REKEY_WAIT.upon(Child.refused).to(SA_MATURE)
def _rekey_refused(machine: Child, driver: Driver) -> None:
    """C-27: no more rekeying of it by us."""
    driver.rekey_no_more()


@SA_REKEY_WAIT.upon(Child.superseded).loop()
def _both_rekey(machine: Child, driver: Driver) -> None:
    """C-28, K-02: both rekey it; which survives is decided when our own answer is here."""


@SA_REKEY_WAIT.upon(Child.peer_deleted).loop()
def _deleted_while_rekeying(machine: Child, driver: Driver) -> None:
    """K-05: answered as usual; our own answer is still to come."""
    driver.stop_carrying()


@SA_REKEY_WAIT.upon(Child.remove).loop()
def _expired_while_rekeying(machine: Child, driver: Driver) -> None:
    """C-32: past its limit while its successor is being made: the data plane drops its packets, the answer decides."""


# ---------------------------------------------------------------- rekeying by the peer, and the end


@SA_MATURE.upon(Child.superseded).loop()
def _superseded(machine: Child, driver: Driver) -> None:
    """C-30: the successor is installed; the peer is to delete this one."""
    driver.superseded()


@SA_REMOVE.upon(Child.slot_free).loop()
def _request_delete(machine: Child, driver: Driver) -> None:
    """C-34: INFORMATIONAL {D}."""
    driver.request_delete()


@SA_REMOVE.upon(Child.delete_answered).to(SA_DEAD)
def _delete_answered(machine: Child, driver: Driver) -> None:
    """C-35: the peer knows."""
    driver.gone()


@SA_REMOVE.upon(Child.peer_deleted).to(SA_DEAD)
def _both_deleted(machine: Child, driver: Driver) -> None:
    """C-36, K-04: both closed it at once; ours ends too."""
    driver.leave_queue()
    driver.gone()


@SA_REMOVE.upon(Child.remove).loop()
def _already_removing(machine: Child, driver: Driver) -> None:
    """C-34: already being removed."""


@SA_DEAD.upon(Child.delete_answered).loop()
def _answered_late(machine: Child, driver: Driver) -> None:
    """K-04: the answer to our DELETE, after the peer's own ended the child."""


@SA_CREATE.upon(Child.remove).to(SA_DEAD)
def _no_longer_wanted(machine: Child, driver: Driver) -> None:
    """C-33: unwanted before it was asked for."""
    driver.leave_queue()
    driver.gone()


@SA_CREATE_WAIT.upon(Child.remove).loop()
def _remove_when_made(machine: Child, driver: Driver) -> None:
    """C-33: the answer decides; unwanted still, it is removed then."""


def _remove(machine: Child, driver: Driver) -> None:
    """C-32, C-33: past its limit, or unwanted: tell the peer."""
    driver.leave_queue()
    driver.await_slot()


def _peer_deleted(machine: Child, driver: Driver) -> None:
    """C-31, C-22: the peer's DELETE; both directions go."""
    driver.leave_queue()
    driver.gone()


def _ike_sa_gone(machine: Child, driver: Driver) -> None:
    """C-37, C-10: goes silently with the IKE SA."""
    driver.gone()


for _state in (SA_MATURE, SA_REKEY):
    _state.upon(Child.remove).to(SA_REMOVE)(_remove)
    _state.upon(Child.peer_deleted).to(SA_DEAD)(_peer_deleted)
for _state in (SA_INIT, SA_CREATE, SA_CREATE_WAIT, SA_MATURE, SA_REKEY, SA_REKEY_WAIT, SA_REMOVE):
    _state.upon(Child.ike_sa_gone).to(SA_DEAD)(_ike_sa_gone)

ChildMachine = builder.build()
