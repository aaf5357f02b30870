"""DHCPv6 octets: what we send, what answers mean, and what is refused."""

import random
import struct
from contextlib import suppress
from ipaddress import IPv6Address, IPv6Interface
from math import inf

import pytest
from attrs import evolve

from ikegw.dhcp.answers import Answer, Kind
from ikegw.dhcp.clients import Client
from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.messages6 import Dialect6, read6
from ikegw.dhcp.names import encode_names
from ikegw.dhcp.packet6 import (
    Message,
    decode_message,
    decode_options,
    decode_relayed,
    encode_message,
    encode_options,
    encode_relayed,
    only,
)
from ikegw.dhcp.registry import Message6, Option6, Status6

LINK = IPv6Address("fd00:60::1")
ADDRESS = IPv6Address("fd00:60::10")
DNS = IPv6Address("fd00:1::53")
CLIENT = Client("alice")
DIALECT = Dialect6(CLIENT, LINK, b"roadwarriors", b"alice")
SERVER = b"\0\2\0\0\x09\xbfkea"
BOUND = Answer(Kind.ACK, 7, SERVER, IPv6Interface(ADDRESS), CLIENT.duid, CLIENT.iaid, 60.0, 30.0)


def lent(
    address: IPv6Address = ADDRESS,
    preferred: int = 40,
    valid: int = 60,
    inner: tuple[tuple[int, bytes], ...] = (),
) -> tuple[int, bytes]:
    data = struct.pack("!16sII", address.packed, preferred, valid) + encode_options(inner)
    return Option6.IA_ADDRESS, data


def status(code: int, text: str = "") -> tuple[int, bytes]:
    return Option6.STATUS_CODE, struct.pack("!H", code) + text.encode()


def association(*options: tuple[int, bytes], t1: int = 20, t2: int = 32) -> tuple[int, bytes]:
    return Option6.IA_NA, CLIENT.iaid + struct.pack("!II", t1, t2) + encode_options(options)


def answer(*options: tuple[int, bytes], kind: Message6 = Message6.REPLY) -> bytes:
    ids = ((Option6.CLIENT_IDENTIFIER, CLIENT.duid), (Option6.SERVER_IDENTIFIER, SERVER))
    return relayed(encode_message(kind, 0xABCDEF, (*ids, *options)))


def relayed(message: bytes) -> bytes:
    inside = ((Option6.INTERFACE_ID, b"roadwarriors"), (Option6.RELAY_MESSAGE, message))
    return encode_relayed(Message6.RELAY_REPLY, LINK, IPv6Address("fe80::1"), inside)


def sent(octets: bytes) -> Message:
    """The client's message that stands in one of ours."""
    outer = decode_relayed(octets)
    assert (outer.kind, outer.link) == (Message6.RELAY_FORWARD, LINK)
    assert outer.peer.is_link_local
    assert only(outer.options, Option6.INTERFACE_ID) == (b"roadwarriors", 38)
    inner = only(outer.options, Option6.RELAY_MESSAGE)
    assert inner is not None
    return decode_message(*inner)


def held(message: Message) -> tuple[bytes, list[bytes]]:
    """(server identifier or nothing, addresses in IA_NA) of a message of ours."""
    server, association = (only(message.options, code) for code in (Option6.SERVER_IDENTIFIER, Option6.IA_NA))
    assert association is not None
    assert association[0][:4] == CLIENT.iaid
    inner = decode_options(association[0][12:], 0)
    return server[0] if server else b"", [data[:16] for _, data, _ in inner]


def test_what_we_send() -> None:
    messages = [
        DIALECT.discover(1, 0),
        DIALECT.request(1, 0.5, BOUND),
        DIALECT.renew(2, 0, BOUND),
        DIALECT.rebind(2, 1000, BOUND),
        DIALECT.release(3, BOUND),
    ]
    read = [sent(each) for each in messages if each]
    assert [each.kind.name for each in read] == ["SOLICIT", "REQUEST", "RENEW", "REBIND", "RELEASE"]
    assert [each.transaction for each in read] == [1, 1, 2, 2, 3]
    mine = ADDRESS.packed
    assert [held(each) for each in read] == [
        (b"", []), (SERVER, [mine]), (SERVER, [mine]), (b"", [mine]), (SERVER, [mine])
    ]  # fmt: skip
    elapsed = [only(each.options, Option6.ELAPSED_TIME) for each in read]
    assert [each and each[0] for each in elapsed] == [b"\0\0", b"\0\x32", b"\0\0", b"\xff\xff", b"\0\0"]
    assert {only(each.options, Option6.CLIENT_IDENTIFIER) and len(each.options) for each in read} == {4, 5}


def test_a_wish_is_passed_on() -> None:
    wish = evolve(DIALECT, requested=ADDRESS, lease_seconds=7200.0).discover(1, 0)
    assert held(sent(wish)) == (b"", [ADDRESS.packed])
    assert struct.pack("!II", 7200, 7200) in wish


def test_an_answer_in_full() -> None:
    read = read6(
        answer(
            association(lent()),
            (Option6.DNS_SERVERS, DNS.packed),
            (Option6.DOMAIN_LIST, encode_names(["ikegw.example", "lab.ikegw.example"])),
        )
    )
    assert (read.kind, read.transaction, read.server) == (Kind.ACK, 0xABCDEF, SERVER)
    assert read.address == IPv6Interface("fd00:60::10/128")
    assert (read.lease_seconds, read.t1) == (60, 20)
    assert read.parameters.dns == (DNS,)
    assert read.parameters.domains == ("ikegw.example", "lab.ikegw.example")
    assert DIALECT.concerns(read)
    assert not evolve(DIALECT, client=Client("bob")).concerns(read)
    assert not evolve(DIALECT, client=Client("alice", 1)).concerns(read)


def test_T1_of_our_own_and_leases_without_an_end() -> None:
    assert read6(answer(association(lent(), t1=0, t2=0))).t1 == 20, "half of the preferred time"
    for_ever = read6(answer(association(lent(preferred=0xFFFFFFFF, valid=0xFFFFFFFF), t1=0, t2=0)))
    assert (for_ever.lease_seconds, for_ever.t1) == (inf, inf)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (answer(association(status(Status6.NO_BINDING, "who?"))), "NO_BINDING who?"),
        (answer(association(lent()), status(Status6.NOT_ON_LINK)), "NOT_ON_LINK"),
        (answer(association(lent(valid=0, preferred=0))), ""),
        (answer(association(lent(inner=(status(2),)))), ""),
        (answer(status(77, "odd\n")), r"77 odd\n"),
        (answer(), ""),
    ],
)
def test_replies_that_refuse(octets: bytes, text: str) -> None:
    read = read6(octets)
    assert (read.kind, read.text) == (Kind.NAK, text)


def test_offer_without_an_address_says_why() -> None:
    none = association(status(Status6.NO_ADDRESSES_AVAILABLE, "full"))
    read = read6(answer(none, kind=Message6.ADVERTISE))
    assert (read.kind, read.address, read.text) == (Kind.OFFER, None, "NO_ADDRESSES_AVAILABLE full")


@pytest.mark.parametrize("address", ["::", "::1", "ff02::1", "fe80::1"])
def test_what_nobody_can_have_is_no_address(address: str) -> None:
    assert read6(answer(association(lent(IPv6Address(address))))).address is None


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "no known type"),
        (b"\x63", "no known type"),
        (b"\7\0\0\0", "no relayed message"),
        (b"\x0d" + bytes(32), "no relayed message"),
        (encode_relayed(Message6.RELAY_REPLY, LINK, LINK, ()), "no Relay-reply with a message"),
        (DIALECT.discover(1, 0), "no Relay-reply"),
        (relayed(b"\7\0"), "no message of a client or a server"),
        (relayed(relayed(b"")), "no message of a client or a server"),
        (relayed(encode_message(Message6.SOLICIT, 1, ())), "SOLICIT is no answer"),
        (answer() + b"\0", "an option is cut short"),
        (answer()[:-1], "option 9 is cut short"),
        (answer(association(), association()), "option 3 stands twice"),
        (answer((Option6.IA_NA, bytes(11))), "IA_NA is cut short"),
        (answer(association(t1=40, t2=20)), "T1 of 40 s is after T2 of 20 s"),
        (answer(association((Option6.IA_ADDRESS, bytes(23)))), "IA Address is cut short"),
        (answer(association(lent(preferred=61))), "preferred for longer"),
        (answer((Option6.STATUS_CODE, b"\0")), "status code is cut short"),
        (answer((Option6.DNS_SERVERS, bytes(17))), "option 23 is no list"),
        (answer((Option6.DOMAIN_LIST, b"\3eng\xc0\0")), "a label of a name is too long"),
    ],
)
def test_what_is_no_answer_is_refused(octets: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read6(octets)


def test_a_hundred_thousand_mutations_raise_nothing_but_malformed() -> None:
    chance = random.Random(8415)
    seed = answer(
        association(lent(inner=(status(0),)), status(0)),
        (Option6.DNS_SERVERS, DNS.packed),
        (Option6.DOMAIN_LIST, encode_names(["ikegw.example"])),
        status(0, "fine"),
    )
    good = 0
    for _ in range(100_000):
        octets = bytearray(seed)
        for _ in range(chance.randint(1, 3)):
            octets[chance.randrange(len(octets))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        if chance.random() < 0.2:
            del octets[chance.randrange(len(octets)) :]
        with suppress(Malformed):
            read6(bytes(octets))
            good += 1
    assert 10_000 < good < 90_000, "mutations must neither always nor never be seen"
