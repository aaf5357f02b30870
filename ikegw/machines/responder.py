"""The IKE SA responder: Figure 4, and its errors: Figure 5.

It is made once the gate has let an IKE_SA_INIT request in (rows D-01, D-03). It ends in SM_MATURE or SM_TERMINATE, from where
`mature.py` goes on, or in SM_DEAD. Five states are ours: SMR_EAP_DONE is the paper's *eap_done*, and in SMR_EAP_FAILED a client
that was told EAP Failure may ask once more; SMR_ROUND_FINALIZE, SMR_ROUND_DL_PEER and SMR_ANOTHER_AUTH are for initiators that
authenticate twice (RFC 4739): from them no way leads to SM_MATURE but through the EAP login.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def answer_ike_sa_init(self) -> None:
        """Send the IKE_SA_INIT response and start the half-open timer."""

    def answer_refusal(self) -> None:
        """Send the refusal that was prepared, protected if there are keys; then end the IKE SA (row IE-21)."""

    def ask_aaa(self) -> None:
        """Send the EAP response to the AAA server; then tell what it says."""

    def prove_first(self) -> None:
        """Prove ourselves before the EAP login goes on; then tell `proved`."""

    def answer_eap(self) -> None:
        """Send the IKE_AUTH response that was prepared, with its EAP packet, and start the half-open timer anew."""

    def verify_round(self) -> None:
        """Verify the first of two proofs, and make ours; then tell what comes next."""

    def download_for_round(self) -> None:
        """Fetch what verifying the first proof still needs; then tell what came of it."""

    def answer_round(self) -> None:
        """Send our identity and AUTH, and start the half-open timer anew."""

    def finalize_login(self) -> None:
        """Begin SMR_AUTH_FINALIZE with the AUTH that came after EAP Success, and with the request that began the login."""

    def finalize(self) -> None:
        """Go on with the first step that is not finished: verify, prove, configure, make the child; then tell what comes next."""

    def download(self) -> None:
        """Fetch what verifying the initiator still needs; then tell what came of it."""

    def answer_ike_auth(self) -> None:
        """Send the final IKE_AUTH response and hand over to the mature machine."""

    def answer_empty(self) -> None:
        """Send an empty response, then end the IKE SA."""

    def terminate(self) -> None:
        """Hand over to the mature machine in SM_TERMINATE."""

    def dead(self) -> None:
        """End the IKE SA: the one place of row IE-21."""


class Responder(Protocol):
    """The inputs. A name says what was decided of a message, not what the message was."""

    def agreed(self) -> None:
        """A proposal is acceptable and KEi is of its group."""

    def wrong_group(self) -> None:
        """A proposal is acceptable, KEi is of another group."""

    def no_proposal(self) -> None:
        """No proposal is acceptable."""

    def admissible(self) -> None:
        """IKE_AUTH with AUTH; a connection fits the identities, and its method is allowed."""

    def first_of_two(self) -> None:
        """The same with N(ANOTHER_AUTH_FOLLOWS), as the connection wants it."""

    def round_complete(self) -> None:
        """The first of two proofs holds, and ours is ready."""

    def unconfigured(self) -> None:
        """Reason 1: no connection fits the identities."""

    def method_not_allowed(self) -> None:
        """Reason 2: the initiator asks for a method that is not supported or not allowed."""

    def no_own_material(self) -> None:
        """Reason 3: we have nothing to prove ourselves with."""

    def not_authentic(self) -> None:
        """Reason 4: the initiator's AUTH, identity or certificate does not hold."""

    def eap_named(self) -> None:
        """IKE_AUTH without AUTH, EAP is allowed or now due, and the EAP identity is known."""

    def eap_unnamed(self) -> None:
        """IKE_AUTH without AUTH, EAP is allowed or now due, and the EAP identity is to be asked for."""

    def proved(self) -> None:
        """Our AUTH is ready, or agreed to be left out (RFC 5998)."""

    def eap_response(self) -> None:
        """IKE_AUTH with an EAP response."""

    def aaa_challenge(self) -> None:
        """AAA_CHALLENGE."""

    def aaa_accept(self) -> None:
        """AAA_ACCEPT with EAP Success."""

    def aaa_unusable(self) -> None:
        """AAA_ACCEPT without EAP Success, before EAP began or without a key that must be; AAA_CHALLENGE without EAP request."""

    def aaa_reject(self) -> None:
        """AAA_REJECT."""

    def aaa_timeout(self) -> None:
        """AAA_TIMEOUT."""

    def final_auth(self) -> None:
        """IKE_AUTH with AUTH and nothing else."""

    def out_of_turn(self) -> None:
        """IKE_AUTH with something else than the EAP login, or the order of two proofs, is at."""

    def material_missing(self) -> None:
        """The initiator used certificates, and one of them, or whether one was revoked, is not known yet."""

    def material_obtained(self) -> None:
        """DL_DONE."""

    def material_dispensable(self) -> None:
        """DL_FAILED, and policy can do without it."""

    def material_refused(self) -> None:
        """Reason 5: DL_FAILED, and policy demands it."""

    def configuration_awaited(self) -> None:
        """CP(CFG_REQUEST), and the provider does not answer at once."""

    def configured(self) -> None:
        """CFG_DONE."""

    def configuration_failed(self) -> None:
        """CFG_FAILED."""

    def child_refused(self) -> None:
        """The child cannot be made; the IKE SA can."""

    def complete(self) -> None:
        """Authentic, and the CHILD SA is installed."""

    def complete_without_child(self) -> None:
        """Authentic, with a child error."""

    def peer_rejected_us(self) -> None:
        """INFORMATIONAL with N(AUTHENTICATION_FAILED) or D(IKE)."""

    def malformed(self) -> None:
        """A request that decrypts but cannot be read."""

    def timeout(self) -> None:
        """The initiator did not go on in time."""

    def terminate(self) -> None:
        """MSG_IKE_TERMINATE."""


builder = TypeMachineBuilder(Responder, Driver)

SMR_INIT = builder.state("SMR_INIT")
SMR_AUTH = builder.state("SMR_AUTH")
SMR_AUTH_RESPONSE_ID = builder.state("SMR_AUTH_RESPONSE_ID")
SMR_AUTH_RESPONSE = builder.state("SMR_AUTH_RESPONSE")
SMR_EAP_INITIATOR_REQUEST = builder.state("SMR_EAP_INITIATOR_REQUEST")
SMR_EAP_AAA_REQUEST = builder.state("SMR_EAP_AAA_REQUEST")
SMR_EAP_DONE = builder.state("SMR_EAP_DONE")
SMR_EAP_FAILED = builder.state("SMR_EAP_FAILED")
SMR_AUTH_FINALIZE = builder.state("SMR_AUTH_FINALIZE")
SMR_AUTH_DL_PEER = builder.state("SMR_AUTH_DL_PEER")
SMR_CFG_WAIT = builder.state("SMR_CFG_WAIT")
SMR_ROUND_FINALIZE = builder.state("SMR_ROUND_FINALIZE")
SMR_ROUND_DL_PEER = builder.state("SMR_ROUND_DL_PEER")
SMR_ANOTHER_AUTH = builder.state("SMR_ANOTHER_AUTH")
SM_MATURE = builder.state("SM_MATURE")
SM_TERMINATE = builder.state("SM_TERMINATE")
SM_DEAD = builder.state("SM_DEAD")


@SMR_INIT.upon(Responder.agreed).to(SMR_AUTH)
def _agreed(machine: Responder, driver: Driver) -> None:
    """R-01: algorithms, KEr, Nr, NAT-D, keys; send the IKE_SA_INIT response."""
    driver.answer_ike_sa_init()


@SMR_INIT.upon(Responder.wrong_group).to(SM_DEAD)
def _wrong_group(machine: Responder, driver: Driver) -> None:
    """R-02: answer N(INVALID_KE_PAYLOAD), keep nothing."""
    driver.answer_refusal()


@SMR_INIT.upon(Responder.no_proposal).to(SM_DEAD)
def _no_proposal(machine: Responder, driver: Driver) -> None:
    """R-03: answer N(NO_PROPOSAL_CHOSEN), keep nothing."""
    driver.answer_refusal()


@SMR_AUTH.upon(Responder.admissible).to(SMR_AUTH_FINALIZE)
def _admissible(machine: Responder, driver: Driver) -> None:
    """R-04: follow the peer's port and go through FINALIZE."""
    driver.finalize()


@SMR_AUTH.upon(Responder.unconfigured).to(SM_DEAD)
def _unconfigured(machine: Responder, driver: Driver) -> None:
    """RE-02: reason 1, no local configuration for the peer."""
    driver.answer_refusal()


@SMR_AUTH.upon(Responder.method_not_allowed).to(SM_DEAD)
def _method_not_allowed(machine: Responder, driver: Driver) -> None:
    """RE-03: reason 2, a method that is not supported or not allowed."""
    driver.answer_refusal()


@SMR_AUTH.upon(Responder.eap_named).to(SMR_AUTH_RESPONSE_ID)
def _eap_named(machine: Responder, driver: Driver) -> None:
    """R-05: IDi makes an EAP-Response/Identity, which opens the dialogue with the AAA server."""
    driver.ask_aaa()


@SMR_AUTH.upon(Responder.eap_unnamed).to(SMR_AUTH_RESPONSE)
def _eap_unnamed(machine: Responder, driver: Driver) -> None:
    """R-06: an EAP-Request/Identity of our own."""
    driver.prove_first()


@SMR_AUTH_RESPONSE_ID.upon(Responder.aaa_challenge).to(SMR_AUTH_RESPONSE)
def _first_challenge(machine: Responder, driver: Driver) -> None:
    """R-07: the AAA server's EAP request is kept."""
    driver.prove_first()


@SMR_AUTH_RESPONSE.upon(Responder.proved).to(SMR_EAP_INITIATOR_REQUEST)
def _proved(machine: Responder, driver: Driver) -> None:
    """R-08: IKE_AUTH response with IDr, CERT, AUTH and the first EAP request."""
    driver.answer_eap()


@SMR_EAP_INITIATOR_REQUEST.upon(Responder.eap_response).to(SMR_EAP_AAA_REQUEST)
def _eap_response(machine: Responder, driver: Driver) -> None:
    """R-09: the initiator's EAP response goes to the AAA server."""
    driver.ask_aaa()


@SMR_EAP_AAA_REQUEST.upon(Responder.aaa_challenge).to(SMR_EAP_INITIATOR_REQUEST)
def _challenge(machine: Responder, driver: Driver) -> None:
    """R-10: the AAA server's EAP request goes to the initiator."""
    driver.answer_eap()


@SMR_EAP_AAA_REQUEST.upon(Responder.aaa_accept).to(SMR_EAP_DONE)
def _accept(machine: Responder, driver: Driver) -> None:
    """R-11: EAP Success to the initiator; the MSK, or what stands for it, is at hand."""
    driver.answer_eap()


@SMR_EAP_DONE.upon(Responder.final_auth).to(SMR_AUTH_FINALIZE)
def _final_auth(machine: Responder, driver: Driver) -> None:
    """R-12: the initiator's AUTH goes through FINALIZE."""
    driver.finalize_login()


def _reject(machine: Responder, driver: Driver) -> None:
    """RE-06: EAP Failure to the initiator."""
    driver.answer_eap()


@SMR_EAP_FAILED.upon(Responder.out_of_turn).to(SM_DEAD)
def _asked_after_failure(machine: Responder, driver: Driver) -> None:
    """RE-06: whatever the initiator asks after EAP Failure, N(AUTHENTICATION_FAILED)."""
    driver.answer_refusal()


def _aaa_timeout(machine: Responder, driver: Driver) -> None:
    """RE-07: nobody said whether the login is good."""
    driver.answer_refusal()


def _unusable(machine: Responder, driver: Driver) -> None:
    """RE-10: an accept, or a challenge, that cannot be believed."""
    driver.answer_refusal()


for _asking in (SMR_AUTH_RESPONSE_ID, SMR_EAP_AAA_REQUEST):
    _asking.upon(Responder.aaa_reject).to(SMR_EAP_FAILED)(_reject)
    _asking.upon(Responder.aaa_timeout).to(SM_DEAD)(_aaa_timeout)
    _asking.upon(Responder.aaa_unusable).to(SM_DEAD)(_unusable)


def _out_of_turn(machine: Responder, driver: Driver) -> None:
    """RE-11: AUTH while EAP is unfinished, EAP after it, or something else altogether."""
    driver.answer_refusal()


for _listening in (SMR_EAP_INITIATOR_REQUEST, SMR_EAP_DONE):
    _listening.upon(Responder.out_of_turn).to(SM_DEAD)(_out_of_turn)


def _nothing_to_prove_with(machine: Responder, driver: Driver) -> None:
    """RE-04: reason 3, no authentication material for ourselves, found out before EAP begins."""
    driver.answer_refusal()


SMR_AUTH_RESPONSE.upon(Responder.no_own_material).to(SM_DEAD)(_nothing_to_prove_with)


@SMR_AUTH_FINALIZE.upon(Responder.no_own_material).to(SM_DEAD)
def _no_own_material(machine: Responder, driver: Driver) -> None:
    """RE-04: reason 3, no authentication material for ourselves."""
    driver.answer_refusal()


@SMR_AUTH_FINALIZE.upon(Responder.not_authentic).to(SM_DEAD)
def _not_authentic(machine: Responder, driver: Driver) -> None:
    """RE-05: reason 4, the initiator's authentication failed."""
    driver.answer_refusal()


@SMR_AUTH_FINALIZE.upon(Responder.material_missing).to(SMR_AUTH_DL_PEER)
def _material_missing(machine: Responder, driver: Driver) -> None:
    """R-13: a certificate, CRL or OCSP answer is missing; start the download."""
    driver.download()


@SMR_AUTH_DL_PEER.upon(Responder.material_obtained).to(SMR_AUTH_FINALIZE)
def _material_obtained(machine: Responder, driver: Driver) -> None:
    """R-14: through FINALIZE again."""
    driver.finalize()


@SMR_AUTH_DL_PEER.upon(Responder.material_refused).to(SM_DEAD)
def _material_refused(machine: Responder, driver: Driver) -> None:
    """RE-08: reason 5, what policy demands could not be had."""
    driver.answer_refusal()


@SMR_AUTH_DL_PEER.upon(Responder.material_dispensable).to(SMR_AUTH_FINALIZE)
def _material_dispensable(machine: Responder, driver: Driver) -> None:
    """RE-09: policy can do without what could not be had; through FINALIZE again."""
    driver.finalize()


@SMR_AUTH_FINALIZE.upon(Responder.configuration_awaited).to(SMR_CFG_WAIT)
def _configuration_awaited(machine: Responder, driver: Driver) -> None:
    """R-15: the provider was asked and needs time."""


@SMR_CFG_WAIT.upon(Responder.configured).to(SMR_AUTH_FINALIZE)
def _configured(machine: Responder, driver: Driver) -> None:
    """R-16: attributes at hand; through FINALIZE again."""
    driver.finalize()


@SMR_CFG_WAIT.upon(Responder.configuration_failed).to(SMR_AUTH_FINALIZE)
def _configuration_failed(machine: Responder, driver: Driver) -> None:
    """RE-12: a child error, INTERNAL_ADDRESS_FAILURE; through FINALIZE again."""
    driver.finalize()


@SMR_AUTH_FINALIZE.upon(Responder.child_refused).loop()
def _child_refused(machine: Responder, driver: Driver) -> None:
    """RE-13: a child error; the IKE SA will stand without a child."""
    driver.finalize()


@SMR_AUTH_FINALIZE.upon(Responder.complete).to(SM_MATURE)
def _complete(machine: Responder, driver: Driver) -> None:
    """R-17: final IKE_AUTH response, IKE SA and first CHILD SA established."""
    driver.answer_ike_auth()


@SMR_AUTH_FINALIZE.upon(Responder.complete_without_child).to(SM_MATURE)
def _complete_without_child(machine: Responder, driver: Driver) -> None:
    """R-18: final IKE_AUTH response with the child error."""
    driver.answer_ike_auth()


# ---------------------------------------------------------------- two proofs (RFC 4739)


@SMR_AUTH.upon(Responder.first_of_two).to(SMR_ROUND_FINALIZE)
def _first_of_two(machine: Responder, driver: Driver) -> None:
    """R-19: the first of two proofs is looked at."""
    driver.verify_round()


@SMR_ROUND_FINALIZE.upon(Responder.material_missing).to(SMR_ROUND_DL_PEER)
def _material_missing_for_round(machine: Responder, driver: Driver) -> None:
    """R-13: a certificate, CRL or OCSP answer is missing for it; start the download."""
    driver.download_for_round()


@SMR_ROUND_DL_PEER.upon(Responder.material_obtained).to(SMR_ROUND_FINALIZE)
def _material_obtained_for_round(machine: Responder, driver: Driver) -> None:
    """R-14: look at it again."""
    driver.verify_round()


@SMR_ROUND_DL_PEER.upon(Responder.material_dispensable).to(SMR_ROUND_FINALIZE)
def _material_dispensable_for_round(machine: Responder, driver: Driver) -> None:
    """RE-09: policy can do without what could not be had; look at it again."""
    driver.verify_round()


SMR_ROUND_DL_PEER.upon(Responder.material_refused).to(SM_DEAD)(_material_refused)
SMR_ROUND_FINALIZE.upon(Responder.no_own_material).to(SM_DEAD)(_no_own_material)
SMR_ROUND_FINALIZE.upon(Responder.not_authentic).to(SM_DEAD)(_not_authentic)


@SMR_ROUND_FINALIZE.upon(Responder.round_complete).to(SMR_ANOTHER_AUTH)
def _round_complete(machine: Responder, driver: Driver) -> None:
    """R-20: IKE_AUTH response with IDr, CERT and AUTH; the initiator is to go on with another identity."""
    driver.answer_round()


@SMR_ANOTHER_AUTH.upon(Responder.eap_named).to(SMR_AUTH_RESPONSE_ID)
def _another_named(machine: Responder, driver: Driver) -> None:
    """R-21: the second IDi is the EAP identity; from here on as after R-05."""
    driver.ask_aaa()


@SMR_ANOTHER_AUTH.upon(Responder.eap_unnamed).to(SMR_AUTH_RESPONSE)
def _another_unnamed(machine: Responder, driver: Driver) -> None:
    """R-21: the EAP identity is to be asked for; from here on as after R-06."""
    driver.prove_first()


@SMR_ANOTHER_AUTH.upon(Responder.unconfigured).to(SM_DEAD)
def _another_unconfigured(machine: Responder, driver: Driver) -> None:
    """RE-18: no connection wants the second identity after the first one."""
    driver.answer_refusal()


@SMR_ANOTHER_AUTH.upon(Responder.out_of_turn).to(SM_DEAD)
def _another_out_of_turn(machine: Responder, driver: Driver) -> None:
    """RE-19: something else than a second identity."""
    driver.answer_refusal()


def _timeout(machine: Responder, driver: Driver) -> None:
    """RE-01: the initiator did not send its next request in time."""
    driver.dead()


def _peer_rejected_us(machine: Responder, driver: Driver) -> None:
    """RE-14: the initiator rejected us; answer empty."""
    driver.answer_empty()


def _malformed(machine: Responder, driver: Driver) -> None:
    """RE-16: answer N(INVALID_SYNTAX)."""
    driver.answer_refusal()


def _terminate(machine: Responder, driver: Driver) -> None:
    """IE-20: told to end."""
    driver.terminate()


SMR_INIT.upon(Responder.malformed).to(SM_DEAD)(_malformed)
for _listening in (SMR_AUTH, SMR_ANOTHER_AUTH, SMR_EAP_INITIATOR_REQUEST, SMR_EAP_DONE, SMR_EAP_FAILED):
    _listening.upon(Responder.timeout).to(SM_DEAD)(_timeout)
for _with_keys in (
    SMR_AUTH,
    SMR_AUTH_RESPONSE_ID,
    SMR_AUTH_RESPONSE,
    SMR_EAP_INITIATOR_REQUEST,
    SMR_EAP_AAA_REQUEST,
    SMR_EAP_DONE,
    SMR_EAP_FAILED,
    SMR_AUTH_FINALIZE,
    SMR_AUTH_DL_PEER,
    SMR_CFG_WAIT,
    SMR_ROUND_FINALIZE,
    SMR_ROUND_DL_PEER,
    SMR_ANOTHER_AUTH,
):
    _with_keys.upon(Responder.peer_rejected_us).to(SM_DEAD)(_peer_rejected_us)
    _with_keys.upon(Responder.malformed).to(SM_DEAD)(_malformed)
    _with_keys.upon(Responder.terminate).to(SM_TERMINATE)(_terminate)

ResponderMachine = builder.build()
