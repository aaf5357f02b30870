"""A data plane around another, which does all the work: for who wants to know what is installed and removed."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from ikegw.paths import Path
from ikegw.policy.shunts import Shunt
from ikegw.ports import DataPlane, DataPlaneEvent, Selectors, TunnelSa, Usage


class PlaneAround:
    """`ports.DataPlane` by `plane`."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    @property
    def description(self) -> str:
        """See `ports.DataPlane`."""
        return self._plane.description

    @property
    def device(self) -> str:
        """See `ports.DataPlane`."""
        return self._plane.device

    def start(self, listener: Callable[[DataPlaneEvent], None]) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.start(listener)

    def allocate_spi(self, path: Path) -> Deferred[bytes]:
        """See `ports.DataPlane`."""
        return self._plane.allocate_spi(path)

    def release_spi(self, spi: bytes) -> None:
        """See `ports.DataPlane`."""
        self._plane.release_spi(spi)

    def install(self, sa: TunnelSa) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.install(sa)

    def activate(self, inbound_spi: bytes) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.activate(inbound_spi)

    def move(self, inbound_spi: bytes, path: Path, udp_encapsulated: bool | None = None) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.move(inbound_spi, path, udp_encapsulated)

    def remove(self, inbound_spi: bytes, linger: float = 0.0) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        return self._plane.remove(inbound_spi, linger)

    def counts(self) -> Deferred[dict[str, int]]:
        """See `ports.DataPlane`."""
        return self._plane.counts()

    def usage(self, inbound_spi: bytes) -> Deferred[Usage]:
        """See `ports.DataPlane`."""
        return self._plane.usage(inbound_spi)

    def trap(self, name: str, local_selectors: Selectors, remote_selectors: Selectors) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.trap(name, local_selectors, remote_selectors)

    def untrap(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.untrap(name)

    def shunt(self, shunt: Shunt) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.shunt(shunt)

    def unshunt(self, name: str) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.unshunt(name)

    def stop(self) -> Deferred[None]:
        """See `ports.DataPlane`."""
        return self._plane.stop()
