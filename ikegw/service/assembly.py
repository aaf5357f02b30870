"""Joins the rooms: what a gateway needs of the world, made of sockets and a configuration, and the gateway itself."""

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, frozen
from cryptography import x509
from prometheus_client import CollectorRegistry
from twisted.internet.threads import deferToThread
from twisted.logger import Logger, LogLevel

from ikegw.auth.authenticator import Authenticator
from ikegw.auth.sources import Library
from ikegw.config import Config
from ikegw.config.settings import GateLimits, Logging
from ikegw.control.stories import Stories
from ikegw.download.fetcher import Downloads
from ikegw.events import Event
from ikegw.gate.admission import Admission
from ikegw.gate.limits import Limits
from ikegw.ike.gateway import Gateway
from ikegw.metrics.measures import Measures
from ikegw.net.sockets import IkeSocket
from ikegw.net.transport import Received, UdpTransport
from ikegw.paths import Path
from ikegw.ports import DataPlane
from ikegw.programs.naming import NamingPlane
from ikegw.programs.resolvers import Resolver, find
from ikegw.programs.updown import AnnouncingPlane
from ikegw.radius.accounting import Accounting
from ikegw.radius.accounting_asking import asking
from ikegw.radius.client import RadiusClient
from ikegw.radius.connecting import connector
from ikegw.radius.dynamic import DynamicAuthorization
from ikegw.radius.dynamic_listener import DynamicListener
from ikegw.radius.login import RadiusLogins
from ikegw.radius.station import Station
from ikegw.service.audience import Audience
from ikegw.service.capturing import Capturing
from ikegw.service.counters import Counters
from ikegw.service.eap import OwnEap
from ikegw.service.hearing import by_kind
from ikegw.service.journal import Journal
from ikegw.service.kept_lists import KeptLists
from ikegw.service.lending import Lenders
from ikegw.service.logins import Logins
from ikegw.service.preparation import Prepared
from ikegw.service.promptness import Promptness
from ikegw.service.shunts import Shunting
from ikegw.service.traffic import Traffic


@frozen
class Plane:
    """A data plane that is not started yet, what kind it is, and why that kind, for the operator.

    `reads_nat_t`: it reads the NAT-T sockets itself and hands on the IKE messages.
    """

    plane: DataPlane
    kind: str
    reads_nat_t: bool
    why: str = "as configured"


MakePlane = Callable[[Any, Config, tuple[IkeSocket, ...], Received, Callable[[str], None]], Plane]
"""Made of: the reactor, the configuration, IKE's sockets, whom to hand IKE messages to, and whom to tell why it died."""


@define(eq=False)
class Assembled:
    """A gateway with all that it stands on. A reload changes `prepared` and parts of what is here, never the parts themselves."""

    prepared: Prepared
    transport: UdpTransport
    plane: Plane
    shunting: Shunting
    announcing: AnnouncingPlane
    naming: NamingPlane
    addresses: Lenders
    authenticator: Authenticator
    admission: Admission
    gateway: Gateway
    radius: RadiusClient
    logins: RadiusLogins
    accounting: Accounting
    coa: DynamicListener
    journal: Journal
    counters: Counters
    stories: Stories
    audience: Audience
    registry: CollectorRegistry
    eap: OwnEap
    downloads: Downloads
    kept_lists: KeptLists
    capturing: Capturing
    traffic: Traffic
    promptness: Promptness


def assemble(
    reactor: Any,
    prepared: Prepared,
    sockets: tuple[IkeSocket, ...],
    log: Logger,
    make_plane: MakePlane,
    plane_lost: Callable[[str], None],
) -> Assembled:
    """Make all parts and join them; nothing is started. The sockets belong to the transport from now on."""
    config = prepared.config
    transport = UdpTransport(sockets)

    def received_by_plane(path: Path, octets: bytes) -> None:
        transport.arrived(path, octets)
        gateway.datagram_received(path, octets)

    plane = make_plane(reactor, config, transport.sockets(), received_by_plane, plane_lost)
    announcing = AnnouncingPlane(plane.plane, reactor)
    naming = NamingPlane(announcing, reactor, resolver_of(config))

    def authorities() -> list[x509.Certificate]:
        trusted = authenticator.credentials.authorities.values()
        return [each.certificate for file in trusted for each in file]

    downloads = Downloads(config.downloads, reactor, deferToThread, config.directories.crls, authorities)
    kept_lists = KeptLists.make(config)
    authenticator = Authenticator(
        prepared.credentials,
        _now,
        deferToThread,
        fetcher=downloads,
        library=_library(kept_lists),
        refresh=refresh_of(config),
    )
    eap = OwnEap.make(reactor, prepared, authenticator)
    admission = Admission(gate_limits(config.limits), os.urandom, reactor.seconds())
    journal = Journal(log, reactor.seconds, *journal_settings(config.logging))
    traffic, promptness = Traffic(plane.plane, reactor), Promptness()
    counters, stories, audience = Counters(), Stories(time.time), Audience()
    capturing = Capturing(config.capture, transport, reactor, time.time, log)
    registry = CollectorRegistry()
    measures = Measures(registry, reactor.seconds)

    def publish(event: Event) -> None:
        counters.publish(event)
        journal.publish(event)
        stories.publish(event)
        audience.publish(event)
        measures.publish(event)
        for hear in of_few_kinds.get(type(event), ()):
            hear(event)

    addresses = Lenders.make(reactor, config, prepared.pools, publish)
    radius = RadiusClient(
        config.radius, connector(reactor, os.urandom, eap.certificates), reactor, os.urandom, publish
    )
    logins = RadiusLogins(radius, station(config))
    accounting = Accounting(
        config.accounting, reactor, time.time, deferToThread, asking(radius), station(config)
    )
    gateway = Gateway(
        reactor,
        os.urandom,
        transport,
        naming,
        addresses.addresses,
        authenticator,
        Logins(local=eap.authenticator, radius=logins),
        eap.supplicants,
        admission,
        config.connections,
        publish,
        capturing.made_keys,
    )
    of_few_kinds = by_kind((accounting, traffic, promptness))
    coa = DynamicListener(
        config.coa,
        DynamicAuthorization(gateway, station(config), transport.addresses),
        reactor,
        time.time,
        publish,
    )
    return Assembled(
        prepared,
        transport,
        plane,
        Shunting(plane.plane),
        announcing,
        naming,
        addresses,
        authenticator,
        admission,
        gateway,
        radius,
        logins,
        accounting,
        coa,
        journal,
        counters,
        stories,
        audience,
        registry,
        eap,
        downloads,
        kept_lists,
        capturing,
        traffic,
        promptness,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _library(kept_lists: KeptLists) -> Library:
    return Library(kept_lists.archive, _now, deferToThread, os.urandom)


def accounting_realms(config: Config) -> tuple[str, ...]:
    """Give the realms that are told of any sessions."""
    return tuple({one.accounting: None for one in config.connections if one.accounting})


def gate_limits(limits: GateLimits) -> Limits:
    """Give the gate its thresholds as configured."""
    return Limits(
        cookie_total=limits.cookie_threshold,
        cookie_per_source=limits.cookie_threshold_ip,
        block_per_source=limits.block_threshold,
        hard_total=limits.half_open,
    )


def refresh_of(config: Config) -> timedelta:
    """Give the age that what is known of a live session's certificates may have."""
    return timedelta(seconds=config.downloads.refresh_seconds)


def resolver_of(config: Config) -> Resolver | None:
    """Give who is told of DNS servers that are lent to us; nobody where none can be."""
    if not any(connection.virtual for connection in config.connections):
        return None
    return find(config.resolver.kind, config.data_plane.tun)


def station(config: Config) -> Station:
    """Give RADIUS servers the name that they know us by."""
    return Station.of(config.radius, socket.gethostname())


def journal_settings(logging: Logging) -> tuple[LogLevel, bool]:
    """Give the journal its level, and whether it tells states."""
    return LogLevel.levelWithName(logging.level.value), logging.states
