"""EAP relayed to RADIUS: what a login asks with, where it asks, and what it makes of the answers."""

from collections.abc import Iterator
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest
from attrs import define, field
from memory_pair import Answer, answer_status
from pyrad.packet import Packet
from twisted.internet.task import Clock

from ikegw.config.radius import RadiusRealm, RadiusServer, RadiusSettings, Service, Strategy
from ikegw.events import AaaServerDead, Event
from ikegw.paths import Endpoint, Path
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaSilent, Accept, Caller, Challenge, Reject
from ikegw.radius.client import RadiusClient
from ikegw.radius.login import RadiusLogin, RadiusLogins
from ikegw.radius.packets import Code, split
from ikegw.radius.station import Station
from ikegw.session import NOTHING_GRANTED
from ikegw.testing.radius import MemoryServer
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType

PATH = Path(Endpoint(ip_address("192.0.2.1"), 4500), Endpoint(ip_address("198.51.100.7"), 61000))
IDENTITY = EapPacket(EapCode.RESPONSE, 1, EapType.IDENTITY, b"alice").encode()
QUESTION = EapPacket(EapCode.REQUEST, 2, EapType.MD5_CHALLENGE, b"\x10" + bytes(16)).encode()
RESPONSE = EapPacket(EapCode.RESPONSE, 2, EapType.MD5_CHALLENGE, b"\x10" + bytes(16)).encode()
SUCCESS = EapPacket(EapCode.SUCCESS, 2).encode()
FAILURE = EapPacket(EapCode.FAILURE, 2).encode()


@define
class Town:
    """A realm of two servers, and who logs in there."""

    clock: Clock = field(factory=Clock)
    one: MemoryServer = field(factory=MemoryServer)
    two: MemoryServer = field(factory=MemoryServer)
    events: list[Event] = field(factory=list)
    logins: RadiusLogins = field(init=False)

    def open(self, strategy: Strategy = Strategy.ORDERED, **settings: Any) -> "Town":
        servers = {"one": self.one, "two": self.two}
        client = RadiusClient(
            RadiusSettings(
                tuple(
                    RadiusServer(name, ip_address("203.0.113.5"), server.secret, **settings)
                    for name, server in servers.items()
                ),
                (RadiusRealm("staff", ("one", "two"), strategy),),
            ),
            lambda server, service: servers[server.name].open,
            self.clock,
            Random(1).randbytes,
            self.events.append,
        )
        self.logins = RadiusLogins(client, Station("gw.example.org"))
        return self

    def begin(self, name: str = "alice", aaa: str = "staff", path: Path = PATH) -> RadiusLogin:
        return self.logins.begin(
            Caller("5f-7", "road", 7, path, parse_identity("alice@example.org"), name, aaa)
        )

    def pump(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))


@pytest.fixture
def town() -> Iterator[Town]:
    made = Town().open()
    yield made
    made.logins.client.close()
    assert not made.clock.getDelayedCalls()


def named(packet: Packet) -> dict[str, Any]:
    names = packet.keys()
    return {name: packet[name][0] if len(packet[name]) == 1 else packet[name] for name in names}


def test_a_request_says_all_that_operators_match_on(town: Town) -> None:
    Answer(town.begin().respond(IDENTITY))
    (asked,) = town.one.asked
    found = named(asked.packet)
    assert found.pop("Message-Authenticator")
    assert found == {
        "User-Name": "alice",
        "NAS-Identifier": "gw.example.org",
        "NAS-IP-Address": "192.0.2.1",
        "NAS-Port-Type": "Virtual",
        "NAS-Port": 7,
        "NAS-Port-Id": "road",
        "Service-Type": "Framed",
        "Called-Station-Id": "192.0.2.1",
        "Calling-Station-Id": "198.51.100.7",
        "Acct-Session-Id": "5f-7",
        "Framed-MTU": 1400,
        "EAP-Message": IDENTITY,
    }


def test_over_IPv6_and_with_ports(town: Town) -> None:
    town.logins.station = Station("gw", with_ports=True)
    ours, theirs = Endpoint(ip_address("2001:db8::1"), 4500), Endpoint(ip_address("2001:db8::7"), 500)
    Answer(town.begin(path=Path(ours, theirs)).respond(IDENTITY))
    found = named(town.one.asked[0].packet)
    assert found["NAS-IPv6-Address"] == "2001:db8::1"
    assert found["Called-Station-Id"] == "2001:db8::1[4500]"
    assert found["Calling-Station-Id"] == "2001:db8::7[500]"
    assert "NAS-IP-Address" not in found


def test_nobody_is_asked_before_the_client_responds(town: Town) -> None:
    town.begin()
    assert not town.one.asked


def test_a_whole_login(town: Town) -> None:
    login = town.begin()
    first = Answer(login.respond(IDENTITY))
    town.one.asked[0].answer(
        Code.ACCESS_CHALLENGE, ("State", b"0x01"), ("EAP-Message", QUESTION), ("Class", b"from a challenge")
    )
    assert first.value == Challenge(QUESTION)
    second = Answer(login.respond(RESPONSE))
    assert town.one.asked[1].packet[24] == [b"0x01"]
    assert town.one.asked[1].packet["User-Name"] == ["alice"]
    town.one.asked[1].answer(Code.ACCESS_ACCEPT, ("EAP-Message", SUCCESS))
    assert second.value == Accept(SUCCESS, None, NOTHING_GRANTED)


def test_the_State_is_that_of_the_last_challenge(town: Town) -> None:
    login = town.begin()
    states: list[Any] = []
    for challenge in (b"a", b"b", None):
        Answer(login.respond(IDENTITY))
        asked = town.one.asked[-1]
        states.append(asked.packet.get("State"))
        state = () if challenge is None else (("State", challenge),)
        asked.answer(Code.ACCESS_CHALLENGE, *state, ("EAP-Message", QUESTION))
    Answer(login.respond(IDENTITY))
    states.append(town.one.asked[-1].packet.get("State"))
    assert states == [None, [b"a"], [b"b"], None]


def test_long_EAP_packets_are_cut_and_put_together(town: Town) -> None:
    long = EapPacket(EapCode.RESPONSE, 1, EapType.TLS, bytes(range(256)) * 5).encode()
    answer = Answer(town.begin().respond(long))
    values = town.one.asked[0].packet["EAP-Message"]
    assert b"".join(values) == long
    assert [len(value) for value in values] == [253] * 5 + [len(long) - 5 * 253]
    question = EapPacket(EapCode.REQUEST, 2, EapType.TLS, bytes(range(256)) * 4).encode()
    town.one.asked[0].answer(Code.ACCESS_CHALLENGE, *split("EAP-Message", question))
    assert answer.value == Challenge(question)


@pytest.mark.parametrize(
    ("code", "attributes", "answer"),
    [
        (Code.ACCESS_REJECT, (), Reject()),
        (
            Code.ACCESS_REJECT,
            (("EAP-Message", FAILURE), ("Reply-Message", "no\r\nway")),
            Reject(FAILURE, "no way"),
        ),
        (Code.ACCESS_ACCEPT, (), Accept(None)),
        (Code.ACCESS_CHALLENGE, (("State", b"s"),), "a challenge without an EAP request"),
        (Code.ACCESS_CHALLENGE, (("EAP-Message", RESPONSE),), "a challenge without an EAP request"),
        (
            Code.ACCESS_CHALLENGE,
            (("EAP-Message", b"\1\2\0\7\4"),),
            "a malformed EAP packet: EAP length 7 in 5 octets",
        ),
        (
            Code.ACCESS_ACCEPT,
            (("EAP-Message", b"\3"),),
            "a malformed EAP packet: EAP packet shorter than 4 octets",
        ),
        (
            Code.ACCESS_ACCEPT,
            (("Session-Timeout", b"\1\2"),),
            "Session-Timeout of a wrong length: Invalid integer value: expected 4 bytes, got 2",
        ),
    ],
)
def test_what_answers_mean(town: Town, code: Code, attributes: Any, answer: Any) -> None:
    login = Answer(town.begin().respond(IDENTITY))
    town.one.asked[0].answer(code, *attributes)
    expected = Reject(message=f"one (203.0.113.5:1812) sent {answer}") if isinstance(answer, str) else answer
    assert login.value == expected


class TestServersThatFail:
    def test_a_login_that_began_at_a_dead_server_goes_on_at_the_next(self, town: Town) -> None:
        login = town.begin()
        answer = Answer(login.respond(IDENTITY))
        assert not town.two.asked
        town.pump(6)
        assert [type(event) for event in town.events if isinstance(event, AaaServerDead)] == [AaaServerDead]
        town.two.asked[0].answer(Code.ACCESS_CHALLENGE, ("State", b"2"), ("EAP-Message", QUESTION))
        assert answer.value == Challenge(QUESTION)
        Answer(login.respond(RESPONSE))
        assert town.two.asked[1].packet["State"] == [b"2"]

    def test_who_comes_later_does_not_wait(self, town: Town) -> None:
        Answer(town.begin().respond(IDENTITY))
        town.pump(6)
        before = len(town.two.asked)
        answer = Answer(town.begin().respond(IDENTITY))
        town.two.asked[before].answer(Code.ACCESS_REJECT)
        assert answer.value == Reject()

    def test_while_it_is_suspected_who_comes_asks_the_other(self, town: Town) -> None:
        Answer(town.begin().respond(IDENTITY))
        town.pump(3)
        Answer(town.begin().respond(IDENTITY))
        assert len(town.two.asked) == 1

    def test_a_dialogue_stays_where_it_began(self, town: Town) -> None:
        login = town.begin()
        Answer(login.respond(IDENTITY))
        town.one.asked[0].answer(Code.ACCESS_CHALLENGE, ("EAP-Message", QUESTION))
        answer = Answer(login.respond(RESPONSE))
        town.pump(20)
        assert not town.two.of(Code.ACCESS_REQUEST)
        assert isinstance(answer.error, AaaSilent)
        assert str(answer.error).startswith("one (203.0.113.5:1812) did not answer, asked 3 times in 1")

    def test_when_nobody_answers_all_are_told(self, town: Town) -> None:
        answer = Answer(town.begin().respond(IDENTITY))
        town.pump(30)
        one, two = str(answer.error).split("; ")
        assert one == "one (203.0.113.5:1812) is dead: it does not answer"
        assert two.startswith("two (203.0.113.5:1812) did not answer, asked 3 times in 1")

    def test_one_that_is_back_is_asked_though_it_was_dead_when_the_login_began(self, town: Town) -> None:
        Answer(town.begin().respond(IDENTITY))
        town.pump(6)
        answer = Answer(town.begin().respond(IDENTITY))  # at the second one, which is silent
        town.one.behave = lambda asked: (
            asked.answer(Code.ACCESS_REJECT) if asked.code is Code.ACCESS_REQUEST else answer_status(asked)
        )
        town.pump(20)
        assert answer.value == Reject()

    def test_a_cancelled_login_leaves_nothing(self, town: Town) -> None:
        answer = Answer(town.begin().respond(IDENTITY))
        answer.deferred.cancel()
        assert not town.clock.getDelayedCalls()

    def test_an_unknown_realm(self, town: Town) -> None:
        assert str(Answer(town.begin(aaa="nowhere").respond(IDENTITY)).error) == "there is no realm nowhere"


def test_balanced_servers_are_asked_in_turn() -> None:
    town = Town().open(Strategy.BALANCED)
    for _ in range(10):
        Answer(town.begin().respond(IDENTITY))
    assert (len(town.one.asked), len(town.two.asked)) == (5, 5)


def test_a_balanced_server_that_is_slower_is_asked_less() -> None:
    town = Town().open(Strategy.BALANCED)
    town.two.behave = lambda asked: asked.answer(Code.ACCESS_REJECT)
    for _ in range(10):
        Answer(town.begin().respond(IDENTITY))
    assert len(town.two.asked) == 9


def test_a_name_that_no_attribute_can_hold_is_rejected(town: Town) -> None:
    answer = Answer(town.begin(name="a" * 300).respond(IDENTITY))
    assert isinstance(answer.value, Reject)
    assert "no RADIUS packet can hold" in answer.value.message


def test_an_empty_name_is_left_out(town: Town) -> None:
    Answer(town.begin(name="").respond(IDENTITY))
    assert "User-Name" not in town.one.asked[0].packet


def test_a_reload_keeps_what_is_in_flight_to_servers_that_stay(town: Town) -> None:
    client = town.logins.client
    staying, leaving = Answer(town.begin().respond(IDENTITY)), None
    settings = client.settings
    one, two = settings.servers
    client.reload(RadiusSettings((one,), (RadiusRealm("staff", ("one",)),)))
    assert client.realm("staff", Service.AUTHENTICATION) is not None
    town.one.asked[0].answer(Code.ACCESS_REJECT)
    assert staying.value == Reject()
    leaving = Answer(town.begin().respond(IDENTITY))
    client.reload(RadiusSettings((two,), (RadiusRealm("staff", ("two",)),)))
    assert str(leaving.error) == "one (203.0.113.5:1812) is no longer configured"
