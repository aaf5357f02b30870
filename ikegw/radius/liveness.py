"""Whether a server is there: one machine for each port of a server (RFC 3539 §3.4, with Status-Server of RFC 5997)."""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises."""

    def ask_status(self) -> None:
        """Ask it with Status-Server; where it knows none, the requests in flight are the question."""

    def ask_no_more(self) -> None:
        """Its status is known."""

    def declare_dead(self) -> None:
        """Whoever can ask elsewhere is to do so; tell the operator; look again after a while."""

    def look_again(self) -> None:
        """Look again after a while."""

    def ask_status_of_dead(self) -> None:
        """As `ask_status`; where it knows none, tell `to_be_tried`."""

    def declare_alive(self) -> None:
        """It answers again: tell the operator."""

    def let_go(self) -> None:
        """Close every socket; whatever waits fails."""


class Liveness(Protocol):
    """The inputs."""

    def answered(self) -> None:
        """Something authentic came from it."""

    def unanswered(self) -> None:
        """A request waited in vain, and nothing else came since; or it cannot be reached."""

    def gave_up(self) -> None:
        """A request went unanswered for as often as it was sent, and nothing else came since."""

    def rested(self) -> None:
        """Time to look whether a dead one is back, or it can be reached again."""

    def to_be_tried(self) -> None:
        """Only requests can tell."""

    def close(self) -> None:
        """It is no longer ours to ask."""


builder = TypeMachineBuilder(Liveness, Driver)

ALIVE = builder.state("ALIVE")
SUSPECT = builder.state("SUSPECT")
DEAD = builder.state("DEAD")
DEAD_ASKED = builder.state("DEAD_ASKED")
CLOSED = builder.state("CLOSED")


@ALIVE.upon(Liveness.unanswered).to(SUSPECT)
@ALIVE.upon(Liveness.gave_up).to(SUSPECT)
def _doubt(machine: Liveness, driver: Driver) -> None:
    """Silence: make sure."""
    driver.ask_status()


@SUSPECT.upon(Liveness.answered).to(ALIVE)
def _believe(machine: Liveness, driver: Driver) -> None:
    """It was only slow, or a datagram was lost."""
    driver.ask_no_more()


@SUSPECT.upon(Liveness.gave_up).to(DEAD)
def _die(machine: Liveness, driver: Driver) -> None:
    """Silence to the end."""
    driver.ask_no_more()
    driver.declare_dead()


@DEAD.upon(Liveness.rested).to(DEAD_ASKED)
def _look(machine: Liveness, driver: Driver) -> None:
    """It may be back."""
    driver.ask_status_of_dead()


@DEAD_ASKED.upon(Liveness.gave_up).to(DEAD)
def _stay_dead(machine: Liveness, driver: Driver) -> None:
    """It is not."""
    driver.ask_no_more()
    driver.look_again()


@DEAD.upon(Liveness.answered).to(ALIVE)
@DEAD_ASKED.upon(Liveness.answered).to(ALIVE)
def _revive(machine: Liveness, driver: Driver) -> None:
    """It is back."""
    driver.ask_no_more()
    driver.declare_alive()


@DEAD_ASKED.upon(Liveness.to_be_tried).to(ALIVE)
def _try_it(machine: Liveness, driver: Driver) -> None:
    """The next requests will show."""


@ALIVE.upon(Liveness.answered).loop()
@SUSPECT.upon(Liveness.unanswered).loop()
@DEAD.upon(Liveness.unanswered).loop()
@DEAD.upon(Liveness.gave_up).loop()
@DEAD_ASKED.upon(Liveness.unanswered).loop()
@ALIVE.upon(Liveness.rested).loop()
@SUSPECT.upon(Liveness.rested).loop()
@DEAD_ASKED.upon(Liveness.rested).loop()
def _as_expected(machine: Liveness, driver: Driver) -> None:
    """Nothing new."""


@ALIVE.upon(Liveness.to_be_tried).loop()
@SUSPECT.upon(Liveness.to_be_tried).loop()
@DEAD.upon(Liveness.to_be_tried).loop()
def _overtaken(machine: Liveness, driver: Driver) -> None:
    """Cannot be: what would tell this was stopped before."""


def _end(machine: Liveness, driver: Driver) -> None:
    """Whether it lives is no longer of interest."""
    driver.ask_no_more()
    driver.let_go()


for _state in (ALIVE, SUSPECT, DEAD, DEAD_ASKED):
    _state.upon(Liveness.close).to(CLOSED)(_end)


@CLOSED.upon(Liveness.answered).loop()
@CLOSED.upon(Liveness.unanswered).loop()
@CLOSED.upon(Liveness.gave_up).loop()
@CLOSED.upon(Liveness.rested).loop()
@CLOSED.upon(Liveness.to_be_tried).loop()
@CLOSED.upon(Liveness.close).loop()
def _of_no_interest(machine: Liveness, driver: Driver) -> None:
    """Whatever it is."""


LivenessMachine = builder.build()
