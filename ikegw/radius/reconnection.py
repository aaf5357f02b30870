"""Whether there is a connection to a RADIUS server over TLS: one machine for each that we want to have.

Not Twisted's `ClientService`: it takes a connection for made before TLS is, and a handshake that fails is beyond its states.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises."""

    def connect(self) -> None:
        """Begin; tell `secured` or `failed`."""

    def wait(self) -> None:
        """Tell `begin` after a while that grows with each failure."""

    def abort(self) -> None:
        """End the connection, or the attempt, at once; there may be none."""

    def carry(self) -> None:
        """What has no answer yet is to be sent."""


class Reconnection(Protocol):
    """The inputs."""

    def begin(self) -> None:
        """Time to connect."""

    def secured(self) -> None:
        """The TLS handshake is complete, and the server is who it should be."""

    def failed(self) -> None:
        """There is no connection, or no longer."""

    def renew(self) -> None:
        """The server is silent."""

    def close(self) -> None:
        """Nobody wants the connection any more."""


builder = TypeMachineBuilder(Reconnection, Driver)

WAITING = builder.state("WAITING")
CONNECTING = builder.state("CONNECTING")
CONNECTED = builder.state("CONNECTED")
CLOSED = builder.state("CLOSED")


@WAITING.upon(Reconnection.begin).to(CONNECTING)
def _begin(machine: Reconnection, driver: Driver) -> None:
    """The first time, or once more."""
    driver.connect()


@CONNECTING.upon(Reconnection.secured).to(CONNECTED)
def _secured(machine: Reconnection, driver: Driver) -> None:
    """At last."""
    driver.carry()


@CONNECTING.upon(Reconnection.failed).to(WAITING)
@CONNECTED.upon(Reconnection.failed).to(WAITING)
def _again(machine: Reconnection, driver: Driver) -> None:
    """Servers restart, and close what is idle."""
    driver.wait()


@CONNECTED.upon(Reconnection.renew).to(WAITING)
def _renew(machine: Reconnection, driver: Driver) -> None:
    """A connection whose other end is gone looks like one whose other end is silent (RFC 6613 §2.6.1)."""
    driver.abort()
    driver.wait()


@WAITING.upon(Reconnection.renew).loop()
@CONNECTING.upon(Reconnection.renew).loop()
@WAITING.upon(Reconnection.failed).loop()
def _under_way(machine: Reconnection, driver: Driver) -> None:
    """That is what is being done."""


def _close(machine: Reconnection, driver: Driver) -> None:
    """For good."""
    driver.abort()


for _state in (WAITING, CONNECTING, CONNECTED):
    _state.upon(Reconnection.close).to(CLOSED)(_close)


@CLOSED.upon(Reconnection.begin).loop()
@CLOSED.upon(Reconnection.secured).loop()
@CLOSED.upon(Reconnection.failed).loop()
@CLOSED.upon(Reconnection.renew).loop()
@CLOSED.upon(Reconnection.close).loop()
def _of_no_interest(machine: Reconnection, driver: Driver) -> None:
    """Whatever it is."""


@WAITING.upon(Reconnection.secured).loop()
@CONNECTING.upon(Reconnection.begin).loop()
@CONNECTED.upon(Reconnection.begin).loop()
@CONNECTED.upon(Reconnection.secured).loop()
def _overtaken(machine: Reconnection, driver: Driver) -> None:
    """Cannot be: what would tell this was stopped before."""


ReconnectionMachine = builder.build()
