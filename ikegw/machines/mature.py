"""The common part of an IKE SA, once established: Figure 6 (requests) and Figure 7 (responses), and the orderly end of Figure 3.

The initiator's and the responder's machines hand over here at SM_MATURE, or at SM_TERMINATE when a half-made
IKE SA is to be ended.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def request_delete(self) -> None:
        """Send INFORMATIONAL {D(IKE)}, or {N(AUTHENTICATION_FAILED)} if the peer proved false.

        Without keys nothing can be sent: then tell `nothing_to_send`.
        """

    def dead(self) -> None:
        """End the IKE SA: the one place of row IE-21."""


class Mature(Protocol):
    """The inputs."""

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
SM_TERMINATE = builder.state("SM_TERMINATE")
SM_DYING = builder.state("SM_DYING")
SM_DEAD = builder.state("SM_DEAD")


def _terminate(machine: Mature, driver: Driver) -> None:
    """Q-24: told to end; on to SM_TERMINATE's entry."""
    machine.enter_terminate()


SM_MATURE.upon(Mature.terminate).to(SM_TERMINATE)(_terminate)


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


def _peer_deleted(machine: Mature, driver: Driver) -> None:
    """P-01, IE-18, K-12: the peer's DELETE is answered and ends it."""
    driver.dead()


def _malformed(machine: Mature, driver: Driver) -> None:
    """P-10: INVALID_SYNTAX is fatal for both; no DELETE is needed."""
    driver.dead()


def _timeout(machine: Mature, driver: Driver) -> None:
    """Q-25, Q-27, IE-17: the peer is gone."""
    driver.dead()


for _alive in (SM_MATURE, SM_DYING):
    _alive.upon(Mature.peer_deleted).to(SM_DEAD)(_peer_deleted)
    _alive.upon(Mature.malformed).to(SM_DEAD)(_malformed)
SM_MATURE.upon(Mature.timeout).to(SM_DEAD)(_timeout)
SM_DYING.upon(Mature.timeout).to(SM_DEAD)(_timeout)

MatureMachine = builder.build()
