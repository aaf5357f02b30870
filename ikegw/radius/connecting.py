"""How each server is reached: by sockets of ours."""

from typing import Any

from ikegw.config.radius import RadiusServer, Service
from ikegw.radius.client import Connect
from ikegw.radius.link import OpenLink
from ikegw.radius.udp import open_udp


def connector(reactor: Any) -> Connect:
    """What makes links to servers (`client.Connect`)."""

    def connect(server: RadiusServer, service: Service) -> OpenLink:
        return open_udp(reactor, server.endpoint(service), server.source)

    return connect
