"""The Prometheus page: what a login, a failure, a silent server and a blocked reactor look like on it."""

from ipaddress import ip_address

import pytest
from attrs import evolve
from prometheus_client import CollectorRegistry
from twisted.internet.task import Clock
from twisted.web.test.requesthelper import DummyRequest

from ikegw.events import Dropped, IkeBegun, Refused, ServerAnswered, ServerSilent
from ikegw.metrics.gauges import Gauges, RadiusServerState, ReactorDelay, Standing
from ikegw.metrics.measures import MOST_UNDER_WAY, Measures
from ikegw.metrics.page import MetricsPage
from ikegw.paths import Endpoint, Path
from ikegw.policy.identities import parse_identity
from ikegw.session import SaName
from ikegw.testing.pair import CLIENT, Pair, make_pair, shared_key

PATH = Path(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("198.51.100.9"), 500))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def measured(pair: Pair, registry: CollectorRegistry) -> Measures:
    """What is measured of a pair's gateway from now on."""
    measures = Measures(registry, pair.world.clock.seconds)
    pair.gateway.gateway.publish = measures.publish
    table = pair.gateway.gateway._table
    table.surroundings = evolve(table.surroundings, publish=measures.publish)
    return measures


def test_a_login_that_works_with_its_time(registry: CollectorRegistry) -> None:
    pair = make_pair()
    measured(pair, registry)
    pair.client.gateway.initiate("home")
    pair.world.run(1.0)
    assert (
        registry.get_sample_value("ikegw_logins_total", {"connection": "road", "result": "up", "reason": ""})
        == 1
    )
    took = registry.get_sample_value("ikegw_handshake_seconds_sum", {"method": "psk"})
    assert took is not None
    assert 0.005 < took < 0.05
    assert registry.get_sample_value("ikegw_leases_total") == 2


def test_logins_that_fail_with_their_reason(registry: CollectorRegistry) -> None:
    def failed(reason: str) -> float | None:
        labels = {"connection": "road", "result": "failed", "reason": reason}
        return registry.get_sample_value("ikegw_logins_total", labels)

    pair = make_pair(client_credentials=shared_key("%any", secret=b"another secret"))
    measured(pair, registry)
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(1.0)
    assert failed("not_authentic") == 1
    stranger = evolve(CLIENT, local=evolve(CLIENT.local, identity=parse_identity("mallory@elsewhere")))
    pair.client.gateway.reload((stranger,))
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(1.0)
    assert failed("no_configuration") == 1
    pair.world.wire.tap = lambda datagram: [] if datagram.path.remote.port == 4500 else [datagram]
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(60.0, 0.5)
    assert failed("silence") == 1


def test_nothing_that_a_stranger_sends_makes_a_label(registry: CollectorRegistry) -> None:
    measures = Measures(registry, lambda: 0.0)
    for number in range(40_000, 40_100):
        measures.publish(Refused(SaName("road", 1), PATH, True, str(number), "x"))
    measures.publish(Dropped(PATH, "forged"))
    samples = [
        sample
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "ikegw_refused_total"
    ]
    assert [(sample.labels["notify"], sample.value) for sample in samples] == [("other", 100.0)]


def test_a_flood_of_beginnings_costs_no_memory(registry: CollectorRegistry) -> None:
    measures = Measures(registry, lambda: 0.0)
    for number in range(3 * MOST_UNDER_WAY):
        measures.publish(IkeBegun(SaName("road", number), PATH, False))
        measures.publish(Refused(SaName("road", number), PATH, False, "NO_PROPOSAL_CHOSEN", "x"))
    assert len(measures._begun) == len(measures._why) == MOST_UNDER_WAY


def test_servers_with_their_latency_and_silence(registry: CollectorRegistry) -> None:
    measures = Measures(registry, lambda: 0.0)
    measures.publish(ServerAnswered("radius", "one", 0.02))
    measures.publish(ServerSilent("radius", "one"))
    labels = {"kind": "radius", "server": "one"}
    assert registry.get_sample_value("ikegw_server_seconds_sum", labels) == 0.02
    assert registry.get_sample_value("ikegw_server_timeouts_total", labels) == 1


def page_of(registry: CollectorRegistry) -> str:
    request = DummyRequest([b"metrics"])
    text = MetricsPage(registry).render_GET(request).decode()
    assert request.responseHeaders.getRawHeaders("content-type")[0].startswith("text/plain")
    return text


def test_what_stands_is_asked_for_when_the_page_is(registry: CollectorRegistry) -> None:
    pair, delay = make_pair(), ReactorDelay(Clock())
    gateway = pair.gateway.gateway
    standing = Standing(
        gateway.states,
        lambda: gateway.half_open_total,
        lambda: 7,
        lambda: {"received": 12},
        lambda: [(use.pool, use.family, use.size, use.lent) for use in pair.gateway.pool.usage()],
        lambda: {"office": 3},
        lambda: {("10.60.0.1:67", "answer"): 8},
        lambda: [RadiusServerState("one", "accounting", False, 5, {"answered": 9})],
        lambda: (5_000_000_000, 7),
        lambda: {"request_refused_ENOMEM": 2},
    )
    Gauges(registry, standing, delay, "0.1.0")
    assert 'ikegw_ike_sas{state="SM_MATURE"}' not in page_of(registry)
    pair.client.gateway.initiate("home")
    pair.world.run(1.0)
    page = page_of(registry)
    for line in (
        'ikegw_build_info{version="0.1.0"} 1.0',
        'ikegw_ike_sas{state="SM_MATURE"} 1.0',
        "ikegw_half_open 0.0",
        "ikegw_cookies_total 7.0",
        'ikegw_datagrams_total{what="received"} 12.0',
        'ikegw_pool_lent{family="4",pool="road"} 1.0',
        'ikegw_dhcp_leases{provider="office"} 3.0',
        'ikegw_radius_server_alive{server="one",service="accounting"} 0.0',
        'ikegw_radius_requests{server="one",service="accounting"} 5.0',
        'ikegw_radius_packets_total{server="one",service="accounting",what="answered"} 9.0',
        'ikegw_octets_total{direction="in"} 5e+09',
        'ikegw_octets_total{direction="out"} 7.0',
        'ikegw_data_plane_trouble_total{what="request_refused_ENOMEM"} 2.0',
        'ikegw_children{state="SA_MATURE"} 1.0',
        'ikegw_dhcp_messages_total{at="10.60.0.1:67",what="answer"} 8.0',
    ):
        assert line in page, line


def test_a_reactor_that_was_blocked_is_seen_once() -> None:
    clock = Clock()
    delay = ReactorDelay(clock)
    delay.start()
    clock.pump([1.0, 1.0])
    assert delay.worst() == 0.0
    clock.advance(4.5)
    assert delay.worst() == pytest.approx(3.5)
    assert delay.worst() == 0.0
    delay.stop()
    assert not clock.getDelayedCalls()
