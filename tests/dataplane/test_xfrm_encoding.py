"""Our octets for the kernel are those that `ip xfrm` sends; what comes back is read, and nonsense is told as such."""

import errno
import socket
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from ikegw.crypto.keymat import ChildKeys
from ikegw.dataplane import netlink
from ikegw.dataplane.xfrm import decoding, encoding, thresholds
from ikegw.dataplane.xfrm.values import (
    Acquire,
    Action,
    Direction,
    Expired,
    Lifetime,
    Mapping,
    PacketSelector,
    Policy,
    PolicyReport,
    Replay,
    State,
    StateId,
    StateReport,
    Template,
)
from ikegw.policy.carriage import Mark, Mode, Offload
from ikegw.testing.plane_pair import suite_named

RECORDED = tomllib.loads(Path(__file__).with_name("ip_xfrm.toml").read_text())

ONE, TWO = ip_address("192.0.2.1"), ip_address("192.0.2.2")
ONE6, TWO6 = ip_address("2001:db8::1"), ip_address("2001:db8::2")
ID = StateId(ONE, TWO, bytes.fromhex("00001001"))
GCM = suite_named("aes256gcm16")
PLAIN = State(ID, 77, GCM, ChildKeys(bytes(range(36)), b""))


def packets(source, destination, *more):
    one, other = ip_network(source), ip_network(destination)
    ends = (one.network_address.packed, one.prefixlen, other.network_address.packed, other.prefixlen)
    return PacketSelector(one.version, *ends, *more)


OUT = packets("10.1.0.0/24", "10.2.0.0/24")
SAME = {
    "gcm": encoding.add_state(PLAIN),
    "gcmesn": encoding.add_state(evolve(PLAIN, suite=suite_named("aes256gcm16-esn"), window=64)),
    "cbc": encoding.add_state(
        evolve(
            PLAIN,
            suite=suite_named("aes256-sha256"),
            keys=ChildKeys(bytes(range(32)), bytes(range(32))),
        )
    ),
    "encap": encoding.add_state(evolve(PLAIN, encapsulation=(4500, 4501), if_id=7, output_mark=Mark(0x494B))),
    "limit": encoding.add_state(
        evolve(PLAIN, mode=Mode.TRANSPORT, lifetime=Lifetime(1000, 2000, 10, 20, 3600))
    ),
    "six": encoding.add_state(
        evolve(
            PLAIN,
            id=StateId(ONE6, TWO6, ID.spi),
            suite=suite_named("aes128gcm16"),
            keys=ChildKeys(bytes(range(20)), b""),
        )
    ),
    "del": encoding.delete_state(ID),
    "get": encoding.get_state(ID),
    "polout": encoding.add_policy(Policy(Direction.OUT, OUT, 1234, Template(77, Mode.TUNNEL, ONE, TWO))),
    "polin": encoding.set_policy(
        Policy(
            Direction.IN,
            packets("10.2.0.0/24", "10.1.0.0/24", 6, (0, 0), (80, 0xFFFF)),
            9,
            Template(77),
            if_id=7,
        )
    ),
    "polfwd6": encoding.set_policy(
        Policy(
            Direction.FORWARD,
            packets("fd00:2::/64", "fd00:1::/64"),
            9,
            Template(77, Mode.TUNNEL, TWO6, ONE6),
            mark=Mark(5, 0xFF),
        )
    ),
    "block": encoding.add_policy(Policy(Direction.OUT, OUT, 3, action=Action.BLOCK)),
    "poldel": encoding.delete_policy(Policy(Direction.OUT, OUT, 3, if_id=7)),
    "tfc": encoding.add_state(evolve(PLAIN, id=evolve(ID, mark=Mark(5, 0xFF)), tfc_padding=1400)),
    "thresholds": thresholds.set_to(thresholds.OURS),
    "thresholdsask": thresholds.ask(),
    "alloc": encoding.allocate_spi(ONE, TWO, 77, 0, range(0x100, 0x200)),
}


@pytest.mark.parametrize("name", RECORDED)
def test_octets_are_those_of_ip_xfrm(name):
    recorded = RECORDED[name]
    kind, flags, body = SAME[name]
    assert (kind, flags | netlink.REQUEST) == (recorded["kind"], recorded["flags"])
    assert body.hex() == recorded["octets"].replace("\n", ""), recorded["command"]


def test_what_the_kernel_says_of_an_sa_is_what_it_was_told():
    wide = evolve(PLAIN, window=128, suite=suite_named("aes256gcm16-esn"))
    _, _, body = encoding.add_state(wide)
    report = decoding.decode(netlink.Answer(encoding.NEWSA, 0, 1, body))
    assert report == StateReport(ID, 77, replay=report.replay)
    assert report.replay == Replay()
    moved = evolve(wide, replay=evolve(report.replay, sent=(5 << 32) + 7, received=9, bitmap=b"\xff" * 16))
    again = decoding.decode(netlink.Answer(encoding.NEWSA, 0, 1, encoding.add_state(moved)[2]))
    assert again.replay == moved.replay


def test_expiries_acquires_mappings_and_policies_are_read():
    _, _, state = encoding.add_state(PLAIN)
    told = decoding.decode(netlink.Answer(encoding.EXPIRE, 0, 0, state[:224] + b"\1" + bytes(7)))
    assert told == Expired(StateReport(ID, 77), hard=True)
    policy = Policy(Direction.OUT, OUT, 1234, Template(77, Mode.TUNNEL, ONE, TWO))
    body = encoding.add_policy(policy)[2]
    report = decoding.decode(netlink.Answer(encoding.NEWPOLICY, 0, 0, body))
    assert report == PolicyReport(Direction.OUT, OUT, 0, 1234, (77,), 0)
    packet = packets("10.1.0.1/32", "10.2.0.1/32", 17, (5, 0xFFFF), (53, 0xFFFF))
    acquire = (
        TWO.packed.ljust(16, b"\0") + bytes(4) + b"\x32\0\0\0" + ONE.packed.ljust(16, b"\0")
        + encoding.selector(packet) + body[:168] + bytes(12) + (9).to_bytes(4, "little") + body[168:]
    )  # fmt: skip
    told = decoding.decode(netlink.Answer(encoding.ACQUIRE, 0, 0, acquire))
    assert told == Acquire(77, packet, 9, ONE, TWO)
    mapping = (
        TWO.packed.ljust(16, b"\0") + ID.spi + b"\2\0\x32\0" + (77).to_bytes(4, "little")
        + bytes(16) + ONE.packed.ljust(16, b"\0") + bytes(2) + (4501).to_bytes(2, "big")
    )  # fmt: skip
    told = decoding.decode(netlink.Answer(encoding.MAPPING, 0, 0, mapping))
    assert told == Mapping(ID.spi, TWO, 77, ONE, 4501)


def test_what_the_kernel_says_of_its_hash_is_read_and_nonsense_is_not():
    _, _, body = thresholds.set_to(thresholds.OURS)
    told = netlink.Answer(thresholds.NEWSPDINFO, 0, 1, body[:4] + netlink.attribute(1, bytes(24)) + body[4:])
    assert thresholds.read(told) == thresholds.OURS
    for octets in (b"", body[:11], body[:4] + netlink.attribute(3, b"\0") + netlink.attribute(4, b"")):
        assert thresholds.read(evolve(told, body=octets)) is None
    assert thresholds.read(evolve(told, kind=encoding.NEWSA)) is None


@given(st.sampled_from([16, 19, 23, 24, 38, 99]), st.binary(max_size=600))
def test_nonsense_is_a_bad_message_and_nothing_else(kind, octets):
    try:
        decoding.decode(netlink.Answer(kind, 0, 0, octets))
    except decoding.BadMessage as bad:
        assert f"type {kind}" in str(bad)  # noqa: PT017 - both outcomes are right


@given(st.binary(max_size=300))
def test_frames_of_nonsense_end(octets):
    assert sum(len(answer.body) for answer in netlink.messages(octets)) <= len(octets)
    assert len(list(netlink.attributes(octets))) <= len(octets) // 4


def test_a_truncated_message_is_left_out_and_noticed():
    whole = netlink.pack(16, 0, 1, b"12345")
    assert [answer.body for answer in netlink.messages(whole * 2)] == [b"12345"] * 2
    assert netlink.is_whole(whole * 2)
    assert [answer.body for answer in netlink.messages(whole + whole[:-4])] == [b"12345"]
    assert not netlink.is_whole(whole + whole[:-4])


def test_the_kernels_own_words_are_part_of_a_refusal():
    asked = netlink.pack(16, 5, 7, b"")
    text = netlink.attribute(1, b"Requested AEAD algorithm not found\0")
    body = (-errno.ENOSYS).to_bytes(4, "little", signed=True) + asked + text
    said = netlink.refusal(netlink.Answer(netlink.ERROR, 0x300, 7, body))
    assert str(said) == 'ENOSYS, Function not implemented ("Requested AEAD algorithm not found")'
    assert netlink.refusal(netlink.Answer(netlink.ERROR, 0, 7, b"")).number == errno.EBADMSG


def test_offload_names_the_interface_and_the_direction():
    one = evolve(PLAIN, offload=Offload.PACKET, device=3, inbound=True)
    body = encoding.add_state(one)[2]
    assert dict(netlink.attributes(body[224:]))[encoding.OFFLOAD_DEV] == b"\3\0\0\0\6\0\0\0"


def test_what_waits_for_an_sa_is_read_though_its_selector_lacks_a_family():
    """As Linux 6.1 answers XFRM_MSG_ALLOCSPI where nothing waited any more: it begins to, and has prefix lengths alone."""
    far, near = (bytes((192, 0, 2, n)).ljust(16, b"\0") for n in (2, 1))
    selects = far + near + bytes(10) + b"\x20\x20" + bytes(12)
    spi = b"\0\0\1\x6d"
    tail = (0, 0, 0, 2, 0x49000002, socket.AF_INET, 1, 0, 0)
    whole = encoding.STATE.pack(selects, far, spi, 50, near, bytes(64), *tail)
    report = decoding.decode(netlink.Answer(encoding.NEWSA, 0, 1, whole))
    assert (report.id.spi, report.id.source, report.selector) == (spi, ip_address("192.0.2.1"), None)
