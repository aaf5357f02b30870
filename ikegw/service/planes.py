"""Which data plane carries the packets: the kernel where it can, else the process of our own, or what is configured."""

import os
from collections.abc import Callable
from typing import Any, Final

from ikegw.config import Config
from ikegw.config.settings import DataPlaneChoice
from ikegw.crypto.suites import EspSuite
from ikegw.crypto.transforms import ENCRYPTIONS
from ikegw.dataplane.userspace.client import UserspacePlane
from ikegw.dataplane.xfrm.plane import XfrmPlane
from ikegw.dataplane.xfrm.probing import Abilities, probe
from ikegw.net.sockets import IkeSocket
from ikegw.net.transport import Received
from ikegw.policy.carriage import PLAIN
from ikegw.service.assembly import Plane

WORKER = 0
"""The number of this process, the first octet of every SPI that it chooses."""

_USUAL: Final = EspSuite(next(one for one in ENCRYPTIONS if one.aead), None)


class CannotCarry(Exception):
    """No data plane can do what is configured; `problems` has a line for each reason."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def choose_plane(
    reactor: Any,
    config: Config,
    sockets: tuple[IkeSocket, ...],
    received: Received,
    lost: Callable[[str], None],
    probe: Callable[..., Abilities] = probe,
) -> Plane:
    """Make the data plane that is configured, or that this kernel allows (`assembly.MakePlane`); CannotCarry."""
    choice, special = config.data_plane.choice, _in_need_of_the_kernel(config)
    if choice is DataPlaneChoice.USERSPACE:
        if special:
            raise CannotCarry(_needs(config, special, 'data_plane.kind is "userspace"'))
        return _userspace(reactor, config, sockets, received, lost, "as configured")
    found = probe(_offered(config), sorted({each.endpoint.address.version for each in sockets}))
    if choice is DataPlaneChoice.KERNEL:
        if found.why_not:
            raise CannotCarry(
                f'{config.path}: data_plane.kind: "kernel" is not possible: {found.why_not}; '
                'else write "userspace" or "auto"'
            )
        return _kernel(reactor, config, sockets, found, "as configured")
    why_not = found.why_not or (f"it lacks {', '.join(found.lacking)}" if found.lacking else "")
    if special and not found.why_not:
        return _kernel(reactor, config, sockets, found, "auto: some children need it")
    if special:
        raise CannotCarry(_needs(config, special, f"the kernel cannot: {why_not}"))
    if why_not:
        return _userspace(
            reactor, config, sockets, received, lost, f"auto, since the kernel cannot: {why_not}"
        )
    return _kernel(reactor, config, sockets, found, "auto: the kernel can do all that is offered")


def _userspace(
    reactor: Any,
    config: Config,
    sockets: tuple[IkeSocket, ...],
    received: Received,
    lost: Callable[[str], None],
    why: str,
) -> Plane:
    settings = config.data_plane
    pairs = [(each.endpoint, each.socket) for each in sockets if each.is_nat_t]
    plane = UserspacePlane(reactor, pairs, received, os.urandom, settings.tun, settings.mtu, WORKER, lost)
    return Plane(plane, "userspace", reads_nat_t=True, why=why)


def _kernel(
    reactor: Any, config: Config, sockets: tuple[IkeSocket, ...], found: Abilities, why: str
) -> Plane:
    settings = config.data_plane
    every = [(each.endpoint, each.socket) for each in sockets]
    nat_t = [(each.endpoint, each.socket) for each in sockets if each.is_nat_t]
    note = f"it lacks {', '.join(found.lacking)}" if found.lacking else ""
    plane = XfrmPlane(reactor, every, nat_t, os.urandom, settings.tun, settings.mtu, WORKER, note)
    return Plane(plane, "kernel", reads_nat_t=False, why=why)


def _offered(config: Config) -> tuple[EspSuite, ...]:
    """Every pair of cipher and integrity that a child may come to, of one key length each."""
    suites = [
        EspSuite(encryption, None if encryption.aead else integrity)
        for connection in config.connections
        for child in connection.children
        for offer in child.proposals
        for encryption in offer.encryptions
        for integrity in (offer.integrities or (None,))
    ]
    by_algorithm = {(suite.encryption.kernel_name, suite.integrity): suite for suite in suites or [_USUAL]}
    return tuple(by_algorithm.values())


def _in_need_of_the_kernel(config: Config) -> list[str]:
    return [
        f"{connection.name}.{child.name}"
        for connection in config.connections
        for child in connection.children
        if child.carriage != PLAIN
    ]


def _needs(config: Config, children: list[str], why: str) -> str:
    return (
        f"{config.path}: {', '.join(children)}: only the kernel has transport mode, marks, xfrm interfaces, padding and offload, "
        f"but {why}"
    )
