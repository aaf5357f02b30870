"""The page that Prometheus reads: /metrics, read-only, for whoever reaches the address that it is on.

Not the client library's own resource: that asks in a thread, and what is asked belongs to the reactor's.
"""

from attrs import define
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from twisted.web.resource import Resource
from twisted.web.server import Request


@define(eq=False, slots=False)
class MetricsPage(Resource):
    """GET gives every metric of `registry`."""

    registry: CollectorRegistry
    isLeaf = True  # noqa: N815 (Twisted's name)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)  # type: ignore[no-untyped-call]

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 (Twisted's name)
        """See `Resource`."""
        request.setHeader("Content-Type", CONTENT_TYPE_LATEST)  # type: ignore[no-untyped-call]
        return generate_latest(self.registry)
