"""SAs, traps and endpoints as bodies of requests to the process."""

from ipaddress import ip_address
from typing import Any

from ikegw.dataplane.userspace.control import Json
from ikegw.paths import Endpoint
from ikegw.policy.shunts import Fate, Shunt
from ikegw.ports import Selectors, TunnelSa
from ikegw.wire.selectors import TrafficSelector


def named(spi: bytes) -> Json:
    """The body of a request about the SA with this inbound SPI."""
    return {"spi": int.from_bytes(spi, "big")}


def pair(endpoint: Endpoint) -> list[str | int]:
    """An endpoint in a body."""
    return [str(endpoint.address), endpoint.port]


def selector_in(body: list[Any]) -> TrafficSelector:
    """The reverse of a selector in a body."""
    start, end, protocol, start_port, end_port = body
    return TrafficSelector(ip_address(start), ip_address(end), protocol, start_port, end_port)


def trap_description(
    name: str, local_selectors: Selectors, remote_selectors: Selectors, quiet_seconds: float
) -> Json:
    """The body of a TRAP."""
    return {
        "name": name,
        "local_ts": [_selector(one) for one in local_selectors],
        "remote_ts": [_selector(one) for one in remote_selectors],
        "quiet_seconds": quiet_seconds,
    }


def shunt_description(shunt: Shunt) -> Json:
    """The body of a SHUNT."""
    return {
        "name": shunt.name,
        "fate": shunt.fate.value,
        "local_ts": [_selector(one) for one in shunt.local_selectors],
        "remote_ts": [_selector(one) for one in shunt.remote_selectors],
    }


def shunt_in(body: Json) -> Shunt:
    """The reverse."""
    local, remote = (tuple(map(selector_in, body[side])) for side in ("local_ts", "remote_ts"))
    return Shunt(body["name"], Fate(body["fate"]), local, remote)


def _selector(selector: TrafficSelector) -> list[str | int]:
    ends: list[str | int] = [str(selector.start), str(selector.end)]
    return [*ends, selector.protocol, selector.start_port, selector.end_port]


def description(sa: TunnelSa) -> Json:
    """The body of an INSTALL. It holds the keys."""
    limits, suite = sa.limits, sa.suite
    return {
        "name": sa.name,
        "local": pair(sa.path.local),
        "remote": pair(sa.path.remote),
        "udp": sa.udp_encapsulated,
        "in": int.from_bytes(sa.inbound_spi, "big"),
        "out": int.from_bytes(sa.outbound_spi, "big"),
        "encryption": suite.encryption.name,
        "integrity": suite.integrity.name if suite.integrity else None,
        "esn": suite.esn,
        "in_keys": [sa.inbound_keys.encryption.hex(), sa.inbound_keys.integrity.hex()],
        "out_keys": [sa.outbound_keys.encryption.hex(), sa.outbound_keys.integrity.hex()],
        "local_ts": [_selector(one) for one in sa.local_selectors],
        "remote_ts": [_selector(one) for one in sa.remote_selectors],
        "virtual": [str(address) for address in sa.virtual],
        "soft_seconds": limits.soft_seconds,
        "hard_seconds": limits.hard_seconds,
        "octets": [limits.soft_octets, limits.hard_octets],
        "packets": [limits.soft_packets, limits.hard_packets],
        "window": sa.replay_window,
        "standby": sa.standby,
    }
