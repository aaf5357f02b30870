"""What the kernel sends over NETLINK_XFRM, as values. Octets that cannot be that are a `BadMessage`, and nothing else."""

import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6
from struct import Struct
from typing import Final

from ikegw.dataplane import netlink
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.values import (
    Acquire,
    Expired,
    Mapping,
    PacketSelector,
    PolicyReport,
    Replay,
    StateId,
    StateReport,
    Told,
)
from ikegw.paths import Address
from ikegw.policy.carriage import Mark, Mode


class BadMessage(Exception):
    """A message that is too short, or says what cannot be; the text says which and what."""


_SELECTOR: Final = Struct("=16s16s2s2s2s2sHBBB3xiL")
_STATE: Final = Struct("=56s16s4sB3x16s64sQQQQLLLLLHBBB7x")
_POLICY: Final = Struct("=56s64sQQQQLLBBBB4x")
_ACQUIRE: Final = Struct("=16s4sB3x16s56s168s12xL")
_MAPPING: Final = Struct("=16s4sHB1xL16s16s2s2s")
_MODES: Final = {number: mode for mode, number in encoding.MODES.items()}
_PORTS: Final = 0xFFFF


def decode(answer: netlink.Answer) -> Told | None:
    """The value of a message, None if it is of a kind that we do not ask for; BadMessage."""
    reader = _READERS.get(answer.kind)
    if reader is None:
        return None
    try:
        return reader(answer.body)
    except (struct.error, ValueError, IndexError) as error:
        raise BadMessage(
            f"a message of type {answer.kind} with {len(answer.body)} octets: {error}"
        ) from error


_FAMILY_OF_SELECTOR: Final = slice(40, 42)
"""An SA that selects nothing has none there, though what waits for one may have prefix lengths all the same."""


def _state(octets: bytes) -> StateReport:
    (
        packets, destination, spi, _, source, _, carried, count, _, _, _, replays, forgeries, _, reqid, family, mode, _, _,
    ) = _STATE.unpack_from(octets)  # fmt: skip
    found = _attributes(octets, _STATE.size)
    last_used = found.get(encoding.LASTUSED)
    return StateReport(
        StateId(_address(family, source), _address(family, destination), spi, _mark(found)),
        reqid,
        carried,
        count,
        replays,
        forgeries,
        _replay(found),
        None if last_used is None else struct.unpack("=Q", last_used)[0],
        _selector(packets) if any(packets[_FAMILY_OF_SELECTOR]) else None,
        _MODES.get(mode, Mode.TUNNEL),
    )


def _replay(found: dict[int, bytes]) -> Replay:
    wide, narrow = found.get(encoding.REPLAY_ESN_VAL), found.get(encoding.REPLAY_VAL)
    if wide is not None:
        _, sent, received, sent_high, received_high, _ = encoding.REPLAY_STATE.unpack_from(wide)
        bitmap = wide[encoding.REPLAY_STATE.size :]
        return Replay(sent_high << 32 | sent, received_high << 32 | received, bitmap)
    if narrow is not None:
        sent, received = struct.unpack_from("=LL", narrow)
        return Replay(sent, received, narrow[8:12])
    return Replay()


def _policy(octets: bytes) -> PolicyReport:
    packets, _, _, _, _, used, priority, index, direction, _, _, _ = _POLICY.unpack_from(octets)
    found = _attributes(octets, _POLICY.size)
    if_id = found.get(encoding.IF_ID)
    return PolicyReport(
        direction,
        _selector(packets),
        index,
        priority,
        _reqids(found),
        used,
        0 if if_id is None else struct.unpack("=L", if_id)[0],
        _mark(found),
    )


def _reqids(found: dict[int, bytes]) -> tuple[int, ...]:
    octets, size = found.get(encoding.TMPL, b""), encoding.TEMPLATE.size
    return tuple(
        encoding.TEMPLATE.unpack_from(octets, at)[5] for at in range(0, len(octets) // size * size, size)
    )


def _expired(octets: bytes) -> Expired:
    return Expired(_state(octets[: _STATE.size]), bool(octets[_STATE.size]))


def _acquire(octets: bytes) -> Acquire:
    destination, _, _, source, packets, _, sequence = _ACQUIRE.unpack_from(octets)
    found = _attributes(octets, _ACQUIRE.size)
    reqids = _reqids(found)
    template = encoding.TEMPLATE.unpack_from(found.get(encoding.TMPL, b""))
    family = template[3]
    return Acquire(
        reqids[0], _selector(packets), sequence, _address(family, source), _address(family, destination)
    )


def _mapping(octets: bytes) -> Mapping:
    local, spi, family, _, reqid, _, remote, _, port = _MAPPING.unpack_from(octets)
    return Mapping(spi, _address(family, local), reqid, _address(family, remote), int.from_bytes(port, "big"))


_READERS: Final[dict[int, Callable[[bytes], Told]]] = {
    encoding.NEWSA: _state,
    encoding.NEWPOLICY: _policy,
    encoding.EXPIRE: _expired,
    encoding.ACQUIRE: _acquire,
    encoding.MAPPING: _mapping,
}


def _selector(octets: bytes) -> PacketSelector:
    (
        destination, source, target, target_mask, port, port_mask, family, destination_length, source_length, protocol, _, _,
    ) = _SELECTOR.unpack(octets)  # fmt: skip
    size = _size(family)
    return PacketSelector(
        4 if size == 4 else 6,
        source[:size],
        source_length,
        destination[:size],
        destination_length,
        protocol,
        (int.from_bytes(port, "big"), int.from_bytes(port_mask, "big")),
        (int.from_bytes(target, "big"), int.from_bytes(target_mask, "big")),
    )


def _size(family: int) -> int:
    if family not in (AF_INET, AF_INET6):
        raise ValueError(f"address family {family}")
    return 4 if family == AF_INET else 16


def _address(family: int, octets: bytes) -> Address:
    return _cached(octets[: _size(family)])


@lru_cache(4096)
def _cached(octets: bytes) -> Address:
    return IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets)


def _attributes(octets: bytes, at: int) -> dict[int, bytes]:
    return dict(netlink.attributes(octets[at:]))


def _mark(found: dict[int, bytes]) -> Mark | None:
    octets = found.get(encoding.MARK)
    if octets is None:
        return None
    value, mask = struct.unpack("=LL", octets)
    return Mark(value, mask) if mask else None
