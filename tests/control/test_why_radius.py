"""`ikegwctl why` of logins that a RADIUS server decides: it says no, it is silent, its secret is another."""

from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from random import Random

from telling_why import attempt, why
from twisted.internet.interfaces import IReactorTime

from ikegw.config.radius import RadiusRealm, RadiusServer, RadiusSettings
from ikegw.events import Event
from ikegw.ike.relaying import LOGIN_SECONDS
from ikegw.radius.client import RadiusClient
from ikegw.radius.login import RadiusLogins
from ikegw.radius.packets import Code
from ikegw.radius.station import Station
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.login import login_pair
from ikegw.testing.radius import Asked, MemoryServer, silence

SECRET = b"testing123"
LOCKED = ("Reply-Message", "your account is locked")


def asking(behave: Callable[[Asked], None], clock: IReactorTime) -> RadiusLogins:
    """The gateway's own RADIUS client, and a server that does with each request as told."""
    server = MemoryServer(SECRET, behave)
    settings = RadiusSettings(
        (RadiusServer("one", ip_address("203.0.113.5"), SECRET),), (RadiusRealm("staff", ("one",)),)
    )
    client = RadiusClient(
        settings, lambda of, service: server.open, clock, Random(1).randbytes, list[Event]().append
    )
    return RadiusLogins(client, Station("gw.test"))


def test_a_server_that_says_no():
    pair = login_pair(aaa=partial(asking, lambda asked: asked.answer(Code.ACCESS_REJECT, LOCKED)))
    attempt(pair, LOGIN_SECONDS + 10.0, 0.5)
    cause, advice = why(pair.gateway, "carol@test")
    assert cause == (
        "the AAA server does not let the user in: aaa 'staff' rejected 'carol@test', which says: your account is locked"
    )
    assert "password is wrong" in advice
    assert "its own log says the rest" in advice


def test_a_wrong_password():
    pair = login_pair(aaa=lambda clock: FakeAaa(clock, {"carol@test": Account(b"another password")}))
    attempt(pair, LOGIN_SECONDS + 10.0, 0.5)
    cause, advice = why(pair.gateway, "carol@test")
    assert "rejected 'carol@test', which says: wrong name or password" in cause
    assert "password is wrong" in advice
    assert "another password" not in cause + advice


def test_a_server_that_is_silent():
    pair = login_pair(aaa=partial(asking, silence))
    attempt(pair, LOGIN_SECONDS + 10.0, 0.5)
    cause, advice = why(pair.gateway, "carol@test")
    assert (
        "nobody said whether 'carol@test' is good: one (203.0.113.5:1812) did not answer, asked 3 times"
        in cause
    )
    assert "See the RADIUS server" in advice


def test_a_server_with_another_secret():
    """What it answers cannot be believed, so to us it is silent; the cause says which."""
    pair = login_pair(
        aaa=partial(
            asking, lambda asked: asked.link.deliver(asked.reply(Code.ACCESS_REJECT, secret=b"another"))
        )
    )
    attempt(pair, LOGIN_SECONDS + 10.0, 0.5)
    cause, advice = why(pair.gateway, "carol@test")
    assert "answers came that its secret does not fit: is it the same at both ends?" in cause
    assert "[secrets.radius]" in advice
