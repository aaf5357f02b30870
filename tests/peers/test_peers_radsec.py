"""RADIUS over TLS against FreeRADIUS: logins and accounting in one connection, its restart, and certificates that are wrong."""

import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
import pytest_twisted
from laboratory.freeradius import SERVER_NAME, FreeRadius, RadiusPki
from laboratory.radius_logins import (
    REALM,
    LoggedIn,
    RadiusCertificates,
    RadiusGateway,
    settings_over_tls,
)
from laboratory.room import Laboratory
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from ikegw.config.radius import Schedule, Service
from ikegw.events import AaaServerBack, AaaServerDead
from ikegw.ports import AaaSilent, Accept
from ikegw.radius.packets import Code
from ikegw.radius.realm import Answered
from ikegw.testing.pki import Authority, Period

pytestmark = pytest.mark.peers

MakeGateway = Callable[..., RadiusGateway]


@cache
def stranger() -> Authority:
    return Authority.root("somebody else's CA", "ecdsa256", Period.around(datetime.now(UTC)))


@pytest.fixture
def gateway() -> Iterator[MakeGateway]:
    made: list[RadiusGateway] = []

    def make(*servers: FreeRadius, certificates: Any = None, **settings: Any) -> RadiusGateway:
        pki = RadiusPki.make()
        certificates = certificates or RadiusCertificates(pki.nas, pki.authority)
        made.append(RadiusGateway.of(settings_over_tls(*servers, **settings), certificates))
        return made[-1]

    yield make
    for each in made:
        each.close()


def accepted(login: LoggedIn) -> Accept:
    assert isinstance(login.answer, Accept), login.answer
    assert login.keyed is not None
    assert login.answer.msk == login.keyed.msk
    return login.answer


def many(gateway: RadiusGateway, logins: int) -> "Deferred[list[LoggedIn]]":
    return gatherResults([gateway.log_in("plain") for _ in range(logins)], consumeErrors=True)


def in_a_while(seconds: float, act: Callable[[], object] = lambda: None) -> "Deferred[object]":
    return deferLater(reactor, seconds, act)


def account(gateway: RadiusGateway, session: str) -> "Deferred[Answered]":
    realm = gateway.client.realm(REALM, Service.ACCOUNTING)
    assert realm is not None
    return realm.ask(
        Code.ACCOUNTING_REQUEST,
        (("Acct-Status-Type", "Start"), ("Acct-Session-Id", session), ("NAS-Identifier", "gw")),
    )


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_logins_and_accounting_share_a_connection(
    laboratory: Laboratory, gateway: MakeGateway, version: str
) -> None:
    server = laboratory.freeradius("one", tls=version)
    asking = gateway(server)
    assert accepted(await asking.log_in("alice")).grant.filters == ("staff",)
    await account(asking, "s1")
    assert 'Acct-Session-Id = "s1"' in server.detail.read_text()
    (association,) = asking.client.associations()
    assert association.counts["answered"] == 4


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_many_requests_in_a_connection_and_more_connections_for_more(
    laboratory: Laboratory, gateway: MakeGateway
) -> None:
    asking = gateway(laboratory.freeradius("one"))
    for login in await many(asking, 300):
        accepted(login)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_the_server_restarts_in_the_middle(
    laboratory: Laboratory, gateway: MakeGateway, version: str
) -> None:
    server = laboratory.freeradius("one", tls=version)
    asking = gateway(server)
    accepted(await asking.log_in("plain"))
    server.kill()
    logins, record = many(asking, 20), account(asking, "in the middle")
    await in_a_while(0.3)
    server.start()
    for login in await logins:
        accepted(login)
    assert (await record).reply.code is Code.ACCOUNTING_RESPONSE
    assert server.detail.read_text().count('Acct-Session-Id = "in the middle"') == 1


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_server_that_is_silent_is_left_and_taken_up_again(
    laboratory: Laboratory, gateway: MakeGateway
) -> None:
    one, two = laboratory.freeradius("one"), laboratory.freeradius("two")
    asking = gateway(one, two, schedule=Schedule(first=0.5), probe_seconds=1.0)
    accepted(await asking.log_in("plain"))
    one.daemon.signal(signal.SIGSTOP)
    try:
        for login in await many(asking, 20):
            accepted(login)
        assert [type(event) for event in asking.events] == [AaaServerDead]
    finally:
        one.daemon.signal(signal.SIGCONT)
    for _ in range(200):
        if len(asking.events) > 1:
            break
        await in_a_while(0.05)
    assert [type(event) for event in asking.events] == [AaaServerDead, AaaServerBack]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"server_name": "elsewhere.example"}, "its certificate has another name than server_name says"),
        (
            {"certificates": "trusting somebody else"},
            "TLS: certificate verify failed",
        ),
        ({"certificates": "of somebody else's"}, "does it take our certificate"),
    ],
)
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_what_is_wrong_with_certificates_is_told(
    laboratory: Laboratory, gateway: MakeGateway, settings: dict[str, Any], why: str
) -> None:
    pki = RadiusPki.make()
    if "certificates" in settings:
        foreign = stranger().issue("nas.example", "ecdsa256")
        trusting = RadiusCertificates(pki.nas, stranger())
        shown = RadiusCertificates(foreign, pki.authority)
        settings = {"certificates": trusting if "trusting" in settings["certificates"] else shown}
    asking = gateway(laboratory.freeradius("one"), schedule=Schedule(first=1.0, tries=2), **settings)
    with pytest.raises(AaaSilent, match=why):
        await asking.log_in("plain")


def test_the_name_that_is_checked_is_the_servers() -> None:
    assert SERVER_NAME in str(RadiusPki.make().server.certificate.extensions)
