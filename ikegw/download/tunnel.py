"""Through an HTTP proxy to where TLS begins: CONNECT (RFC 9110 §9.3.6)."""

from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

LONGEST_ANSWER: Final = 8192
"""Octets of the proxy's header."""


class ProxyRefused(Exception):
    """The proxy does not connect us; the text says what it said."""


@implementer(IStreamClientEndpoint)
@frozen(eq=False)
class TunnelEndpoint:
    """`proxy` is the endpoint of the proxy, `authority` the host and port to be connected to (`ca.example.org:443`)."""

    proxy: Any
    authority: str

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 (Twisted's name)
        """See IStreamClientEndpoint; errback ProxyRefused too."""

        def asked(opening: _Opening) -> Deferred[IProtocol]:
            return opening.through

        factory: Any = Factory.forProtocol(lambda: _Opening(self.authority, protocolFactory))
        factory.noisy = False
        connecting: Deferred[Any] = self.proxy.connect(factory)
        return connecting.addCallback(asked)


class _Opening(Protocol):
    """Asks, reads the proxy's header, and is from then on but a pipe to the protocol for which all this is done."""

    def __init__(self, authority: str, factory: IProtocolFactory) -> None:
        self._authority, self._factory = authority, factory
        self._header = b""
        self._inner: Any = None
        self.through: Deferred[IProtocol] = Deferred(lambda _: self._transport.abortConnection())

    @property
    def _transport(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's name)
        """See IProtocol."""
        self._transport.write(
            f"CONNECT {self._authority} HTTP/1.1\r\nHost: {self._authority}\r\n\r\n".encode("ascii")
        )

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """See IProtocol."""
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._header += data
        header, end, rest = self._header.partition(b"\r\n\r\n")
        if end:
            self._answered(header.partition(b"\r\n")[0].decode("latin-1"), rest)
        elif len(self._header) > LONGEST_ANSWER:
            self._refuse("an endless header")

    def _answered(self, status: str, rest: bytes) -> None:
        version, _, code = status.partition(" ")
        if not version.startswith("HTTP/1.") or not code.startswith("2"):
            self._refuse(status[:80])
            return
        self._inner = self._factory.buildProtocol(self._transport.getPeer())
        self._inner.makeConnection(self._transport)
        self.through.callback(self._inner)
        if rest:
            self._inner.dataReceived(rest)

    def _refuse(self, said: str) -> None:
        through, self.through = self.through, Deferred()
        self._transport.abortConnection()
        through.errback(ProxyRefused(f"the proxy does not connect us to {self._authority}: it says {said!r}"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        """See IProtocol."""
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.through.called:
            self._refuse("nothing")
