"""No connection hands on more octets than it may, whatever they are: the lines of an endless header count like a body."""

from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

HEAD_OCTETS: Final = 64 << 10
"""What status line, header and chunk sizes may take, besides the body."""


class _Metered(ProtocolWrapper):
    def __init__(self, factory: Any, protocol: Any, most: int) -> None:
        super().__init__(factory, protocol)
        self._left = most

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Hand it on, or end a connection that has brought too much."""
        self._left -= len(data)
        if self._left < 0:
            self.abortConnection()
        else:
            super().dataReceived(data)  # type: ignore[no-untyped-call]


class _Metering(WrappingFactory):
    noisy = False

    def __init__(self, factory: Any, most: int) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        factory.noisy = False  # nobody wants to read of its starts and stops
        self._most = most

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """See IProtocolFactory."""
        return _Metered(self, self.wrappedFactory.buildProtocol(addr), self._most)


@implementer(IStreamClientEndpoint)
@frozen
class MeteredEndpoint:
    """Connects by `endpoint`; each connection may bring `most` octets."""

    endpoint: Any
    most: int

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """See IStreamClientEndpoint."""
        connecting: Deferred[Any] = self.endpoint.connect(_Metering(protocolFactory, self.most))
        return connecting.addCallback(lambda wrapper: wrapper.wrappedProtocol)
