"""What happened, counted and timed: fed by events alone (`events.Publish`).

Labels have few values: connections are the operator's, reasons and notifies are words of a fixed set; never who a peer is, or
where.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from ikegw.events import (
    AddressLeased,
    AuthFailed,
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
    ServerAnswered,
    ServerSilent,
    SessionEnded,
)
from ikegw.session import SaName

HANDSHAKE: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
SERVERS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
MOST_UNDER_WAY: Final = 10_000


class Measures:
    """Counters and histograms in `registry`; `now` is the gateway's clock."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float]) -> None:
        self._now = now
        # When each login that is under way began, by the IKE SA's number, and why it will fail, in a word.
        self._begun: OrderedDict[int, float] = OrderedDict()
        self._why: dict[int, str] = {}
        self._logins = Counter(
            "ikegw_logins",
            "IKE SAs that came up or did not",
            ["connection", "result", "reason"],
            registry=registry,
        )
        self._handshake = Histogram(
            "ikegw_handshake_seconds",
            "From IKE_SA_INIT to SM_MATURE",
            ["method"],
            registry=registry,
            buckets=HANDSHAKE,
        )
        self._ended = Counter("ikegw_sessions_ended", "Sessions that ended", ["cause"], registry=registry)
        self._children = Counter("ikegw_child_sas", "What became of CHILD SAs", ["what"], registry=registry)
        self._ike = Counter(
            "ikegw_ike_sas_renewed", "IKE SAs that went on otherwise", ["what"], registry=registry
        )
        self._refused = Counter(
            "ikegw_refused", "Negotiations that were refused", ["by", "notify"], registry=registry
        )
        self._dropped = Counter(
            "ikegw_dropped", "Datagrams that changed nothing", ["reason"], registry=registry
        )
        self._retransmitted = Counter(
            "ikegw_retransmitted", "Requests of ours that were sent again", registry=registry
        )
        self._leases = Counter("ikegw_leases", "Addresses that were lent", registry=registry)
        self._answered = Histogram(
            "ikegw_server_seconds", "Answers of RADIUS, DHCP and other servers", ["kind", "server"], registry=registry,
            buckets=SERVERS,
        )  # fmt: skip
        self._silent = Counter(
            "ikegw_server_timeouts",
            "Requests that such a server did not answer",
            ["kind", "server"],
            registry=registry,
        )
        self._heard: dict[type, Callable[..., None]] = {
            IkeBegun: self._ike_begun,
            IkeUp: self._ike_up,
            IkeDown: self._ike_down,
            AuthFailed: lambda event: self._will_fail(event.sa, event.reason.name.lower()),
            Refused: self._was_refused,
            ChildUp: lambda event: self._children.labels("up").inc(),
            ChildRekeyed: lambda event: self._children.labels("rekeyed").inc(),
            ChildDown: lambda event: self._children.labels("down").inc(),
            IkeRekeyed: lambda event: self._ike.labels("rekeyed").inc(),
            IkeMoved: lambda event: self._ike.labels("moved").inc(),
            AddressLeased: lambda event: self._leases.inc(len(event.addresses)),
            SessionEnded: lambda event: self._ended.labels(event.cause.name.lower()).inc(),
            Dropped: lambda event: self._dropped.labels(event.reason).inc(),
            Retransmitted: lambda event: self._retransmitted.inc(),
            ServerAnswered: lambda event: self._answered.labels(event.kind, event.server).observe(
                event.seconds
            ),
            ServerSilent: lambda event: self._silent.labels(event.kind, event.server).inc(),
        }

    def publish(self, event: Event) -> None:
        """Count one event."""
        count = self._heard.get(type(event))
        if count is not None:
            count(event)

    # ------------------------------------------------------------ logins

    def _ike_begun(self, event: IkeBegun) -> None:
        self._begun[event.sa.number] = self._now()
        if len(self._begun) > MOST_UNDER_WAY:
            forgotten, _ = self._begun.popitem(last=False)
            self._why.pop(forgotten, None)

    def _will_fail(self, sa: SaName, why: str) -> None:
        if sa.number in self._begun:
            self._why[sa.number] = why

    def _ike_up(self, event: IkeUp) -> None:
        began = self._begun.pop(event.sa.number, None)
        self._why.pop(event.sa.number, None)
        self._logins.labels(event.sa.connection, "up", "").inc()
        if began is not None:
            self._handshake.labels(event.method.partition(" ")[0]).observe(self._now() - began)

    def _ike_down(self, event: IkeDown) -> None:
        self._begun.pop(event.sa.number, None)
        why = self._why.pop(event.sa.number, "silence")
        if not event.was_up:
            self._logins.labels(event.sa.connection, "failed", why).inc()

    # ------------------------------------------------------------ the rest

    def _was_refused(self, event: Refused) -> None:
        notify = "other" if event.notify.isdecimal() else event.notify
        self._refused.labels("peer" if event.by_peer else "us", notify).inc()
        self._will_fail(event.sa, notify.lower())
