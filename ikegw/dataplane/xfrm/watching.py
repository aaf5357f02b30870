"""Any descriptor as one that the reactor reads."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IReadDescriptor)
class Watching:
    """`call` is called whenever there is something to read, until `stop`."""

    _log = Logger()

    def __init__(self, reactor: IReactorFDSet, descriptor: int, name: str, call: Callable[[], None]) -> None:
        self._reactor, self._descriptor, self._name, self._call = reactor, descriptor, name, call
        reactor.addReader(self)

    def stop(self) -> None:
        """Watch no more; whose descriptor it is closes it."""
        self._reactor.removeReader(self)

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def logPrefix(self) -> str:  # noqa: N802 (Twisted's name)
        """Twisted's name for it."""
        return self._name

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 (Twisted's name)
        """The reactor stops."""

    def doRead(self) -> None:  # noqa: N802 (Twisted's name)
        """Have it read; the reactor drops a reader that raises, so nothing may."""
        try:
            self._call()
        except Exception:  # noqa: BLE001 - what it reads must never be lost for good
            self._log.failure("internal error while reading {name}", name=self._name)
