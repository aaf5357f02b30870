"""500 logins wait for a CRL server that never answers, and nobody else notices."""

from collections import Counter
from ipaddress import ip_network
from pathlib import Path
from time import process_time

from attrs import evolve
from certified import PLAIN_CAROL, PLAIN_GATEWAY, ROOT, STRICT, connection, credentials
from twisted.internet.defer import maybeDeferred
from twisted.internet.testing import MemoryReactorClock

from ikegw.config.downloads import DownloadSettings
from ikegw.download.fetcher import Downloads
from ikegw.events import AuthFailed, AuthFailure, IkeUp
from ikegw.gate.limits import Limits
from ikegw.policy.connections import Unique
from ikegw.testing.pair import CLIENT, GATEWAY
from ikegw.testing.pki import Party, crl_at
from ikegw.testing.world import Host, World

MANY = 500
SECONDS = 10.0
PATIENT = DownloadSettings(seconds=SECONDS, networks=(ip_network("127.0.0.0/8"),))
UNLIMITED = Limits(10_000, 10_000, 10_000, 10_000)


def client_of(world: World, number: int, name: str, party: Party) -> Host:
    calling = evolve(connection(CLIENT, name, "gw.test"), virtual=())
    return world.host(f"192.0.{3 + number // 250}.{1 + number % 250}", (calling,), credentials(party))


def log_in(world: World, client: Host, seconds: float = 0.04) -> float:
    """CPU seconds of a login and of what else goes on meanwhile."""
    began = process_time()
    client.gateway.initiate("home").addErrback(lambda failure: None)
    world.run(seconds, 0.01)
    return process_time() - began


def test_500_logins_that_wait_for_a_silent_server_delay_nobody_else(tmp_path: Path) -> None:
    reactor = MemoryReactorClock()  # whose names are all 127.0.0.1, and whose connections are never answered
    world = World(clock=reactor)
    strict = evolve(
        connection(GATEWAY, "gw.test", "dave@test", revocation=STRICT), pools=(), unique=Unique.NEVER
    )
    plain = evolve(connection(GATEWAY, "gw.test", "carol@test"), pools=(), unique=Unique.NEVER, name="plain")
    downloads = Downloads(PATIENT, reactor, maybeDeferred, tmp_path)
    gateway = world.host(
        "192.0.2.1", (strict, plain), credentials(PLAIN_GATEWAY), limits=UNLIMITED, fetcher=downloads
    )
    strangers = [client_of(world, MANY + number, "carol@test", PLAIN_CAROL) for number in range(18)]
    alone = [log_in(world, stranger) for stranger in strangers[:9]]
    assert len(gateway.heard(IkeUp)) == 9

    for number in range(MANY):
        listed = crl_at(f"http://pki.test/{number}.crl")
        dave = ROOT.issue("dave@test", "ecdsa256", extensions=(listed,))
        client_of(world, number, "dave@test", dave).gateway.initiate("home").addErrback(lambda failure: None)
    world.run(0.1, 0.01)
    assert gateway.gateway.states()["responder", "SMR_AUTH_DL_PEER"] == MANY
    assert len(reactor.tcpClients) == PATIENT.per_host

    among = [log_in(world, stranger) for stranger in strangers[9:]]
    assert len(gateway.heard(IkeUp)) == 18  # each within its 40 ms
    # The model's own clock has 500 more timers to sort; whoever waited for one of the 500 would take hundreds of times as long.
    assert min(among) < 5 * min(alone)

    world.run(SECONDS, 0.5)
    failures = Counter(failed.reason for failed in gateway.heard(AuthFailed))
    assert failures == {AuthFailure.DOWNLOAD_FAILED: MANY}
    assert len(gateway.gateway.listing()) == 18
