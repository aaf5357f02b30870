"""The dashboard and the alerts of docs/monitoring ask for what there is: names, labels and values as our page has them."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from attrs import frozen
from prometheus_client import CollectorRegistry
from twisted.internet.task import Clock

from ikegw.events import (
    AddressLeased,
    AuthFailed,
    AuthFailure,
    ChildRekeyed,
    Dropped,
    IkeBegun,
    IkeDown,
    IkeRekeyed,
    IkeUp,
    Refused,
    Retransmitted,
    ServerAnswered,
    ServerSilent,
    SessionEnded,
)
from ikegw.machines.drawing import FIGURES
from ikegw.metrics.gauges import Gauges, RadiusServerState, ReactorDelay, Standing
from ikegw.metrics.measures import Measures
from ikegw.paths import Endpoint
from ikegw.paths import Path as Way
from ikegw.policy.identities import parse_identity
from ikegw.session import EndCause, SaName, Session

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
DASHBOARD = json.loads((MONITORING / "grafana.json").read_text())
RULES = yaml.safe_load((MONITORING / "alerts.yml").read_text())

FROM_PROMETHEUS = {"instance", "job"}
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*"}

POSSIBLE = {
    "state": {state for figure in FIGURES for state in figure.states},
    "cause": {cause.name.lower() for cause in EndCause},
    "result": {"up", "failed"},
    "reason": {"forged"},  # gate, ike and net have these words
    "what": {"received"},
    "job": {"ikegw"},
}
"""What labels can be, of those that we compare with a value."""


@frozen
class Asked:
    """One metric that an expression asks for; `by` are the labels that its sums are by."""

    name: str
    matchers: tuple[Any, ...]
    by: frozenset[str]


def asked(tree: Any, by: frozenset[str] = frozenset()) -> Iterator[Asked]:
    """Every metric in an expression that was read."""
    if isinstance(tree, promql_parser.VectorSelector):
        yield Asked(tree.name, tuple(tree.matchers.matchers), by)
    if isinstance(tree, promql_parser.AggregateExpr) and tree.modifier is not None:
        by |= frozenset(tree.modifier.labels)
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        inner = getattr(tree, name, ())
        for each in inner if isinstance(inner, list | tuple) else (inner,):
            yield from asked(each, by)


def expressions() -> Iterator[tuple[str, str, str]]:
    """Where each stands, the text that is shown with it, and the expression."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']} {target['refId']}", target["legendFormat"], target["expr"]
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", " ".join(rule["annotations"].values()), rule["expr"]


EXPRESSIONS = tuple(expressions())


def read(expression: str) -> Any:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return promql_parser.parse(expression)


@pytest.fixture(scope="module")
def page() -> dict[str, set[str]]:
    """The name of each sample that our page can have, with its labels."""
    registry = CollectorRegistry()
    measures = Measures(registry, lambda: 0.0)
    sa, me = SaName("road", 1), parse_identity("gw.example.org")
    way = Way(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("198.51.100.9"), 500))
    for event in (
        IkeBegun(sa, way, False),
        IkeUp(sa, way, False, me, me, "", b"", b"", "psk"),
        IkeDown(sa, way, me, "x", False),
        AuthFailed(sa, way, me, AuthFailure.NOT_AUTHENTIC, "x"),
        Refused(sa, way, False, "TS_UNACCEPTABLE", "x"),
        ChildRekeyed(sa, "net", b"", b""),
        IkeRekeyed(sa, "", b"", b""),
        AddressLeased(sa, me, ()),
        SessionEnded(Session("1", sa, way, me, me, "", "psk", 0.0), EndCause.LOST_CARRIER, "x", 1.0),
        Dropped(way, "forged"),
        Retransmitted(sa, way, 1),
        ServerAnswered("dhcp", "office", 0.01),
        ServerSilent("dhcp", "office"),
    ):
        measures.publish(event)
    standing = Standing(
        states=lambda: {("mature", "SM_MATURE"): 1, ("child", "SA_MATURE"): 1},
        half_open=lambda: 0,
        cookies=lambda: 0,
        datagrams=lambda: {"received": 1},
        pools=lambda: [("clients", 4, 254, 1)],
        dhcp_leases=lambda: {"office": 1},
        dhcp_messages=lambda: {("10.60.0.1:67", "answer"): 1},
        radius_servers=lambda: [RadiusServerState("one", "authentication", True, 0, {"answered": 1})],
        octets=lambda: (1, 1),
        trouble=lambda: {"in_unknown": 1},
    )
    Gauges(registry, standing, ReactorDelay(Clock()), "0.1.0")
    samples: dict[str, set[str]] = {"up": set()}
    for metric in registry.collect():
        for sample in metric.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


@pytest.mark.parametrize(
    ("where", "shown", "expression"), EXPRESSIONS, ids=[where for where, _, _ in EXPRESSIONS]
)
def test_it_asks_for_what_there_is(
    page: dict[str, set[str]], where: str, shown: str, expression: str
) -> None:
    found = list(asked(read(expression)))
    assert found, where
    for one in found:
        assert one.name in page, f"{where}: there is no {one.name}"
        labels = page[one.name] | FROM_PROMETHEUS
        assert {matcher.name for matcher in one.matchers} <= labels, where
        assert one.by <= labels, where
        for matcher in one.matchers:
            if matcher.op == promql_parser.MatchOp.Equal:
                assert matcher.value in POSSIBLE[matcher.name], f"{where}: {matcher.name}={matcher.value}"
    legend = set(re.findall(r"\{\{\s*\$labels\.(\w+)", shown)) | set(re.findall(r"\{\{(\w+)\}\}", shown))
    assert legend <= set().union(*(one.by or page[one.name] | FROM_PROMETHEUS for one in found)), where


def test_the_words_that_are_compared_with_are_words_of_ours() -> None:
    package = Path(__file__).parents[2] / "ikegw"
    text = "\n".join(file.read_text() for room in ("ike", "net") for file in (package / room).glob("*.py"))
    for label in ("reason", "what"):
        assert all(f'"{word}"' in text for word in POSSIBLE[label])


@pytest.mark.parametrize(
    ("what", "metric"),
    [
        ("IKE SAs by state", "ikegw_ike_sas"),
        ("CHILD SAs by state", "ikegw_children"),
        ("logins by result and reason", "ikegw_logins_total"),
        ("handshake seconds as a histogram", "ikegw_handshake_seconds_bucket"),
        ("latency for each server", "ikegw_server_seconds_bucket"),
        ("time-outs for each server", "ikegw_server_timeouts_total"),
        ("retransmissions", "ikegw_retransmitted_total"),
        ("cookies", "ikegw_cookies_total"),
        ("drops by reason", "ikegw_dropped_total"),
        ("pool use", "ikegw_pool_lent"),
        ("pool sizes", "ikegw_pool_size"),
        ("data plane octets", "ikegw_octets_total"),
        ("netlink errors", "ikegw_data_plane_trouble_total"),
        ("reactor delay", "ikegw_reactor_delay_seconds"),
    ],
)
def test_what_an_operator_wants_to_know_is_on_the_page_and_on_the_dashboard(
    page: dict[str, set[str]], what: str, metric: str
) -> None:
    assert metric in page, what
    shown = {
        one.name for where, _, text in EXPRESSIONS if where.startswith("panel") for one in asked(read(text))
    }
    assert metric in shown, what


def test_every_alert_says_what_is_wrong_how_bad_and_what_to_do() -> None:
    alerts = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert rule["alert"].startswith("Ikegw")
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))


def test_the_dashboard_fits_together() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells
