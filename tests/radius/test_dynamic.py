"""CoA and Disconnect: what is done for whom, what is refused and why, and what is not even answered."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from random import Random

import pytest
from attrs import define, evolve, field
from books import EPOCH, PATH, session
from pyrad.packet import CoAPacket

from ikegw.config.coa import CoaClient, CoaSettings
from ikegw.events import Dropped
from ikegw.paths import Endpoint, Path
from ikegw.radius.dynamic import DynamicAuthorization
from ikegw.radius.dynamic_listener import MOST_ANSWERS, CannotHear, DynamicListener
from ikegw.radius.dynamic_packet import ErrorCause, seal_request
from ikegw.radius.packets import Attribute, Code, dictionary
from ikegw.radius.station import Station
from ikegw.session import EndCause, Grant, Session, Termination

SECRET = b"coa secret"
CLIENT = CoaClient("isp", (ip_network("127.0.0.0/8"), ip_network("::1/128")), SECRET)
HERE = Path(Endpoint(ip_address("127.0.0.1"), 3799), Endpoint(ip_address("127.0.0.9"), 40000))
ALICE = session(7)
BOB = session(8, user="bob", addresses=(ip_address("10.3.0.8"), ip_address("fd00:3::8")))
ALICE_TOO = session(9, addresses=(), path=Path(PATH.local, Endpoint(ip_address("198.51.100.10"), 500)))


@define(eq=False)
class Here:
    """A gateway with these sessions, and what was done to them."""

    up: tuple[Session, ...] = (ALICE, BOB, ALICE_TOO)
    client: CoaClient = CLIENT
    time: float = EPOCH
    done: list[tuple] = field(factory=list)
    dropped: list[Dropped] = field(factory=list)
    listener: DynamicListener = field(init=False)

    def __attrs_post_init__(self) -> None:
        authorization = DynamicAuthorization(self, Station("gw.test"), lambda: (ip_address("192.0.2.1"),))
        settings = CoaSettings((), 3799, (self.client,))
        self.listener = DynamicListener(settings, authorization, None, lambda: self.time, self.dropped.append)

    def sessions(self) -> tuple[Session, ...]:
        return self.up

    def end(self, name: str, cause: EndCause, reason: str) -> bool:
        self.done.append((name, cause))
        return True

    def objection(self, name: str, grant: Grant) -> str:
        return "in no group" if name == BOB.id and grant.filters == ("nothing",) else ""

    def change(self, name: str, grant: Grant) -> bool:
        self.done.append((name, grant))
        return True

    def ask(self, code: Code, *attributes: Attribute, path: Path = HERE, **how) -> CoAPacket | None:
        """Its answer, verified as a client does."""
        octets = seal_request(code, how.pop("identifier", 9), SECRET, attributes, **how)
        return self.hear(octets, path)

    def hear(self, octets: bytes, path: Path = HERE) -> CoAPacket | None:
        answer = self.listener.received(octets, path)
        if answer is None:
            return None
        request = CoAPacket(secret=SECRET, dict=dictionary(), packet=octets)
        reply = request.CreateReply(packet=answer)
        assert request.VerifyReply(reply)
        assert reply.message_authenticator
        assert reply.id == request.id
        return reply

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.dropped]


@pytest.fixture
def here() -> Here:
    return Here()


def refused(here: Here, cause: ErrorCause, code: Code, *attributes: Attribute) -> None:
    reply = here.ask(code, *attributes)
    assert reply is not None
    assert reply.code == (Code.DISCONNECT_NAK if code is Code.DISCONNECT_REQUEST else Code.COA_NAK)
    assert reply[dictionary().attrindex.GetForward("Error-Cause")] == [int(cause).to_bytes(4, "big")]
    assert not here.done


def test_a_filter_that_would_put_one_of_them_into_no_group_changes_none(here: Here) -> None:
    both = ("Framed-IPv6-Prefix", "fd00:3::/64")
    refused(here, ErrorCause.INVALID_ATTRIBUTE_VALUE, Code.COA_REQUEST, both, ("Filter-Id", "nothing"))
    reply = here.ask(Code.COA_REQUEST, ("User-Name", "alice"), ("Filter-Id", "nothing"), identifier=10)
    assert reply is not None
    assert reply.code == Code.COA_ACK
    assert [name for name, _ in here.done] == [ALICE.id, ALICE_TOO.id]


# ---------------------------------------------------------------- which session


@pytest.mark.parametrize(
    ("attributes", "meant"),
    [
        ([("Acct-Session-Id", "5f-7")], [ALICE]),
        ([("User-Name", "bob")], [BOB]),
        ([("User-Name", "alice")], [ALICE, ALICE_TOO]),
        ([("Framed-IP-Address", "10.3.0.8")], [BOB]),
        ([("Framed-IPv6-Address", "fd00:3::7")], [ALICE]),
        ([("Framed-IPv6-Prefix", "fd00:3::/64")], [ALICE, BOB]),
        ([("NAS-Port", 9)], [ALICE_TOO]),
        ([("NAS-Port-Id", "road"), ("User-Name", "bob")], [BOB]),
        ([("Calling-Station-Id", "198.51.100.10")], [ALICE_TOO]),
        ([("Calling-Station-Id", "198.51.100.10"), ("User-Name", "alice")], [ALICE_TOO]),
        ([("Called-Station-Id", "192.0.2.1"), ("NAS-Port", 8)], [BOB]),
        ([("NAS-Identifier", "gw.test"), ("NAS-IP-Address", "192.0.2.1"), ("User-Name", "bob")], [BOB]),
    ],
    ids=lambda value: "+".join(name for name, _ in value) if value and isinstance(value[0], tuple) else "",
)
def test_a_disconnect_ends_whom_all_that_is_said_fits(here, attributes: Sequence[Attribute], meant):
    reply = here.ask(Code.DISCONNECT_REQUEST, *attributes)
    assert reply.code == Code.DISCONNECT_ACK
    assert here.done == [(each.id, EndCause.ADMIN_RESET) for each in meant]


@pytest.mark.parametrize(
    ("cause", "attributes"),
    [
        (402, []),
        (402, [("NAS-Identifier", "gw.test")]),
        (403, [("NAS-Identifier", "other.test"), ("User-Name", "bob")]),
        (403, [("NAS-IP-Address", "192.0.2.2"), ("User-Name", "bob")]),
        (403, [("NAS-IPv6-Address", "2001:db8::1"), ("User-Name", "bob")]),
        (503, [("User-Name", "mallory")]),
        (503, [("Acct-Session-Id", "5f-7"), ("User-Name", "bob")]),
        (503, [("User-Name", "bob"), ("User-Name", "alice")]),
        (405, [("User-Name", "bob"), ("Service-Type", 17)]),
        (401, [("User-Name", "bob"), ("Session-Timeout", 9)]),
        (401, [("User-Name", "bob"), ("Class", b"gold")]),
    ],
    ids=str,
)
def test_a_disconnect_is_refused_with_its_cause(here, cause, attributes):
    refused(here, ErrorCause(cause), Code.DISCONNECT_REQUEST, *attributes)


def test_who_is_to_mean_one_session_may_not_mean_two():
    here = Here(client=evolve(CLIENT, several=False))
    refused(
        here,
        ErrorCause.MULTIPLE_SESSION_SELECTION_UNSUPPORTED,
        Code.DISCONNECT_REQUEST,
        ("User-Name", "alice"),
    )
    assert here.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob")).code == Code.DISCONNECT_ACK


# ---------------------------------------------------------------- changes


def test_a_change_says_what_it_changes_and_nothing_else(here):
    reply = here.ask(
        Code.COA_REQUEST,
        ("User-Name", "bob"),
        ("Session-Timeout", 900),
        ("Idle-Timeout", 60),
        ("Acct-Interim-Interval", 300),
        ("Filter-Id", "staff"),
        ("Filter-Id", "printers"),
    )
    assert reply.code == Code.COA_ACK
    ((name, grant),) = here.done
    assert name == BOB.id
    assert grant == Grant(
        session_seconds=900, idle_seconds=60, interim_seconds=300, filters=("staff", "printers")
    )


def test_a_new_time_ends_as_the_old_one_would_have_unless_said_otherwise(here):
    here.up = (evolve(BOB, grant=Grant(termination=Termination.REAUTHENTICATE)),)
    here.ask(Code.COA_REQUEST, ("User-Name", "bob"), ("Session-Timeout", 900))
    here.ask(Code.COA_REQUEST, ("User-Name", "bob"), ("Session-Timeout", 900), ("Termination-Action", 0))
    assert [grant.termination for _, grant in here.done] == [Termination.REAUTHENTICATE, Termination.END]


@pytest.mark.parametrize(
    ("cause", "attributes"),
    [
        (402, [("User-Name", "bob")]),
        (402, [("Idle-Timeout", 9)]),
        (404, [("User-Name", "bob"), ("Termination-Action", 1)]),
        (407, [("User-Name", "bob"), ("Session-Timeout", 9), ("Termination-Action", 7)]),
        (401, [("User-Name", "bob"), ("Idle-Timeout", 9), ("Framed-MTU", 1400)]),
        (503, [("User-Name", "mallory"), ("Idle-Timeout", 9)]),
    ],
    ids=str,
)
def test_a_change_is_refused_with_its_cause(here, cause, attributes):
    refused(here, ErrorCause(cause), Code.COA_REQUEST, *attributes)


def test_what_is_unknown_or_of_a_wrong_length_is_refused(here):
    for attribute, cause in (((200, b"x"), 401), ((27, b"xyz"), 407), ((26, b"\0\0\0\x09\x01\x04ab"), 401)):
        packet = CoAPacket(Code.COA_REQUEST, 3, SECRET, dict=dictionary(), message_authenticator=True)
        packet["User-Name"] = "bob"
        packet.setdefault(attribute[0], []).append(attribute[1])
        reply = here.hear(packet.RequestPacket())
        assert reply[101] == [cause.to_bytes(4, "big")]
    assert not here.done


@pytest.mark.parametrize(
    ("code", "attributes", "answer"),
    [
        (Code.DISCONNECT_REQUEST, [("User-Name", "bob")], Code.DISCONNECT_ACK),
        (Code.DISCONNECT_REQUEST, [("User-Name", "nobody")], Code.DISCONNECT_NAK),
        (Code.COA_REQUEST, [("User-Name", "bob"), ("Idle-Timeout", 60)], Code.COA_ACK),
        (Code.COA_REQUEST, [("User-Name", "bob")], Code.COA_NAK),
    ],
)
def test_Proxy_State_goes_back_in_its_order(here, code: Code, attributes: list[Attribute], answer: Code):
    reply = here.ask(code, *attributes, ("Proxy-State", b"one"), ("Proxy-State", b"two"))
    assert (reply.code, reply[33]) == (answer, [b"one", b"two"])


# ---------------------------------------------------------------- who is heard


def test_only_listed_clients_are_heard(here):
    elsewhere = Path(HERE.local, Endpoint(ip_address("192.0.2.99"), 40000))
    assert here.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob"), path=elsewhere) is None
    six = Path(Endpoint(ip_address("::1"), 3799), Endpoint(ip_address("::1"), 40000))
    assert here.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob"), path=six) is not None
    assert here.reasons == ["coa-unknown-client"]


def test_the_closest_network_says_whose_secret_counts():
    near = CoaClient("near", (ip_network("127.0.0.9/32"),), b"another")
    settings = CoaSettings((), 3799, (CLIENT, near))
    assert settings.client(ip_address("127.0.0.9")) is near
    assert settings.client(ip_address("127.0.0.8")) is CLIENT
    assert settings.client(ip_address("10.0.0.1")) is None


def test_another_secret_or_a_changed_octet_is_a_forgery(here):
    octets = seal_request(Code.DISCONNECT_REQUEST, 9, b"another", [("User-Name", "bob")])
    assert here.hear(octets) is None
    octets = seal_request(Code.DISCONNECT_REQUEST, 9, SECRET, [("User-Name", "bob")])
    for at in range(4, len(octets)):
        changed = octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]
        assert here.listener.received(changed, HERE) is None
    assert not here.done
    assert set(here.reasons) <= {"coa-forged", "coa-malformed", "coa-no-message-authenticator"}


def test_a_false_Message_Authenticator_is_a_forgery_though_the_rest_is_right(here):
    packet = CoAPacket(Code.DISCONNECT_REQUEST, 9, SECRET, dict=dictionary())
    packet["User-Name"] = "bob"
    packet[80] = [bytes(16)]
    assert here.hear(packet.RequestPacket()) is None
    assert here.reasons == ["coa-forged"]


def test_unsigned_requests_are_taken_only_from_old_clients(here):
    assert here.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob"), signed=False) is None
    assert here.reasons == ["coa-no-message-authenticator"]
    old = Here(client=evolve(CLIENT, old=True))
    assert old.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob"), signed=False) is not None


@pytest.mark.parametrize("code", [1, 2, 4, 12, 41, 45, 255])
def test_other_packets_are_not_for_this_port(code):
    here = Here(client=evolve(CLIENT, old=True))
    assert here.hear(seal_request(code, 9, SECRET, [("User-Name", "bob")], signed=False)) is None
    assert not here.done
    assert here.reasons == ["coa-foreign"]


def test_noise_is_counted_and_nothing_else(here):
    random = Random(7)
    good = seal_request(
        Code.COA_REQUEST,
        9,
        SECRET,
        [("User-Name", "bob"), ("Idle-Timeout", 9), ("Event-Timestamp", int(EPOCH))],
    )
    for _ in range(20_000):
        octets = bytearray(good)
        for _ in range(random.randint(1, 4)):
            octets[random.randrange(len(octets))] = random.choice((0, 1, 2, 3, 255, random.randrange(256)))
        cut = bytes(octets[: random.randint(0, len(octets))] if random.random() < 0.3 else octets)
        if cut != good:
            assert here.listener.received(cut, HERE) is None
    assert not here.done
    assert not here.listener._answers


# ---------------------------------------------------------------- old requests


@pytest.mark.parametrize(
    ("away", "heard"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)]
)
def test_a_request_is_of_its_time(here, away, heard):
    reply = here.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob"), ("Event-Timestamp", int(EPOCH) - away))
    assert (reply is not None) is heard
    assert here.reasons == ([] if heard else ["coa-stale"])


def test_a_time_may_be_demanded():
    here = Here(client=evolve(CLIENT, timestamped=True))
    assert here.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob")) is None
    assert here.reasons == ["coa-no-timestamp"]
    assert (
        here.ask(Code.DISCONNECT_REQUEST, ("User-Name", "bob"), ("Event-Timestamp", int(EPOCH))) is not None
    )


def test_what_is_sent_again_is_answered_again_and_not_done_again(here):
    octets = seal_request(Code.DISCONNECT_REQUEST, 9, SECRET, [("User-Name", "bob")])
    first = here.listener.received(octets, HERE)
    here.up = ()  # it is gone, and a new request would be refused
    here.time += 200
    assert here.listener.received(octets, HERE) == first
    other_port = Path(HERE.local, Endpoint(HERE.remote.address, 4711))
    assert here.listener.received(octets, other_port) == first
    assert len(here.done) == 1
    assert here.listener.counts["again"] == 2


def test_an_answer_is_only_for_who_knows_the_secret(here):
    octets = seal_request(Code.DISCONNECT_REQUEST, 9, SECRET, [("User-Name", "bob")])
    here.listener.received(octets, HERE)
    forged = octets[:-1] + bytes([octets[-1] ^ 1])  # the same identifier and authenticator
    assert here.listener.received(forged, HERE) is None


def test_answers_are_not_kept_for_ever(here):
    for number in range(MOST_ANSWERS + 10):
        here.ask(Code.DISCONNECT_REQUEST, ("NAS-Port", number), identifier=number % 256)
    assert len(here.listener._answers) == MOST_ANSWERS
    here.time += 301
    here.ask(Code.DISCONNECT_REQUEST, ("NAS-Port", 1))
    assert len(here.listener._answers) == 1


# ---------------------------------------------------------------- the port


def test_a_port_that_is_taken_is_told(here):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        here.listener.settings = CoaSettings((ip_address("127.0.0.1"),), port, (CLIENT,))
        with pytest.raises(CannotHear, match=rf"127\.0\.0\.1:{port}: Address already in use; see \[coa\]"):
            here.listener.start()


def test_without_clients_no_port_is_opened(here):
    here.listener.settings = CoaSettings()
    here.listener.start()
