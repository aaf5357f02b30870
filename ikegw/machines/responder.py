"""The IKE SA responder: Figure 4, and its errors: Figure 5.

It is made once the gate has let an IKE_SA_INIT request in (rows D-01, D-03). It ends in SM_MATURE or SM_TERMINATE, from where
`mature.py` goes on, or in SM_DEAD.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def answer_ike_sa_init(self) -> None:
        """Send the IKE_SA_INIT response and start the half-open timer."""

    def answer_refusal(self) -> None:
        """Send the refusal that was prepared, protected if there are keys; then end the IKE SA (row IE-21)."""

    def finalize(self) -> None:
        """Go on with the first step that is not finished: verify, prove, configure, make the child; then tell what comes next."""

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

    def unconfigured(self) -> None:
        """Reason 1: no connection fits the identities."""

    def method_not_allowed(self) -> None:
        """Reason 2: the initiator asks for a method that is not supported or not allowed."""

    def no_own_material(self) -> None:
        """Reason 3: we have nothing to prove ourselves with."""

    def not_authentic(self) -> None:
        """Reason 4: the initiator's AUTH, identity or certificate does not hold."""

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
SMR_AUTH_FINALIZE = builder.state("SMR_AUTH_FINALIZE")
SMR_CFG_WAIT = builder.state("SMR_CFG_WAIT")
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


@SMR_AUTH_FINALIZE.upon(Responder.no_own_material).to(SM_DEAD)
def _no_own_material(machine: Responder, driver: Driver) -> None:
    """RE-04: reason 3, no authentication material for ourselves."""
    driver.answer_refusal()


@SMR_AUTH_FINALIZE.upon(Responder.not_authentic).to(SM_DEAD)
def _not_authentic(machine: Responder, driver: Driver) -> None:
    """RE-05: reason 4, the initiator's authentication failed."""
    driver.answer_refusal()


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
SMR_AUTH.upon(Responder.timeout).to(SM_DEAD)(_timeout)
for _with_keys in (SMR_AUTH, SMR_AUTH_FINALIZE, SMR_CFG_WAIT):
    _with_keys.upon(Responder.peer_rejected_us).to(SM_DEAD)(_peer_rejected_us)
    _with_keys.upon(Responder.malformed).to(SM_DEAD)(_malformed)
    _with_keys.upon(Responder.terminate).to(SM_TERMINATE)(_terminate)

ResponderMachine = builder.build()
