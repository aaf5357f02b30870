"""What stands at the moment when Prometheus asks, taken from its holders then."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from attrs import define, field, frozen
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

DELAY_SECONDS: Final = 1.0


@frozen
class RadiusServerState:
    """One port of a RADIUS server: whether it is not known to be dead, what is under way there, and what became of packets."""

    server: str
    service: str
    alive: bool
    load: int
    counts: Mapping[str, int]


@frozen
class Standing:
    """Who holds what: `states` counts SAs by (machine, state), `child` being a machine; `pools` are (name, family, size, lent).

    `dhcp_leases` are by provider, `dhcp_messages` by (our address, what became of them). `octets` are (received, sent) by all
    CHILD SAs, `trouble` what the data plane could not do.
    """

    states: Callable[[], Mapping[tuple[str, str], int]]
    half_open: Callable[[], int]
    cookies: Callable[[], int]
    datagrams: Callable[[], Mapping[str, int]]
    pools: Callable[[], Iterable[tuple[str, int, int, int]]]
    dhcp_leases: Callable[[], Mapping[str, int]]
    dhcp_messages: Callable[[], Mapping[tuple[str, str], int]]
    radius_servers: Callable[[], Iterable["RadiusServerState"]]
    octets: Callable[[], tuple[int, int]]
    trouble: Callable[[], Mapping[str, int]]


@define(eq=False)
class Gauges(Collector):
    """Registers itself in `registry`."""

    registry: CollectorRegistry
    standing: Standing
    delay: "ReactorDelay"
    version: str

    def __attrs_post_init__(self) -> None:
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before there is somebody to answer."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Everything, now."""
        standing = self.standing
        yield _family(GaugeMetricFamily, "ikegw_build_info", "What runs", ["version"], {(self.version,): 1})
        yield from _states(standing.states())
        yield GaugeMetricFamily(
            "ikegw_half_open", "IKE SAs whose peer has not proved itself", standing.half_open()
        )
        yield CounterMetricFamily(
            "ikegw_cookies", "Cookies that peers were asked to return", standing.cookies()
        )
        datagrams = {(what,): count for what, count in standing.datagrams().items()}
        yield _family(CounterMetricFamily, "ikegw_datagrams", "Datagrams of IKE", ["what"], datagrams)
        pools = list(standing.pools())
        size = {(name, str(family)): size for name, family, size, _ in pools}
        lent = {(name, str(family)): lent for name, family, _, lent in pools}
        yield _family(GaugeMetricFamily, "ikegw_pool_size", "Addresses of a pool", ["pool", "family"], size)
        yield _family(
            GaugeMetricFamily, "ikegw_pool_lent", "Addresses that are lent", ["pool", "family"], lent
        )
        leases = {(provider,): count for provider, count in standing.dhcp_leases().items()}
        yield _family(
            GaugeMetricFamily, "ikegw_dhcp_leases", "Addresses that DHCP servers lease", ["provider"], leases
        )
        yield _family(
            CounterMetricFamily,
            "ikegw_dhcp_messages",
            "Messages to and from DHCP servers",
            ["at", "what"],
            standing.dhcp_messages(),
        )
        received, sent = standing.octets()
        text = "Inner octets that CHILD SAs carried, as of some seconds ago"
        yield _family(
            CounterMetricFamily, "ikegw_octets", text, ["direction"], {("in",): received, ("out",): sent}
        )
        trouble = {(what,): count for what, count in standing.trouble().items()}
        text = "Packets that the data plane dropped, and requests that the kernel refused"
        yield _family(CounterMetricFamily, "ikegw_data_plane_trouble", text, ["what"], trouble)
        yield from _radius(list(standing.radius_servers()))
        yield GaugeMetricFamily(
            "ikegw_reactor_delay_seconds",
            "How late the reactor was, worst since last asked",
            self.delay.worst(),
        )


def _states(states: Mapping[tuple[str, str], int]) -> Iterable[Metric]:
    ike: Counter[tuple[str]] = Counter()
    for (machine, state), count in states.items():
        ike[(state,)] += 0 if machine == "child" else count
    children = {(state,): count for (machine, state), count in states.items() if machine == "child"}
    for name, what, counts in (("ikegw_ike_sas", "IKE", ike), ("ikegw_children", "CHILD", children)):
        text = f"{what} SAs by the state of their machine"
        yield _family(GaugeMetricFamily, name, text, ["state"], {of: n for of, n in counts.items() if n})


def _radius(servers: list[RadiusServerState]) -> Iterable[Metric]:
    labels = ["server", "service"]
    alive = {(each.server, each.service): int(each.alive) for each in servers}
    yield _family(GaugeMetricFamily, "ikegw_radius_server_alive", "RADIUS servers that answer", labels, alive)
    load = {(each.server, each.service): each.load for each in servers}
    yield _family(
        GaugeMetricFamily, "ikegw_radius_requests", "Requests to RADIUS servers under way", labels, load
    )
    packets = {
        (each.server, each.service, what): count for each in servers for what, count in each.counts.items()
    }
    text = "What became of packets to and from RADIUS servers"
    yield _family(CounterMetricFamily, "ikegw_radius_packets", text, [*labels, "what"], packets)


def _family(kind: Any, name: str, text: str, labels: list[str], values: Mapping[Any, int]) -> Metric:
    family: Metric = kind(name, text, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)  # type: ignore[attr-defined]
    return family


@define(eq=False)
class ReactorDelay:
    """How late a call of every second comes: what blocks the reactor is seen here."""

    clock: IReactorTime
    _call: LoopingCall = field(init=False)
    _expected: float = field(default=0.0, init=False)
    _worst: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._call = LoopingCall(self._tick)
        self._call.clock = self.clock

    def start(self) -> None:
        """Watch from now on."""
        self._expected = self.clock.seconds() + DELAY_SECONDS
        self._call.start(DELAY_SECONDS, now=False)

    def stop(self) -> None:
        """Watch no more."""
        if self._call.running:
            self._call.stop()

    def worst(self) -> float:
        """The longest delay since this was asked last."""
        worst, self._worst = self._worst, 0.0
        return worst

    def _tick(self) -> None:
        now = self.clock.seconds()
        self._worst = max(self._worst, now - self._expected)
        self._expected = now + DELAY_SECONDS
