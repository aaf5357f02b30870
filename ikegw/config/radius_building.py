"""The sections of RADIUS, made into `RadiusSettings`."""

from typing import Final

from ikegw.config.radius import (
    PORTS,
    RADSEC_PORT,
    RADSEC_SECRET,
    RadiusRealm,
    RadiusServer,
    RadiusSettings,
    RadiusTransport,
    Schedule,
    Service,
)
from ikegw.config.reading import Section

_AUTHENTICATION_PORTS: Final = {
    RadiusTransport.UDP: PORTS[Service.AUTHENTICATION],
    RadiusTransport.TLS: RADSEC_PORT,
}


def build_radius(radius: Section, secrets: dict[str, Section]) -> RadiusSettings:
    """The settings; every section must be whole."""
    return RadiusSettings(
        tuple(_server(section, secrets) for section in radius.named["servers"].values()),
        tuple(
            RadiusRealm(section.path[-1], tuple(section["servers"]), section["strategy"])
            for section in radius.named["realms"].values()
        ),
        radius["nas_identifier"] or "",
        radius["station_id_with_port"],
        radius["framed_mtu"],
    )


def _server(section: Section, secrets: dict[str, Section]) -> RadiusServer:
    name, transport = section.path[-1], section["transport"]
    return RadiusServer(
        name=name,
        address=section["address"],
        secret=secrets[name]["secret"] if name in secrets else RADSEC_SECRET,
        transport=transport,
        auth_port=section["auth_port"] or _AUTHENTICATION_PORTS[transport],
        acct_port=section["acct_port"] or PORTS[Service.ACCOUNTING],
        source=section["source"],
        old=section["old"],
        schedule=Schedule(
            section["retransmit_timeout"], 1 + section["retransmit_tries"], section["retransmit_limit"]
        ),
        status_server=section["status_server"],
        probe_seconds=section["probe_interval"],
        most_in_flight=section["max_requests"],
        most_waiting=section["max_waiting"],
        server_name=section["server_name"] or "",
        authorities=tuple(section["cacerts"]),
        certificate=section["cert"] or "",
    )
