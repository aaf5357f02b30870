"""The authenticator's machine: Figure 4 of RFC 4137 for one that stands alone, without the retransmissions that IKE does for it.

IDENTITY waits for who it is; PROPOSED has asked in a method that the peer may decline; in METHOD it may not any more.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; what the method made of its turn comes back as an input."""

    def propose(self) -> None:
        """Begin the method that was chosen; then tell what came of it."""

    def judge(self) -> None:
        """Give the method the response; then tell what came of it."""

    def accept(self) -> None:
        """Answer that the peer is let in."""

    def reject(self) -> None:
        """Answer that it is not."""


class Authenticator(Protocol):
    """The inputs: what the peer responds, and what the method says."""

    def identified(self) -> None:
        """An Identity, and there is a method to propose."""

    def declined(self) -> None:
        """A NAK, and there is another method to propose."""

    def responded(self) -> None:
        """A response in the method that was proposed."""

    def unacceptable(self) -> None:
        """Any other response, or one that nothing can be made of; a NAK with which nothing is left to propose."""

    def passed(self) -> None:
        """The method says that the peer is who it says."""

    def refused(self) -> None:
        """The method says that it is not."""


builder = TypeMachineBuilder(Authenticator, Driver)

IDENTITY = builder.state("IDENTITY")
PROPOSED = builder.state("PROPOSED")
METHOD = builder.state("METHOD")
SUCCESS = builder.state("SUCCESS")
FAILURE = builder.state("FAILURE")


@IDENTITY.upon(Authenticator.identified).to(PROPOSED)
def _identified(machine: Authenticator, driver: Driver) -> None:
    """SELECT_ACTION, PROPOSE_METHOD: the first that is configured."""
    driver.propose()


@PROPOSED.upon(Authenticator.declined).loop()
def _declined(machine: Authenticator, driver: Driver) -> None:
    """NAK, PROPOSE_METHOD: one that the peer would take."""
    driver.propose()


def _responded(machine: Authenticator, driver: Driver) -> None:
    """INTEGRITY_CHECK, METHOD_RESPONSE: from here on there is no other method (RFC 3748 §2.1)."""
    driver.judge()


def _passed(machine: Authenticator, driver: Driver) -> None:
    """SUCCESS."""
    driver.accept()


def _refused(machine: Authenticator, driver: Driver) -> None:
    """FAILURE."""
    driver.reject()


PROPOSED.upon(Authenticator.responded).to(METHOD)(_responded)
METHOD.upon(Authenticator.responded).loop()(_responded)
METHOD.upon(Authenticator.passed).to(SUCCESS)(_passed)
for _state, _inputs in (
    (IDENTITY, (Authenticator.declined, Authenticator.responded, Authenticator.unacceptable)),
    (PROPOSED, (Authenticator.identified, Authenticator.unacceptable, Authenticator.refused)),
    (
        METHOD,
        (
            Authenticator.identified,
            Authenticator.declined,
            Authenticator.unacceptable,
            Authenticator.refused,
        ),
    ),
    (
        SUCCESS,
        (
            Authenticator.identified,
            Authenticator.declined,
            Authenticator.responded,
            Authenticator.unacceptable,
        ),
    ),
    (
        FAILURE,
        (
            Authenticator.identified,
            Authenticator.declined,
            Authenticator.responded,
            Authenticator.unacceptable,
        ),
    ),
):
    for _input in _inputs:
        _state.upon(_input).to(FAILURE)(_refused)

AuthenticatorMachine = builder.build()
