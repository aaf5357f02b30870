"""Each kind of event has a line that says who, what and why, and is one printable line whatever a peer sent."""

from ipaddress import IPv4Interface, ip_address
from typing import get_args

import pytest
from attrs import evolve
from twisted.logger import LogLevel

from ikegw.control.units import octets
from ikegw.events import (
    AaaServerBack,
    AaaServerDead,
    AddressLeased,
    AddressReleased,
    AuthFailed,
    AuthFailure,
    ChildDown,
    ChildRekeyed,
    ChildUp,
    Dropped,
    Event,
    IkeBegun,
    IkeDown,
    IkeMoved,
    IkeRekeyed,
    IkeUp,
    Refused,
    Retransmitted,
    RevocationUnknown,
    ServerAnswered,
    ServerSilent,
    SessionBegan,
    SessionChanged,
    SessionEnded,
    StateEntered,
)
from ikegw.paths import Endpoint, Path
from ikegw.policy.identities import parse_identity
from ikegw.service.lines import level_of, networks, text_of
from ikegw.session import EndCause, Grant, SaName, Session
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType
from ikegw.wire.selectors import TrafficSelector

SA = SaName("home", 7)
PATH = Path(Endpoint(ip_address("192.0.2.1"), 4500), Endpoint(ip_address("198.51.100.9"), 61000))
SESSION = Session(
    "5f-7", SA, PATH, parse_identity("vpn.example.org"), parse_identity("alice"), "alice", "psk", 3.0
)
ELSEWHERE = Endpoint(ip_address("203.0.113.5"), 1024)
US, ALICE = parse_identity("vpn.example.org"), parse_identity("alice@example.org")


def selector(
    first: str, last: str, protocol: int = 0, ports: tuple[int, int] = (0, 65535)
) -> TrafficSelector:
    return TrafficSelector(ip_address(first), ip_address(last), protocol, *ports)


NET, HOST = selector("10.1.0.0", "10.1.255.255"), selector("10.9.0.2", "10.9.0.2")

EXAMPLES: list[tuple[Event, LogLevel, str]] = [
    (
        IkeBegun(SA, PATH, True),
        LogLevel.debug,
        "home[7] begun: we call 198.51.100.9:61000 from 192.0.2.1:4500",
    ),
    (
        IkeBegun(SA, PATH, False),
        LogLevel.debug,
        "home[7] begun by 198.51.100.9:61000 at 192.0.2.1:4500",
    ),
    (
        StateEntered(SA, "responder", "SMR_INIT", "init_request", "SMR_AUTH"),
        LogLevel.debug,
        "home[7] responder: SMR_INIT --init_request--> SMR_AUTH",
    ),
    (
        IkeUp(SA, PATH, False, US, ALICE, "aes256gcm16-prfsha256-x25519", b"initiato", b"responde", "psk"),
        LogLevel.info,
        "home[7] up: alice@example.org at 198.51.100.9:61000 is authentic (psk); we are vpn.example.org at "
        "192.0.2.1:4500, the responder; aes256gcm16-prfsha256-x25519; SPIs 696e69746961746f 726573706f6e6465",
    ),
    (
        IkeDown(SA, PATH, ALICE, "the peer deleted it", True),
        LogLevel.info,
        "home[7] down: alice@example.org at 198.51.100.9:61000: the peer deleted it",
    ),
    (
        IkeDown(SA, PATH, None, "the initiator did not go on", False),
        LogLevel.info,
        "home[7] ended before it was up: 198.51.100.9:61000: the initiator did not go on",
    ),
    (
        AuthFailed(SA, PATH, ALICE, AuthFailure.NOT_AUTHENTIC, "does not know the shared key"),
        LogLevel.warn,
        "home[7] authentication failed: alice@example.org at 198.51.100.9:61000: the peer did not prove its "
        "identity: does not know the shared key",
    ),
    (
        RevocationUnknown(SA, PATH, ALICE, "nobody says whether it was revoked"),
        LogLevel.warn,
        "home[7] alice@example.org at 198.51.100.9:61000 is let in all the same: nobody says whether it was revoked",
    ),
    (
        AuthFailed(SA, PATH, None, AuthFailure.NO_OWN_MATERIAL, "no key; add one"),
        LogLevel.error,
        "home[7] authentication failed: 198.51.100.9:61000: we have nothing to prove our own identity with: "
        "no key; add one",
    ),
    (
        Refused(SA, PATH, False, "NO_PROPOSAL_CHOSEN", "offered 3des, configured aes"),
        LogLevel.warn,
        "home[7] we refused 198.51.100.9:61000: NO_PROPOSAL_CHOSEN: offered 3des, configured aes",
    ),
    (
        Refused(SA, PATH, True, "TS_UNACCEPTABLE", "its log says why"),
        LogLevel.warn,
        "home[7] refused by 198.51.100.9:61000: TS_UNACCEPTABLE: its log says why",
    ),
    (
        ChildUp(SA, "net", b"\0\1\2\3", b"\xc0\xff\xee\0", "aes256gcm16", (NET,), (HOST,), True),
        LogLevel.info,
        "home[7] net up: 10.1.0.0/16 === 10.9.0.2/32; ESP in UDP aes256gcm16; SPIs 00010203 in, c0ffee00 out",
    ),
    (
        ChildRekeyed(SA, "net", b"\0\1\2\3", b"\0\4\5\6"),
        LogLevel.info,
        "home[7] net rekeyed: SPI 00040506 replaces 00010203",
    ),
    (
        IkeRekeyed(SA, "aes256gcm16-prfsha256-x25519", b"initiato", b"responde"),
        LogLevel.info,
        "home[7] rekeyed: aes256gcm16-prfsha256-x25519; SPIs 696e69746961746f 726573706f6e6465",
    ),
    (
        IkeMoved(SA, PATH, Path(PATH.local, ELSEWHERE), False, True),
        LogLevel.info,
        "home[7] moved: the peer is at 203.0.113.5:1024 now, no longer at 198.51.100.9:61000; "
        "the peer is behind a NAT",
    ),
    (
        IkeMoved(SA, PATH, Path(ELSEWHERE, PATH.remote), False, False),
        LogLevel.info,
        "home[7] moved: we are at 203.0.113.5:1024 now, no longer at 192.0.2.1:4500; no NAT between",
    ),
    (
        IkeMoved(SA, PATH, Path(PATH.remote, PATH.local), True, True),
        LogLevel.info,
        "home[7] moved: from 192.0.2.1:4500…198.51.100.9:61000 to 198.51.100.9:61000…192.0.2.1:4500; "
        "both are behind NATs",
    ),
    (
        ChildDown(SA, "net", b"\0\1\2\3", "the IKE SA ended", 1_500_000, 20),
        LogLevel.info,
        "home[7] net down: the IKE SA ended; SPI 00010203; received 1.5 MB, sent 20 B",
    ),
    (
        AddressLeased(SA, ALICE, (IPv4Interface("10.9.0.2/24"),)),
        LogLevel.info,
        "home[7] lent 10.9.0.2 to alice@example.org",
    ),
    (AddressReleased(SA, (IPv4Interface("10.9.0.2/24"),)), LogLevel.info, "home[7] gave back 10.9.0.2"),
    (
        SessionBegan(SESSION),
        LogLevel.info,
        "home[7] session 5f-7 of alice began (psk)",
    ),
    (
        SessionBegan(evolve(SESSION, aaa="staff", grant=Grant(message="Welcome"))),
        LogLevel.info,
        "home[7] session 5f-7 of alice began (psk); staff says: Welcome",
    ),
    (
        SessionChanged(SESSION),
        LogLevel.debug,
        "home[7] session 5f-7 of alice goes on at 198.51.100.9:61000",
    ),
    (
        SessionEnded(SESSION, EndCause.LOST_CARRIER, "no answer", 61.4, 2000, 4, 512, 1),
        LogLevel.info,
        "home[7] session 5f-7 of alice ended after 61 s: lost carrier; received 2.0 kB, sent 512 B",
    ),
    (
        AaaServerDead("one", PATH.local, "it does not answer"),
        LogLevel.error,
        "AAA server one at 192.0.2.1:4500 is dead: it does not answer",
    ),
    (
        AaaServerBack("one", PATH.local),
        LogLevel.warn,
        "AAA server one at 192.0.2.1:4500 answers again",
    ),
    (ServerAnswered("radius", "one", 0.0123), LogLevel.debug, "radius server one answered after 12.3 ms"),
    (ServerSilent("dhcp", "office"), LogLevel.debug, "dhcp server office did not answer a request"),
    (
        Retransmitted(SA, PATH, 3),
        LogLevel.debug,
        "home[7] sent a request to 198.51.100.9:61000 again, the 3rd time",
    ),
    (
        Dropped(PATH, "wrong-length", "28 in 30"),
        LogLevel.info,
        "dropped a datagram from 198.51.100.9:61000 to 192.0.2.1:4500: wrong-length (28 in 30)",
    ),
    (
        Dropped(PATH, "request-busy"),
        LogLevel.debug,
        "dropped a datagram from 198.51.100.9:61000 to 192.0.2.1:4500: request-busy",
    ),
    (
        Dropped(PATH, "source-blocked"),
        LogLevel.warn,
        "dropped a datagram from 198.51.100.9:61000 to 192.0.2.1:4500: source-blocked",
    ),
]


@pytest.mark.parametrize(("event", "level", "text"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_the_line_of_an_event(event: Event, level: LogLevel, text: str) -> None:
    assert (level_of(event), text_of(event)) == (level, text)


def test_every_kind_of_event_has_a_line() -> None:
    assert {type(event) for event, _, _ in EXAMPLES} == set(get_args(Event))


def test_an_event_without_words_is_told_all_the_same() -> None:
    class Later(Dropped):
        pass

    assert "too-short" in text_of(Later(PATH, "too-short"))


@pytest.mark.parametrize(
    "sent", [b"a\r\nAug 1 root: forged", b"\x1b[2J", b"\xff\xfe\0", "grüße".encode(), b"{line}", b""]
)
def test_what_a_peer_sent_cannot_break_the_line(sent: bytes) -> None:
    for kind in (IdType.FQDN, IdType.KEY_ID, IdType.DER_ASN1_DN, IdType(200)):
        assert text_of(AddressLeased(SA, Identity(kind, sent), ())).isprintable()
    detail = sent.decode("latin-1")
    text = text_of(AuthFailed(SA, PATH, None, AuthFailure.NOT_AUTHENTIC, detail))
    assert text.isprintable()
    assert "\n" not in text


def test_selectors_as_people_write_them() -> None:
    assert networks(()) == "nothing"
    assert networks((selector("2001:db8::", "2001:db8::ffff"), HOST)) == "2001:db8::/112, 10.9.0.2/32"
    assert networks((selector("10.0.0.1", "10.0.0.9"),)) == "10.0.0.1-10.0.0.9"
    assert networks((selector("10.0.0.1", "10.0.0.1", 6, (443, 443)),)) == "10.0.0.1/32[tcp/443]"
    assert networks((selector("10.0.0.1", "10.0.0.1", 17, (1, 9)),)) == "10.0.0.1/32[udp/1-9]"
    assert networks((selector("10.0.0.1", "10.0.0.1", 47),)) == "10.0.0.1/32[47]"
    assert networks((selector("10.0.0.1", "10.0.0.1", 6, (65535, 0)),)) == "10.0.0.1/32[tcp/opaque]"


def test_octets_for_people() -> None:
    assert [octets(n) for n in (0, 999, 1000, 20_100_000, 5 * 10**15)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "20.1 MB",
        "5000.0 TB",
    ]
