"""How each server is reached: by sockets of ours, or by connections with TLS."""

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from ikegw.config.radius import RadiusServer, RadiusTransport, Service
from ikegw.ports import Random
from ikegw.radius.client import Connect
from ikegw.radius.link import Link, LinkEnd, OpenLink
from ikegw.radius.radsec import HANDSHAKE_SECONDS, TlsLink
from ikegw.radius.tls_context import Certificates, client_options
from ikegw.radius.udp import open_udp


def connector(reactor: Any, random: Random, certificates: Certificates) -> Connect:
    """What makes links to servers (`client.Connect`)."""

    def connect(server: RadiusServer, service: Service) -> OpenLink:
        if server.transport is RadiusTransport.UDP:
            return open_udp(reactor, server.endpoint(service), server.source)

        def opened(end: LinkEnd) -> Link:
            link = TlsLink(end, lambda: _endpoint(reactor, server, certificates), reactor, random)
            link.open()
            return link

        return opened

    return connect


def _endpoint(reactor: Any, server: RadiusServer, certificates: Certificates) -> IStreamClientEndpoint:
    """Made for each connection, so that each goes by the certificates that there are then."""
    there = server.endpoint(Service.AUTHENTICATION)
    kind = TCP4ClientEndpoint if there.address.version == 4 else TCP6ClientEndpoint
    source = (str(server.source), 0) if server.source is not None else None
    plain = kind(reactor, str(there.address), there.port, HANDSHAKE_SECONDS, source)
    return wrapClientTLS(client_options(server, certificates), plain)
