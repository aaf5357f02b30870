"""Our RADIUS client against FreeRADIUS: logins, accounting, many at a time, and servers that die or fall silent."""

import signal
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
import pytest_twisted
from laboratory.freeradius import FreeRadius
from laboratory.radius_logins import REALM, LoggedIn, RadiusGateway, settings_for
from laboratory.room import Laboratory
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater

from ikegw.config.radius import Schedule, Service, Strategy
from ikegw.events import AaaServerBack, AaaServerDead
from ikegw.policy.connections import EapMethod
from ikegw.ports import AaaSilent, Accept, Reject
from ikegw.radius.packets import Code
from ikegw.session import Grant, Termination
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType

pytestmark = pytest.mark.peers

MakeGateway = Callable[..., RadiusGateway]


@pytest.fixture
def gateway() -> Iterator[MakeGateway]:
    made: list[RadiusGateway] = []

    def make(*servers: FreeRadius, **settings: Any) -> RadiusGateway:
        made.append(RadiusGateway.of(settings_for(servers, **settings)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def accepted(login: LoggedIn) -> Accept:
    assert isinstance(login.answer, Accept), login.answer
    return login.answer


def many(gateway: RadiusGateway, logins: int) -> "Deferred[list[LoggedIn]]":
    return gatherResults([gateway.log_in("plain") for _ in range(logins)], consumeErrors=True)


def in_a_while(seconds: float, act: Callable[[], object]) -> "Deferred[object]":
    return deferLater(reactor, seconds, act)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_challenge_grants_nothing_whatever_it_says(
    laboratory: Laboratory, gateway: MakeGateway
) -> None:
    asking = gateway(laboratory.freeradius("one"))
    realm = asking.client.realm(REALM, Service.AUTHENTICATION)
    assert realm is not None
    identity = EapPacket(EapCode.RESPONSE, 1, EapType.IDENTITY, b"plain").encode()
    answered = await realm.ask(Code.ACCESS_REQUEST, (("User-Name", "plain"), ("EAP-Message", identity)))
    assert answered.reply.code is Code.ACCESS_CHALLENGE
    assert answered.reply.text("Framed-IP-Address") == "10.66.6.6"
    assert answered.reply.number("Session-Timeout") == 1
    assert accepted(await asking.log_in("plain")).grant == Grant(user_name="plain")


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_logins_and_what_they_are_granted(laboratory: Laboratory, gateway: MakeGateway) -> None:
    asking = gateway(laboratory.freeradius("one"))
    alice = await asking.log_in("alice")
    assert alice.keyed is not None
    assert accepted(alice).msk == alice.keyed.msk
    assert accepted(alice).grant == Grant(
        user_name="alice",
        ip4=IPv4Address("10.99.0.5"),
        ip4_netmask=IPv4Address("255.255.255.255"),
        classes=(b"class-alice",),
        filters=("staff",),
        session_seconds=3600,
        idle_seconds=600,
        interim_seconds=60,
    )
    bob = accepted(await asking.log_in("bob", EapMethod.MD5))
    assert bob.msk is None
    assert (bob.grant.pools4, bob.grant.session_seconds) == (("pool1",), 15)
    assert bob.grant.termination is Termination.REAUTHENTICATE
    carol = accepted(await asking.log_in("carol", EapMethod.GTC)).grant
    assert carol.ip6 == IPv6Address("2001:db8:99::7")
    assert carol.routes == (IPv4Network("10.77.0.0/24"),)
    assert carol.dns == (IPv4Address("10.99.0.1"),)
    assert carol.classes == (b"group=eng", b"tenant=7")
    erin = accepted(await asking.log_in("erin")).grant
    assert erin.pools6 == ("pool6",)
    assert erin.routes == (IPv6Network("2001:db8:1::/56"),)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_those_who_are_rejected(laboratory: Laboratory, gateway: MakeGateway) -> None:
    asking = gateway(laboratory.freeradius("one"))
    for name, method, password in (
        ("alice", EapMethod.MD5, "wrong"),
        ("alice", EapMethod.MSCHAPV2, "wrong"),
        ("nobody", EapMethod.GTC, "any"),
    ):
        login = await asking.log_in(name, method, password)
        assert isinstance(login.answer, Reject), (name, login)
        assert login.answer.eap is not None
        assert login.answer.eap[0] == 4  # EAP Failure
    banned = await asking.log_in("mallory", EapMethod.MD5, "x")
    assert isinstance(banned.answer, Reject)
    assert (banned.answer.eap or b"")[:1] == b"\4"
    assert banned.answer.message == "no"


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_proxy_asks_a_server_that_we_do_not_know(
    laboratory: Laboratory, gateway: MakeGateway
) -> None:
    """Its Proxy-State is between these two; keys are sealed anew on the way, and each answer is signed by the proxy."""
    home = laboratory.freeradius("home")
    proxy = laboratory.freeradius("proxy", users="", further=home.address)
    asking = gateway(proxy)
    for method in (EapMethod.MSCHAPV2, EapMethod.MD5):
        alice = await asking.log_in("alice", method)
        assert accepted(alice).grant.classes == (b"class-alice",)
        assert alice.keyed is not None
        assert accepted(alice).msk == alice.keyed.msk
    for name, password in (("alice", "wrong"), ("mallory", "x")):
        refused = await asking.log_in(name, password=password)
        assert isinstance(refused.answer, Reject), refused
    (association, _) = asking.client.associations()
    assert set(association.counts) == {"requests", "answered"}
    assert "Login OK: [alice]" in home.daemon.text()


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_accounting_goes_the_same_way(laboratory: Laboratory, gateway: MakeGateway) -> None:
    server = laboratory.freeradius("one")
    realm = gateway(server).client.realm(REALM, Service.ACCOUNTING)
    assert realm is not None
    for status in ("Start", "Interim-Update", "Stop"):
        answered = await realm.ask(
            Code.ACCOUNTING_REQUEST,
            (
                ("Acct-Status-Type", status),
                ("Acct-Session-Id", "s1"),
                ("User-Name", "alice"),
                ("NAS-Identifier", "gw"),
            ),
        )
        assert answered.reply.code is Code.ACCOUNTING_RESPONSE
    assert server.detail.read_text().count('Acct-Session-Id = "s1"') == 3


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_400_logins_at_the_same_time_take_two_sockets(
    laboratory: Laboratory, gateway: MakeGateway
) -> None:
    asking = gateway(laboratory.freeradius("one"))
    assert all(accepted(login).msk == login.keyed.msk for login in await many(asking, 400) if login.keyed)
    (association, _) = asking.client.associations()
    assert association.counts["answered"] >= 1200  # three for each
    assert association.load == 0


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_wrong_secret_is_named(laboratory: Laboratory, gateway: MakeGateway) -> None:
    server = laboratory.freeradius("one")
    server.secret = "another"  # of what the gateway believes
    asking = gateway(server, schedule=Schedule(first=0.2, tries=2))
    with pytest.raises(AaaSilent, match="did not answer, asked 2 times"):
        await asking.log_in("plain")


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_no_login_fails_that_another_server_could_serve(
    laboratory: Laboratory, gateway: MakeGateway, end: str, strategy: Strategy
) -> None:
    one, two = laboratory.freeradius("one"), laboratory.freeradius("two")
    asking = gateway(one, two, strategy=strategy)
    accepted(await asking.log_in("plain"))
    if end == "kill":
        one.kill()
    else:
        one.daemon.signal(signal.SIGSTOP)
    try:
        for login in await many(asking, 60):
            accepted(login)
    finally:
        one.daemon.signal(signal.SIGCONT)
    dead = [event for event in asking.events if isinstance(event, AaaServerDead)]
    assert [event.server for event in dead] == ["one"]
    assert ("refused" in dead[0].reason) is (end == "kill")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_server_is_lost_in_the_middle_of_logins(
    laboratory: Laboratory, gateway: MakeGateway, end: signal.Signals
) -> None:
    """Only those fail whose dialogue is known there and nowhere else, and who tries again gets in."""
    one, two = laboratory.freeradius("one"), laboratory.freeradius("two")
    asking = gateway(one, two, schedule=Schedule(first=0.5, tries=2))
    challenged: set[int] = set()
    later: list[Deferred[LoggedIn]] = []

    def hear(number: int) -> None:
        challenged.add(number)
        if len(challenged) == 20:
            one.daemon.signal(end)
            later.extend(asking.log_in("plain") for _ in range(40))

    def log_in(number: int) -> "Deferred[LoggedIn]":
        return asking.log_in("plain", challenged=lambda: hear(number))

    try:
        ends = await DeferredList([log_in(number) for number in range(60)], consumeErrors=True)
        for login in await gatherResults(later, consumeErrors=True):
            accepted(login)
        lost = {number for number, (is_good, _) in enumerate(ends) if not is_good}
        assert lost <= challenged
        for number in lost:
            failure: Any = ends[number][1]
            assert str(failure.value).startswith(f"one ({one.address}:1812) did not answer")
        for login in await gatherResults([log_in(number) for number in lost], consumeErrors=True):
            accepted(login)
        assert lost
    finally:
        one.daemon.signal(signal.SIGCONT)


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_running_dialogue_waits_for_its_server(laboratory: Laboratory, gateway: MakeGateway) -> None:
    one, two = laboratory.freeradius("one"), laboratory.freeradius("two")
    asking = gateway(one, two)

    def stop_for_a_second() -> None:
        one.daemon.signal(signal.SIGSTOP)
        in_a_while(1.0, lambda: one.daemon.signal(signal.SIGCONT))

    accepted(await asking.log_in("plain", EapMethod.MD5, challenged=stop_for_a_second))
    assert not asking.events


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_server_that_comes_back_is_asked_again(laboratory: Laboratory, gateway: MakeGateway) -> None:
    one, two = laboratory.freeradius("one"), laboratory.freeradius("two")
    asking = gateway(one, two, probe_seconds=1.0)
    one.kill()
    accepted(await asking.log_in("plain"))
    assert [type(event) for event in asking.events] == [AaaServerDead]
    one.start()
    for _ in range(100):
        if len(asking.events) > 1:
            break
        await in_a_while(0.05, lambda: None)
    assert [type(event) for event in asking.events] == [AaaServerDead, AaaServerBack]
    two.kill()
    accepted(await asking.log_in("plain"))
