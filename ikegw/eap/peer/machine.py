"""The EAP peer's machine: Figure 3 of RFC 4137, without the retransmissions that IKE does for it.

NO_METHOD is the figure's `methodState` NONE with `selectedMethod` NONE, METHOD is CONT, MAY_CONT and DONE are its own. In the
last two an EAP Success may be believed, in no other.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; what the method made of its turn comes back as an input."""

    def tell_identity(self) -> None:
        """Answer an Identity request."""

    def acknowledge(self) -> None:
        """Answer a Notification request."""

    def decline(self) -> None:
        """Answer with a NAK that names what we take part in."""

    def begin_method(self) -> None:
        """Make the requested method's peer, and give it the request; then tell what came of it."""

    def go_on(self) -> None:
        """Give the method the request; then tell what came of it."""

    def believe_success(self) -> None:
        """The method is complete: from now on an EAP Success may be believed."""

    def believe_no_success(self) -> None:
        """It is not, or no longer."""

    def refuse(self) -> None:
        """Answer that such a request may not come now."""


class Peer(Protocol):
    """The inputs: what is requested, and what the method says."""

    def identity_requested(self) -> None:
        """Type 1."""

    def notified(self) -> None:
        """Type 2."""

    def method_requested(self) -> None:
        """A method that we take part in, and that is not under way."""

    def other_requested(self) -> None:
        """A method that we do not take part in."""

    def continued(self) -> None:
        """The method that is under way."""

    def went_on(self) -> None:
        """The method has answered and needs more."""

    def may_end(self) -> None:
        """The method has answered, is complete, and might take more."""

    def completed(self) -> None:
        """The method has answered, and is complete."""

    def failed(self) -> None:
        """The method failed; it may have answered that."""


builder = TypeMachineBuilder(Peer, Driver)

NO_METHOD = builder.state("NO_METHOD")
METHOD = builder.state("METHOD")
MAY_CONT = builder.state("MAY_CONT")
DONE = builder.state("DONE")
FAILED = builder.state("FAILED")


@NO_METHOD.upon(Peer.identity_requested).loop()
def _identity(machine: Peer, driver: Driver) -> None:
    """IDENTITY: before any method, and as often as it is asked."""
    driver.tell_identity()


@NO_METHOD.upon(Peer.other_requested).loop()
def _nak(machine: Peer, driver: Driver) -> None:
    """GET_METHOD: not ours; the server is to choose another (RFC 3748 §5.3)."""
    driver.decline()


@NO_METHOD.upon(Peer.method_requested).to(METHOD)
def _begin(machine: Peer, driver: Driver) -> None:
    """GET_METHOD, METHOD: from here on there is no other one (RFC 3748 §2.1)."""
    driver.begin_method()


def _continue(machine: Peer, driver: Driver) -> None:
    """METHOD: the method's next round."""
    driver.go_on()


def _went_on(machine: Peer, driver: Driver) -> None:
    """METHOD: CONT."""
    driver.believe_no_success()


def _may_end(machine: Peer, driver: Driver) -> None:
    """METHOD: MAY_CONT, COND_SUCC."""
    driver.believe_success()


def _completed(machine: Peer, driver: Driver) -> None:
    """METHOD: DONE, UNCOND_SUCC."""
    driver.believe_success()


def _failed(machine: Peer, driver: Driver) -> None:
    """METHOD: DONE, FAIL."""
    driver.believe_no_success()


def _notified(machine: Peer, driver: Driver) -> None:
    """NOTIFICATION: for the operator (RFC 3748 §5.2)."""
    driver.acknowledge()


def _illegal(machine: Peer, driver: Driver) -> None:
    """DISCARD: what the figure passes over in silence would leave IKE waiting; the login ends."""
    driver.believe_no_success()
    driver.refuse()


for _state in (METHOD, MAY_CONT):
    _state.upon(Peer.continued).loop()(_continue)
    _state.upon(Peer.went_on).to(METHOD)(_went_on)
    _state.upon(Peer.may_end).to(MAY_CONT)(_may_end)
    _state.upon(Peer.completed).to(DONE)(_completed)
    _state.upon(Peer.failed).to(FAILED)(_failed)
for _state in (NO_METHOD, METHOD, MAY_CONT, DONE):
    _state.upon(Peer.notified).loop()(_notified)
for _state, _inputs in (
    (NO_METHOD, (Peer.continued,)),
    (METHOD, (Peer.identity_requested, Peer.method_requested, Peer.other_requested)),
    (MAY_CONT, (Peer.identity_requested, Peer.method_requested, Peer.other_requested)),
    (DONE, (Peer.identity_requested, Peer.method_requested, Peer.other_requested, Peer.continued)),
    (
        FAILED,
        (
            Peer.identity_requested,
            Peer.notified,
            Peer.method_requested,
            Peer.other_requested,
            Peer.continued,
        ),
    ),
):
    for _input in _inputs:
        _state.upon(_input).to(FAILED)(_illegal)

PeerMachine = builder.build()
