"""What no data plane installs: refused before anything is touched, with a sentence that says what was wanted."""

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.policy.carriage import PLAIN
from ikegw.ports import DataPlaneError, Selectors, TunnelSa

SPI_OCTETS = 4

QUIET_SECONDS = 2.0
"""How long a trap that has told of a packet tells of no other."""


def check_installable(sa: TunnelSa) -> None:
    """DataPlaneError unless SPIs, key lengths and selectors could belong to an ESP SA."""
    for which, spi in (("inbound", sa.inbound_spi), ("outbound", sa.outbound_spi)):
        if len(spi) != SPI_OCTETS or int.from_bytes(spi, "big") == 0:
            raise DataPlaneError(
                f"{sa.name}: an {which} SPI is 4 octets and not zero, got {spi.hex() or 'nothing'}"
            )
    if not sa.local_selectors or not sa.remote_selectors:
        raise DataPlaneError(f"{sa.name}: an SA needs local and remote selectors, got none of one of them")
    if sa.path.local.address.version != sa.path.remote.address.version:
        raise DataPlaneError(f"{sa.name}: both ends of a path are of one address family, got {sa.path}")
    check_keys(sa.name, sa.suite, sa.inbound_keys)
    check_keys(sa.name, sa.suite, sa.outbound_keys)


def check_plain(sa: TunnelSa, kind: str) -> None:
    """DataPlaneError where only the kernel could do what is wanted."""
    if sa.carriage != PLAIN:
        raise DataPlaneError(
            f"{sa.name}: the {kind} data plane carries plain tunnels only, without marks, xfrm interfaces, padding or offload; "
            'see data_plane.kind = "kernel"'
        )


def check_trap(name: str, local_selectors: Selectors, remote_selectors: Selectors) -> None:
    """DataPlaneError unless there are selectors on both sides."""
    if not local_selectors or not remote_selectors:
        raise DataPlaneError(f"{name}: a trap needs local and remote selectors, got none of one of them")


def check_keys(name: str, suite: EspSuite, keys: ChildKeys) -> None:
    """DataPlaneError unless the keys have the lengths that the suite demands; says lengths, never octets."""
    cipher = suite.encryption
    wanted = (cipher.key_octets + cipher.salt_octets, suite.integrity.key_octets if suite.integrity else 0)
    got = (len(keys.encryption), len(keys.integrity))
    if got != wanted:
        raise DataPlaneError(
            f"{name}: {suite} takes keys of {wanted[0]} and {wanted[1]} octets, got {got[0]} and {got[1]}"
        )
