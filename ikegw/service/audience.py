"""Those who hear every event while they listen: operators that watch."""

from attrs import define, field
from twisted.logger import Logger

from ikegw.events import Event, Publish


@define(eq=False)
class Audience:
    """Tells events on (`events.Publish`); one who fails to hear is sent away, and nobody else notices."""

    _listeners: list[Publish] = field(factory=list, init=False)
    _log = Logger()

    def publish(self, event: Event) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - whatever a listener's fault is, it stays the listener's
                self._log.failure("internal error while telling an event; whoever listened hears no more")
                self.leave(listener)

    @property
    def listens(self) -> bool:
        """Is anybody there?"""
        return bool(self._listeners)

    def join(self, listener: Publish) -> None:
        """Listen from now on."""
        self._listeners.append(listener)

    def leave(self, listener: Publish) -> None:
        """Listen no more; leaving twice does nothing."""
        if listener in self._listeners:
            self._listeners.remove(listener)
