"""DHCPv4 octets: what is written is read, what is not as it must be is refused, and nothing else ever happens."""

import random
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from ikegw.dhcp.answers import Kind
from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.messages4 import read4
from ikegw.dhcp.names import decode_names, encode_names
from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.registry import Message4, Option4
from ikegw.dhcp.values4 import encode_addresses, encode_routes, encode_seconds

SERVER = IPv4Address("10.50.0.2")
DNS = (IPv4Address("10.1.0.53"), IPv4Address("10.1.1.53"))
ROUTER = IPv4Address("10.60.0.1")
ROUTES = ("10.1.0.0/16", "192.168.7.32/27", "0.0.0.0/0", "10.9.8.7/32")
# RFC 3397 §2: eng.apple.com. and marketing.apple.com., whose end is a pointer into the first.
SEARCH = b"\3eng\5apple\3com\0\x09marketing\xc0\4"

ANSWER = Packet4(
    Message4.ACK,
    0xDEADBEEF,
    b"\2\0\0\0\0\1",
    {
        Option4.SERVER_IDENTIFIER: SERVER.packed,
        Option4.LEASE_TIME: encode_seconds(3600),
        Option4.T1: encode_seconds(1800),
        Option4.T2: encode_seconds(3150),
        Option4.SUBNET_MASK: IPv4Address("255.255.255.0").packed,
        Option4.ROUTERS: ROUTER.packed,
        Option4.DNS_SERVERS: encode_addresses(DNS),
        Option4.NBNS_SERVERS: encode_addresses(DNS[:1]),
        Option4.DOMAIN_NAME: b"ikegw.example\0",
        Option4.DOMAIN_SEARCH: SEARCH,
        Option4.CLASSLESS_ROUTES: encode_routes((IPv4Network(each), ROUTER) for each in ROUTES),
        Option4.CLIENT_IDENTIFIER: b"\0alice",
    },
    from_client=False,
    yiaddr=IPv4Address("10.60.0.10"),
    giaddr=ROUTER,
)


def with_option(option: Option4, data: bytes) -> bytes:
    return evolve(ANSWER, options={**ANSWER.options, option: data}).encode()


def test_an_answer_in_full() -> None:
    answer = read4(ANSWER.encode())
    assert answer.kind is Kind.ACK
    assert answer.transaction == 0xDEADBEEF
    assert answer.address == IPv4Interface("10.60.0.10/24")
    assert (answer.lease_seconds, answer.renewal_seconds, answer.t1) == (3600, 1800, 1800)
    assert answer.server == SERVER.packed
    assert (answer.hardware, answer.client) == (ANSWER.hardware, b"\0alice")
    assert answer.parameters.dns == DNS
    assert answer.parameters.nbns == DNS[:1]
    assert answer.parameters.domains == ("eng.apple.com", "marketing.apple.com", "ikegw.example")
    assert answer.parameters.subnets == tuple(map(IPv4Network, ROUTES)), (
        "the router means nothing in a tunnel"
    )


@given(
    st.sampled_from(Message4),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=16),
    st.dictionaries(
        st.integers(1, 254).filter(lambda code: code not in (Option4.OVERLOAD, Option4.MESSAGE_TYPE)),
        st.binary(max_size=600),
        max_size=6,
    ),
    st.booleans(),
    st.integers(0, 0xFFFF),
)
def test_what_is_written_is_read(kind, transaction, hardware, options, from_client, seconds) -> None:  # type: ignore[no-untyped-def]
    packet = Packet4(kind, transaction, hardware, options, from_client, 1, seconds, yiaddr=ROUTER)
    octets = packet.encode()
    assert Packet4.decode(octets) == packet
    assert len(octets) >= 300


def test_overloaded_fields_are_joined_in_their_order() -> None:
    """RFC 3396 §7: options, then file, then server name, also the parts of one option."""
    octets = bytearray(evolve(ANSWER, options={Option4.SERVER_IDENTIFIER: SERVER.packed}).encode())
    options = bytes([53, 1, 5, 52, 1, 3, 6, 4]) + DNS[0].packed + b"\xff"
    octets[240 : 240 + len(options)] = options
    octets[108:116] = bytes([6, 4]) + DNS[1].packed + b"\0\xff"
    octets[44:51] = bytes([6, 4]) + ROUTER.packed + b"\xff"
    assert Packet4.decode(bytes(octets)).options == {6: encode_addresses([*DNS, ROUTER])}
    octets[245] = 1
    assert Packet4.decode(bytes(octets)).options == {6: encode_addresses(DNS)}
    octets[245] = 2
    assert Packet4.decode(bytes(octets)).options == {6: encode_addresses([DNS[0], ROUTER])}
    octets[245] = 4
    with pytest.raises(Malformed, match="overload"):
        Packet4.decode(bytes(octets))


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "octet 0: shorter than a header"),
        (ANSWER.encode()[:239], "octet 239: shorter than a header"),
        (b"\3" + ANSWER.encode()[1:], "neither request nor reply"),
        (b"\2\6" + ANSWER.encode()[2:], "type 6"),
        (b"\2\1\x11" + ANSWER.encode()[3:], "17 octets"),
        (ANSWER.encode().replace(b"\x63\x82\x53\x63", b"\x63\x82\x53\x64"), "no DHCP"),
        (ANSWER.encode()[:242], "cut short"),
        (ANSWER.encode()[:243], "the options have no end"),
        (ANSWER.encode()[:240] + b"\xff", "message type is missing"),
        (ANSWER.encode()[:240] + b"\x35\1\x63\xff", "message type is missing or unknown"),
        (ANSWER.encode()[:240] + b"\x35\2\5\5\xff", "message type"),
        (ANSWER.encode()[:240] + b"\x35\1\5\6", "option 6 is cut short"),
        (evolve(ANSWER, from_client=True).encode(), "no answer of a server"),
        (evolve(ANSWER, kind=Message4.RELEASE).encode(), "RELEASE is no answer of a server"),
    ],
)
def test_what_is_no_answer_is_refused(octets: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read4(octets)


@pytest.mark.parametrize(
    ("option", "data", "why"),
    [
        (Option4.SUBNET_MASK, b"\xff\xff\xff", "option 1 is no list"),
        (Option4.SUBNET_MASK, b"\xff\xff\xff\1", "no mask"),
        (Option4.SERVER_IDENTIFIER, b"", "option 54 is no list"),
        (Option4.SERVER_IDENTIFIER, SERVER.packed * 2, "more than one"),
        (Option4.LEASE_TIME, b"\0\0\x0e", "option 51 is no number"),
        (Option4.T1, b"", "option 58 is no number"),
        (Option4.DNS_SERVERS, b"\1\2\3\4\5", "option 6 is no list"),
        (Option4.CLASSLESS_ROUTES, b"\x21\1\2\3\4\5\1\2\3\4", "no list of routes"),
        (Option4.CLASSLESS_ROUTES, b"\x10\1\2\1\2\3", "no list of routes"),
        (Option4.DOMAIN_NAME, b"two words", "not the name"),
        (Option4.DOMAIN_SEARCH, b"\3eng", "cut short"),
        (Option4.DOMAIN_SEARCH, b"\3en", "cut short"),
        (Option4.DOMAIN_SEARCH, b"\3eng\xc0", "cut short"),
        (Option4.DOMAIN_SEARCH, b"\xc0\0", "forwards"),
        (Option4.DOMAIN_SEARCH, b"\3eng\xc0\0", "forwards"),
        (Option4.DOMAIN_SEARCH, b"\x40" + bytes(64), "too long"),
        (Option4.DOMAIN_SEARCH, (b"\x3f" + b"a" * 63) * 4 + b"\0", "too long"),
        (Option4.DOMAIN_SEARCH, b"\0", "not the name"),
        (Option4.DOMAIN_SEARCH, b"\3e\ng\0", "not the name"),
    ],
)
def test_an_option_that_is_not_as_it_must_be_spoils_the_answer(
    option: Option4, data: bytes, why: str
) -> None:
    with pytest.raises(Malformed, match=why):
        read4(with_option(option, data))


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"])
def test_what_nobody_can_have_is_no_address(address: str) -> None:
    assert read4(evolve(ANSWER, yiaddr=IPv4Address(address)).encode()).address is None


def test_routes_of_microsoft_count_where_there_are_no_others() -> None:
    microsoft = encode_routes([(IPv4Network("10.7.0.0/16"), ROUTER)])
    assert (
        IPv4Network("10.7.0.0/16")
        not in read4(with_option(Option4.MICROSOFT_ROUTES, microsoft)).parameters.subnets
    )
    options = {**ANSWER.options, Option4.MICROSOFT_ROUTES: microsoft}
    del options[Option4.CLASSLESS_ROUTES]
    assert read4(evolve(ANSWER, options=options).encode()).parameters.subnets == (IPv4Network("10.7.0.0/16"),)


def test_names_round_trip() -> None:
    names = ("eng.apple.com", "marketing.apple.com", "x")
    assert decode_names(encode_names(names), 0, compressed=False) == names
    with pytest.raises(Malformed):
        decode_names(SEARCH, 0, compressed=False)


def test_pointers_of_pointers_end() -> None:
    """Each leads further back, so that the longest chain is as long as the option."""
    chain = b"\1a\0" + b"".join((0xC000 | max(at - 2, 0)).to_bytes(2, "big") for at in range(3, 203, 2))
    with pytest.raises(Malformed):
        decode_names(chain, 0, compressed=True)
    backwards = b"\1a\0\1b\xc0\0\1c\xc0\3"
    assert decode_names(backwards, 0, compressed=True) == ("a", "b.a", "c.b.a")


def test_a_hundred_thousand_mutations_raise_nothing_but_malformed() -> None:
    chance = random.Random(1997)
    seeds = [
        ANSWER.encode(),
        with_option(Option4.OVERLOAD, b"\3"),
        with_option(Option4.DNS_SERVERS, bytes(range(256)) * 3),
        evolve(ANSWER, kind=Message4.NAK, options={Option4.SERVER_IDENTIFIER: SERVER.packed}).encode(),
    ]
    good = 0
    for _ in range(100_000):
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.choice((chance.randrange(len(octets)), 236 + chance.randrange(len(octets) - 236)))
            octets[at] = chance.choice((0, 1, 2, 0x3F, 0xC0, 0xFF, chance.randrange(256)))
        if chance.random() < 0.2:
            del octets[chance.randrange(len(octets)) :]
        with suppress(Malformed):
            read4(bytes(octets))
            good += 1
    assert 10_000 < good < 90_000, "mutations must neither always nor never be seen"
