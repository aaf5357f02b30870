"""NETLINK_XFRM messages as octets, laid out as in linux/xfrm.h: what `ip xfrm` sends for the same."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6
from struct import Struct
from typing import Final

from ikegw.crypto.transforms import Encryption, Integrity
from ikegw.dataplane.netlink import ACK, DUMP, attribute, number
from ikegw.dataplane.xfrm.values import Lifetime, PacketSelector, Policy, Replay, State, StateId, Template
from ikegw.paths import Address
from ikegw.policy.carriage import Mark, Mode, Offload

Request = tuple[int, int, bytes]
"""Type, flags besides NLM_F_REQUEST, body."""

(
    NEWSA, DELSA, GETSA, NEWPOLICY, DELPOLICY, GETPOLICY, ALLOCSPI, ACQUIRE, EXPIRE, UPDPOLICY, UPDSA,
) = range(16, 27)  # fmt: skip
MAPPING: Final = 38
(
    ALG_AUTH, ALG_CRYPT, ALG_COMP, ENCAP, TMPL, SA, POLICY, SEC_CTX, LTIME_VAL, REPLAY_VAL, REPLAY_THRESH, ETIMER_THRESH,
    SRCADDR, COADDR, LASTUSED, POLICY_TYPE, MIGRATE, ALG_AEAD, KMADDRESS, ALG_AUTH_TRUNC, MARK, TFCPAD, REPLAY_ESN_VAL,
    SA_EXTRA_FLAGS, PROTO, ADDRESS_FILTER, PAD, OFFLOAD_DEV, SET_MARK, SET_MARK_MASK, IF_ID, MTIMER_THRESH,
) = range(1, 33)  # fmt: skip
ESP: Final = 50
MODES: Final = {Mode.TRANSPORT: 0, Mode.TUNNEL: 1}

SELECTOR: Final = Struct("=16s16s4s4sHBBB3xiL")
STATE_ID: Final = Struct("=16s4sHBx")
LIFETIME: Final = Struct("=8Q")
CURRENT: Final = Struct("=4Q")
STATE: Final = Struct("=56s16s4sB3x16s64s32xLLLLLHBBB7x")
POLICY_INFO: Final = Struct("=56s64s32xLLBBBB4x")
POLICY_ID: Final = Struct("=56sLB3x")
TEMPLATE: Final = Struct("=16s4sB3xH2x16sLBBBxLLL")
_ENCAP: Final = Struct("=H2s2s2x16x")
_NAMED_KEY: Final = Struct("=64sL")
_NAMED_KEY_CUT: Final = Struct("=64sLL")
REPLAY_STATE: Final = Struct("=LLLLLL")
_OFFLOAD: Final = Struct("=iB3x")
_PAIR: Final = Struct("=LL")
_FLAG_AF_UNSPEC, _FLAG_ESN = 32, 128
_DONT_COPY_DSCP: Final = 1
_ESP_IN_UDP: Final = 2
_INBOUND, _WHOLE_PACKETS = 2, 4
_ANYWHERE: Final = bytes(16)
_NO_SELECTOR: Final = bytes(SELECTOR.size)
_ALL: Final = 0xFFFFFFFF
_UNLIMITED: Final = (1 << 64) - 1
_NEVER: Final = LIFETIME.pack(*(_UNLIMITED,) * 4, 0, 0, 0, 0)


def family_of(address: Address) -> int:
    """The kernel's number for IPv4 or IPv6."""
    return AF_INET if address.version == 4 else AF_INET6


@lru_cache(4096)
def _packed(address: IPv4Address | IPv6Address) -> bytes:
    return address.packed.ljust(16, b"\0")


# ------------------------------------------------------------ SAs


def add_state(state: State) -> Request:
    """Install an SA; EEXIST if there is one of that SPI already."""
    return NEWSA, ACK, _state(state)


def update_state(state: State) -> Request:
    """Give an SA other UDP ports or limits."""
    return UPDSA, ACK, _state(state)


def delete_state(which: StateId) -> Request:
    """Remove an SA; ESRCH if there is none."""
    return DELSA, ACK, _state_id(which)


def get_state(which: StateId) -> Request:
    """Ask for an SA; ESRCH if there is none."""
    return GETSA, 0, _state_id(which)


def dump_states() -> Request:
    """Ask for all SAs."""
    return GETSA, DUMP, bytes(STATE.size)


def allocate_spi(
    source: Address, destination: Address, reqid: int, sequence: int, spis: range, if_id: int = 0
) -> Request:
    """Give what waits for an SA one of the SPIs, so that it can be named; or reserve one."""
    destination_spi = (_packed(destination), bytes(4), ESP)
    tail = (0, 0, 0, sequence, reqid, family_of(destination), MODES[Mode.TUNNEL], 0, 0)
    body = STATE.pack(_NO_SELECTOR, *destination_spi, _packed(source), bytes(64), *tail)
    spi_range = _PAIR.pack(spis[0], spis[-1])
    return ALLOCSPI, 0, body + spi_range + (number(IF_ID, if_id) if if_id else b"")


def _state_id(which: StateId) -> bytes:
    body = STATE_ID.pack(_packed(which.destination), which.spi, family_of(which.destination), ESP)
    return body + attribute(SRCADDR, _packed(which.source)) + _mark(which.mark)


def _state(state: State) -> bytes:
    own, esn = state.id, state.suite.esn
    flags = (_FLAG_AF_UNSPEC if state.mode is Mode.TUNNEL else 0) | (_FLAG_ESN if esn else 0)
    wide = esn or state.window > 32
    info = STATE.pack(
        _NO_SELECTOR,
        _packed(own.destination),
        own.spi,
        ESP,
        _packed(own.source),
        _lifetime(state.lifetime),
        *(0, 0, 0, 0, state.reqid, family_of(own.destination), MODES[state.mode]),
        0 if wide else state.window,
        flags,
    )
    parts = [info, _algorithms(state), _mark(own.mark)]
    if wide:
        parts.append(_replay(state.window, state.replay, esn))
    elif state.replay != Replay():
        parts.append(attribute(REPLAY_VAL, _narrow(state.replay)))
    parts.append(_encapsulation(state))
    if state.tfc_padding:
        parts.append(number(TFCPAD, state.tfc_padding))
    if state.offload is not Offload.NO:
        kind = _WHOLE_PACKETS if state.offload is Offload.PACKET else 0
        inbound = _INBOUND if state.inbound else 0
        parts.append(attribute(OFFLOAD_DEV, _OFFLOAD.pack(state.device, kind | inbound)))
    if state.if_id:
        parts.append(number(IF_ID, state.if_id))
    if state.output_mark is not None:
        parts += (number(SET_MARK, state.output_mark.value), number(SET_MARK_MASK, state.output_mark.mask))
    return b"".join(parts)


def _lifetime(lifetime: Lifetime) -> bytes:
    return LIFETIME.pack(
        lifetime.soft_octets,
        lifetime.hard_octets,
        lifetime.soft_packets,
        lifetime.hard_packets,
        0,
        lifetime.hard_seconds,
        0,
        0,
    )


def _encapsulation(state: State) -> bytes:
    if state.encapsulation is None:
        return b""
    source, destination = (port.to_bytes(2, "big") for port in state.encapsulation)
    told = number(MTIMER_THRESH, state.mapping_seconds) if state.mapping_seconds else b""
    return attribute(ENCAP, _ENCAP.pack(_ESP_IN_UDP, source, destination)) + told


def _algorithms(state: State) -> bytes:
    encryption, integrity, keys = state.suite.encryption, state.suite.integrity, state.keys
    if integrity is None:
        key = _NAMED_KEY_CUT.pack(_name(encryption), len(keys.encryption) * 8, encryption.icv_octets * 8)
        return attribute(ALG_AEAD, key + keys.encryption)
    mac = _NAMED_KEY_CUT.pack(_name(integrity), len(keys.integrity) * 8, integrity.icv_octets * 8)
    cipher = _NAMED_KEY.pack(_name(encryption), len(keys.encryption) * 8)
    return attribute(ALG_AUTH_TRUNC, mac + keys.integrity) + attribute(ALG_CRYPT, cipher + keys.encryption)


def _name(algorithm: Encryption | Integrity) -> bytes:
    return algorithm.kernel_name.encode()


def _replay(window: int, replay: Replay, esn: bool) -> bytes:
    words = (window + 31) // 32
    shift = 32 if esn else 0
    counters = (
        replay.sent & _ALL,
        replay.received & _ALL,
        replay.sent >> 32 if shift else 0,
        replay.received >> 32 if shift else 0,
    )
    bitmap = replay.bitmap and replay.bitmap[: 4 * words].ljust(4 * words, b"\0")
    return attribute(REPLAY_ESN_VAL, REPLAY_STATE.pack(words, *counters, window) + bitmap)


def _narrow(replay: Replay) -> bytes:
    """A window of 32 or none; its bits are counted from the highest sequence number down."""
    bitmap = replay.bitmap[:4].ljust(4, b"\0")
    return _PAIR.pack(replay.sent & _ALL, replay.received & _ALL) + bitmap


def _mark(mark: Mark | None) -> bytes:
    return b"" if mark is None else attribute(MARK, _PAIR.pack(mark.value, mark.mask))


# ------------------------------------------------------------ policies


def add_policy(policy: Policy) -> Request:
    """Install a policy; EEXIST if there is one for the same packets."""
    return NEWPOLICY, ACK, _policy(policy)


def set_policy(policy: Policy) -> Request:
    """Install a policy, at once in place of one for the same packets."""
    return UPDPOLICY, ACK, _policy(policy)


def delete_policy(policy: Policy) -> Request:
    """Remove a policy; ENOENT if there is none."""
    return DELPOLICY, ACK, _policy_id(policy)


def delete_policy_numbered(direction: int, index: int, if_id: int, mark: Mark | None) -> Request:
    """Remove a policy by the number that the kernel gave it."""
    body = POLICY_ID.pack(_NO_SELECTOR, index, direction)
    return DELPOLICY, ACK, body + _mark(mark) + (number(IF_ID, if_id) if if_id else b"")


def get_policy(policy: Policy) -> Request:
    """Ask for a policy; ENOENT if there is none."""
    return GETPOLICY, 0, _policy_id(policy)


def dump_policies() -> Request:
    """Ask for all policies."""
    return GETPOLICY, DUMP, bytes(POLICY_ID.size)


def _policy_id(policy: Policy) -> bytes:
    body = POLICY_ID.pack(selector(policy.selector), 0, policy.direction) + _mark(policy.mark)
    return body + (number(IF_ID, policy.if_id) if policy.if_id else b"")


def _policy(policy: Policy) -> bytes:
    tail = (policy.priority, 0, policy.direction, policy.action, 0, 0)
    parts = [policy_info(policy.selector, *tail)]
    if policy.template is not None:
        parts.append(attribute(TMPL, _template(policy.template)))
    parts.append(_mark(policy.mark))
    if policy.if_id:
        parts.append(number(IF_ID, policy.if_id))
    return b"".join(parts)


def policy_info(packets: PacketSelector | None, *tail: int) -> bytes:
    """A struct xfrm_userpolicy_info: what packets, and then priority, index, direction, action, flags, share."""
    return POLICY_INFO.pack(_NO_SELECTOR if packets is None else selector(packets), _NEVER, *tail)


@lru_cache(4096)
def selector(packets: PacketSelector) -> bytes:
    """A struct xfrm_selector."""
    (source, source_mask), (target, target_mask) = packets.source_port, packets.destination_port
    return SELECTOR.pack(
        packets.destination.ljust(16, b"\0"),
        packets.source.ljust(16, b"\0"),
        target.to_bytes(2, "big") + target_mask.to_bytes(2, "big"),
        source.to_bytes(2, "big") + source_mask.to_bytes(2, "big"),
        AF_INET if packets.version == 4 else AF_INET6,
        packets.destination_length,
        packets.source_length,
        packets.protocol,
        0,
        0,
    )


def _template(template: Template) -> bytes:
    source = _ANYWHERE if template.source is None else _packed(template.source)
    destination = _ANYWHERE if template.destination is None else _packed(template.destination)
    family = AF_INET if template.destination is None else family_of(template.destination)
    known = (destination, bytes(4), ESP, family, source, template.reqid, MODES[template.mode])
    return TEMPLATE.pack(*known, 0, 0, _ALL, _ALL, _ALL)
