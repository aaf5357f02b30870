"""The IKE SA initiator: Figure 2, and its errors: Figure 3.

The machine ends in SM_MATURE or SM_TERMINATE, from where `mature.py` goes on, or in SM_DEAD. Three states are ours: in
SMI_ROUND_WAIT, SMI_ROUND_PEER and SMI_ANOTHER_AUTH we have proved ourselves once and are to do so again, by EAP (RFC 4739).
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def request_ike_sa_init(self) -> None:
        """Make SPIi, Ni, KEi of the first configured group and the NAT-D hashes; send the IKE_SA_INIT request."""

    def repeat_with_cookie(self) -> None:
        """Send the same request with the cookie first, then tell `repeated`."""

    def repeat_with_group(self) -> None:
        """Send the same request with a KEi of the group asked for, then tell `repeated`."""

    def begin_grace(self) -> None:
        """Give a proper response a little time to come after an unauthenticated error, then tell `grace_over`."""

    def request_ike_auth(self) -> None:
        """Derive the keys, follow a NAT to port 4500, prove ourselves and send the IKE_AUTH request."""

    def download(self) -> None:
        """Fetch what verifying the responder still needs; then go on with its kept answer."""

    def authenticate_peer_first(self) -> None:
        """Check the responder's answer to the first of our two proofs, then tell `peer_authentic` or `not_authentic`."""

    def request_another_auth(self) -> None:
        """Send IKE_AUTH with the identity of our second proof alone."""

    def authenticate_peer(self) -> None:
        """Check the responder's IDr, CERT and AUTH, then tell `peer_authentic` or `not_authentic`."""

    def respond_eap(self) -> None:
        """Give the EAP request to the supplicant, and send its response if it has one at once; else tell `supplicant_awaited`."""

    def send_eap(self) -> None:
        """Send the supplicant's response."""

    def request_final_auth(self) -> None:
        """Send IKE_AUTH with AUTH by the MSK."""

    def mature(self) -> None:
        """Hand over to the mature machine."""

    def terminate(self) -> None:
        """Hand over to the mature machine in SM_TERMINATE."""

    def dead(self) -> None:
        """End the IKE SA: the one place of row IE-21."""


class Initiator(Protocol):
    """The inputs. A name says what was decided of a message, not what the message was."""

    def begin(self) -> None:
        """ACQUIRE, CONNECT or REAUTH."""

    def unconfigured(self) -> None:
        """There is no configuration to begin with."""

    def cookie(self) -> None:
        """N(COOKIE), and fewer rounds than allowed."""

    def other_group(self) -> None:
        """N(INVALID_KE_PAYLOAD) for a group that we offered, may use, and have not tried."""

    def repeated(self) -> None:
        """The IKE_SA_INIT request is out again."""

    def other_group_unacceptable(self) -> None:
        """INVALID_KE: a group that we did not offer, may not use or have tried."""

    def too_many_rounds(self) -> None:
        """COOKIE or INVALID_KE_PAYLOAD once more than allowed."""

    def refused(self) -> None:
        """An unauthenticated error notify in place of an IKE_SA_INIT response."""

    def grace_over(self) -> None:
        """No proper response came after the unauthenticated error."""

    def illegal(self) -> None:
        """A response that breaks the protocol: not out of our offer, bad group, value or nonce."""

    def negotiated(self) -> None:
        """A regular IKE_SA_INIT response."""

    def negotiated_for_two(self) -> None:
        """The same, and we are to prove ourselves twice, which the responder takes."""

    def one_proof_only(self) -> None:
        """The same, and we are to prove ourselves twice, which the responder does not take."""

    def round_answered(self) -> None:
        """IKE_AUTH response with IDr and AUTH, and nothing else that matters, to the first of two proofs."""

    def material_missing(self) -> None:
        """The responder used certificates, and one of them, or whether one was revoked, is not known yet."""

    def material_refused(self) -> None:
        """DL_FAILED, and policy demands it."""

    def eap_requested(self) -> None:
        """IKE_AUTH response with an EAP request."""

    def peer_authentic(self) -> None:
        """The responder's AUTH holds, or is left out as agreed (RFC 5998)."""

    def supplicant_awaited(self) -> None:
        """The EAP method needs time."""

    def supplicant_ready(self) -> None:
        """SUPP_READY."""

    def supplicant_failed(self) -> None:
        """SUPP_FAIL."""

    def eap_succeeded(self) -> None:
        """EAP Success, and the method is complete on our side."""

    def eap_success_early(self) -> None:
        """EAP Success before the method is complete."""

    def eap_failed(self) -> None:
        """EAP Failure."""

    def child_made(self) -> None:
        """The responder is authentic and the CHILD SA is installed."""

    def child_refused(self) -> None:
        """The responder is authentic and refused the child; policy keeps the IKE SA."""

    def child_unusable(self) -> None:
        """The responder is authentic, and there is no child to live with."""

    def peer_refused(self) -> None:
        """N(AUTHENTICATION_FAILED) or another error that ends the IKE SA, protected."""

    def not_authentic(self) -> None:
        """AUTH_FAILED: the responder does not prove its identity, or we have nothing to prove ours with."""

    def timeout(self) -> None:
        """No answer after the last retransmission."""

    def terminate(self) -> None:
        """MSG_IKE_TERMINATE."""


builder = TypeMachineBuilder(Initiator, Driver)

SMI_INIT = builder.state("SMI_INIT")
SMI_AUTH = builder.state("SMI_AUTH")
IKE_SMI_COOKIE = builder.state("IKE_SMI_COOKIE")
IKE_SMI_INVALIDKE = builder.state("IKE_SMI_INVALIDKE")
SMI_AUTH_WAIT = builder.state("SMI_AUTH_WAIT")
SMI_INSTALLCSA_DL = builder.state("SMI_INSTALLCSA_DL")
SMI_AUTH_PEER = builder.state("SMI_AUTH_PEER")
SMI_EAP = builder.state("SMI_EAP")
SMI_EAP_WAIT = builder.state("SMI_EAP_WAIT")
SMI_INSTALLCSA = builder.state("SMI_INSTALLCSA")
SMI_ROUND_WAIT = builder.state("SMI_ROUND_WAIT")
SMI_ROUND_PEER = builder.state("SMI_ROUND_PEER")
SMI_ANOTHER_AUTH = builder.state("SMI_ANOTHER_AUTH")
SM_MATURE = builder.state("SM_MATURE")
SM_TERMINATE = builder.state("SM_TERMINATE")
SM_DEAD = builder.state("SM_DEAD")


@SMI_INIT.upon(Initiator.begin).to(SMI_AUTH)
def _begin(machine: Initiator, driver: Driver) -> None:
    """I-01: configuration found; send the IKE_SA_INIT request."""
    driver.request_ike_sa_init()


@SMI_INIT.upon(Initiator.unconfigured).to(SM_DEAD)
def _unconfigured(machine: Initiator, driver: Driver) -> None:
    """I-02: no configuration; tell the caller."""
    driver.dead()


@SMI_AUTH.upon(Initiator.cookie).to(IKE_SMI_COOKIE)
def _cookie(machine: Initiator, driver: Driver) -> None:
    """I-03: the responder checks our address; repeat with the cookie."""
    driver.repeat_with_cookie()


@SMI_AUTH.upon(Initiator.other_group).to(IKE_SMI_INVALIDKE)
def _other_group(machine: Initiator, driver: Driver) -> None:
    """I-04: the responder wants another group; repeat with its KEi."""
    driver.repeat_with_group()


def _repeated(machine: Initiator, driver: Driver) -> None:
    """I-03, I-04: the request is out again."""


IKE_SMI_COOKIE.upon(Initiator.repeated).to(SMI_AUTH)(_repeated)
IKE_SMI_INVALIDKE.upon(Initiator.repeated).to(SMI_AUTH)(_repeated)


@SMI_AUTH.upon(Initiator.negotiated).to(SMI_AUTH_WAIT)
def _negotiated(machine: Initiator, driver: Driver) -> None:
    """I-05: regular response; keys, NAT, IKE_AUTH request."""
    driver.request_ike_auth()


@SMI_AUTH.upon(Initiator.refused).loop()
def _refused(machine: Initiator, driver: Driver) -> None:
    """IE-02, IE-05: an unauthenticated error is a hint; go on waiting for a proper response for the grace time."""
    driver.begin_grace()


@SMI_AUTH.upon(Initiator.grace_over).to(SM_DEAD)
def _grace_over(machine: Initiator, driver: Driver) -> None:
    """IE-02, IE-05: no proper response came within the grace time."""
    driver.dead()


@SMI_AUTH.upon(Initiator.illegal).loop()
def _illegal(machine: Initiator, driver: Driver) -> None:
    """IE-04: an illegal response is an attack; ignore it and go on waiting until TIMEOUT."""


@SMI_AUTH.upon(Initiator.other_group_unacceptable).to(SM_TERMINATE)
def _other_group_unacceptable(machine: Initiator, driver: Driver) -> None:
    """IE-03: INVALID_KE; there are no keys yet, so SM_TERMINATE falls through to SM_DEAD (IE-15)."""
    driver.terminate()


@SMI_AUTH.upon(Initiator.too_many_rounds).to(SM_DEAD)
def _too_many_rounds(machine: Initiator, driver: Driver) -> None:
    """IE-06: too many COOKIE or INVALID_KE rounds."""
    driver.dead()


@SMI_AUTH_WAIT.upon(Initiator.child_made).to(SM_MATURE)
def _child_made(machine: Initiator, driver: Driver) -> None:
    """I-06: authentic, CHILD SA installed."""
    driver.mature()


@SMI_AUTH_WAIT.upon(Initiator.material_missing).to(SMI_INSTALLCSA_DL)
def _material_missing(machine: Initiator, driver: Driver) -> None:
    """I-07: a certificate, CRL or OCSP answer is missing; the answer is kept, the download begins."""
    driver.download()


@SMI_INSTALLCSA_DL.upon(Initiator.child_made).to(SM_MATURE)
def _child_made_late(machine: Initiator, driver: Driver) -> None:
    """I-08: nothing is missing any more; authentic, CHILD SA installed."""
    driver.mature()


@SMI_INSTALLCSA_DL.upon(Initiator.material_missing).loop()
def _more_missing(machine: Initiator, driver: Driver) -> None:
    """I-09: what came has led to more; the next download."""
    driver.download()


def _material_refused(machine: Initiator, driver: Driver) -> None:
    """IE-09: what policy demands could not be had; tell the peer N(AUTHENTICATION_FAILED)."""
    driver.terminate()


@SMI_AUTH_WAIT.upon(Initiator.eap_requested).to(SMI_AUTH_PEER)
def _first_eap_request(machine: Initiator, driver: Driver) -> None:
    """I-10: the responder is to prove itself before our login begins."""
    driver.authenticate_peer()


@SMI_AUTH_PEER.upon(Initiator.material_missing).loop()
def _material_missing_for_eap(machine: Initiator, driver: Driver) -> None:
    """I-11, I-12: a certificate, CRL or OCSP answer is missing; the download begins, and what came is looked at again."""
    driver.download()


@SMI_AUTH_PEER.upon(Initiator.peer_authentic).to(SMI_EAP)
def _peer_authentic(machine: Initiator, driver: Driver) -> None:
    """I-13: the first EAP request goes to the supplicant."""
    driver.respond_eap()


@SMI_EAP.upon(Initiator.eap_requested).loop()
def _eap_request(machine: Initiator, driver: Driver) -> None:
    """I-14: the next EAP request goes to the supplicant."""
    driver.respond_eap()


@SMI_EAP.upon(Initiator.supplicant_awaited).to(SMI_EAP_WAIT)
def _supplicant_awaited(machine: Initiator, driver: Driver) -> None:
    """I-15: the supplicant answers later."""


@SMI_EAP_WAIT.upon(Initiator.supplicant_ready).to(SMI_EAP)
def _supplicant_ready(machine: Initiator, driver: Driver) -> None:
    """I-15: SUPP_READY; send as I-14."""
    driver.send_eap()


@SMI_EAP.upon(Initiator.eap_succeeded).to(SMI_INSTALLCSA)
def _eap_succeeded(machine: Initiator, driver: Driver) -> None:
    """I-16: AUTH by the MSK, or by SK_pi."""
    driver.request_final_auth()


@SMI_INSTALLCSA.upon(Initiator.child_made).to(SM_MATURE)
def _child_made_after_eap(machine: Initiator, driver: Driver) -> None:
    """I-17: the responder knows the MSK; CHILD SA installed."""
    driver.mature()


# ---------------------------------------------------------------- two proofs (RFC 4739)


@SMI_AUTH.upon(Initiator.negotiated_for_two).to(SMI_ROUND_WAIT)
def _negotiated_for_two(machine: Initiator, driver: Driver) -> None:
    """I-19: as I-05, and the request says that another proof follows."""
    driver.request_ike_auth()


@SMI_AUTH.upon(Initiator.one_proof_only).to(SM_TERMINATE)
def _one_proof_only(machine: Initiator, driver: Driver) -> None:
    """IE-22: the responder does not know of several proofs, and we are to give two."""
    driver.terminate()


@SMI_ROUND_WAIT.upon(Initiator.round_answered).to(SMI_ROUND_PEER)
def _round_answered(machine: Initiator, driver: Driver) -> None:
    """I-20: the responder is to prove itself before our second proof."""
    driver.authenticate_peer_first()


@SMI_ROUND_PEER.upon(Initiator.material_missing).loop()
def _material_missing_for_round(machine: Initiator, driver: Driver) -> None:
    """I-11, I-12: a certificate, CRL or OCSP answer is missing; the download begins, and what came is looked at again."""
    driver.download()


@SMI_ROUND_PEER.upon(Initiator.peer_authentic).to(SMI_ANOTHER_AUTH)
def _authentic_in_round(machine: Initiator, driver: Driver) -> None:
    """I-21: the identity of our second proof."""
    driver.request_another_auth()


@SMI_ANOTHER_AUTH.upon(Initiator.eap_requested).to(SMI_EAP)
def _another_eap_request(machine: Initiator, driver: Driver) -> None:
    """I-22: the first EAP request goes to the supplicant; from here on as after I-13."""
    driver.respond_eap()


def _eap_failed(machine: Initiator, driver: Driver) -> None:
    """IE-10: EAP Failure."""
    driver.dead()


def _supplicant_failed(machine: Initiator, driver: Driver) -> None:
    """IE-11: our EAP method failed."""
    driver.terminate()


def _eap_success_early(machine: Initiator, driver: Driver) -> None:
    """IE-12: EAP Success before the method is complete is illegal; the peer is left."""
    driver.dead()


def _child_refused(machine: Initiator, driver: Driver) -> None:
    """I-18: authentic, no child; the IKE SA stands."""
    driver.mature()


def _child_unusable(machine: Initiator, driver: Driver) -> None:
    """IE-13: the IKE SA was for this child only."""
    driver.terminate()


def _peer_refused(machine: Initiator, driver: Driver) -> None:
    """IE-07: the peer has already dropped the IKE SA."""
    driver.dead()


def _not_authentic(machine: Initiator, driver: Driver) -> None:
    """IE-08: tell the peer N(AUTHENTICATION_FAILED)."""
    driver.terminate()


for _hearing_eap in (SMI_AUTH_WAIT, SMI_ANOTHER_AUTH, SMI_EAP):
    _hearing_eap.upon(Initiator.eap_failed).to(SM_DEAD)(_eap_failed)
    _hearing_eap.upon(Initiator.eap_success_early).to(SM_DEAD)(_eap_success_early)
for _responding in (SMI_EAP, SMI_EAP_WAIT):
    _responding.upon(Initiator.supplicant_failed).to(SM_TERMINATE)(_supplicant_failed)
for _concluding in (SMI_AUTH_WAIT, SMI_INSTALLCSA_DL, SMI_INSTALLCSA):
    _concluding.upon(Initiator.child_refused).to(SM_MATURE)(_child_refused)
    _concluding.upon(Initiator.child_unusable).to(SM_TERMINATE)(_child_unusable)
for _asking in (SMI_AUTH_WAIT, SMI_ROUND_WAIT, SMI_ANOTHER_AUTH, SMI_EAP, SMI_INSTALLCSA):
    _asking.upon(Initiator.peer_refused).to(SM_DEAD)(_peer_refused)
for _downloading in (SMI_INSTALLCSA_DL, SMI_AUTH_PEER, SMI_ROUND_PEER):
    _downloading.upon(Initiator.material_refused).to(SM_TERMINATE)(_material_refused)
for _doubting in (
    SMI_AUTH_WAIT,
    SMI_INSTALLCSA_DL,
    SMI_AUTH_PEER,
    SMI_ROUND_WAIT,
    SMI_ROUND_PEER,
    SMI_ANOTHER_AUTH,
    SMI_EAP,
    SMI_INSTALLCSA,
):
    _doubting.upon(Initiator.not_authentic).to(SM_TERMINATE)(_not_authentic)


def _timeout(machine: Initiator, driver: Driver) -> None:
    """IE-01: the responder is unavailable."""
    driver.dead()


def _terminate(machine: Initiator, driver: Driver) -> None:
    """IE-20: told to end."""
    driver.terminate()


for _waiting in (SMI_AUTH, SMI_AUTH_WAIT, SMI_ROUND_WAIT, SMI_ANOTHER_AUTH, SMI_EAP, SMI_INSTALLCSA):
    _waiting.upon(Initiator.timeout).to(SM_DEAD)(_timeout)
for _running in (
    SMI_INIT,
    SMI_AUTH,
    SMI_AUTH_WAIT,
    SMI_INSTALLCSA_DL,
    SMI_AUTH_PEER,
    SMI_EAP,
    SMI_EAP_WAIT,
    SMI_INSTALLCSA,
    SMI_ROUND_WAIT,
    SMI_ROUND_PEER,
    SMI_ANOTHER_AUTH,
):
    _running.upon(Initiator.terminate).to(SM_TERMINATE)(_terminate)

InitiatorMachine = builder.build()
