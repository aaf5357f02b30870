"""The verbs of the control socket that tell what happened, and what happens."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from ikegw.control.protocol import Json
from ikegw.control.server import Tell
from ikegw.control.stories import Stories
from ikegw.control.why import told, told_of_knocking
from ikegw.events import Event
from ikegw.service.arguments import Arguments, text_of_argument
from ikegw.service.audience import Audience
from ikegw.service.lines import level_of, text_of
from ikegw.service.showing import Answer

MOST_FAILURES = 20


@define(eq=False)
class Telling:
    """Tells out of `stories`, and what `audience` hears; `wall` is the time of day, in seconds since the epoch."""

    stories: Stories
    audience: Audience
    wall: Callable[[], float]

    def why(self, arguments: Arguments) -> Answer:
        """The stories about a peer, the latest first; without a peer, the latest logins that failed."""
        peer = text_of_argument(arguments, "peer", "")
        stories = self.stories.about(peer) if peer else list(self.stories.failed())[:MOST_FAILURES]
        dropped: list[Json] = []
        with suppress(ValueError):
            knocking = self.stories.knocking(ip_address(peer))
            dropped = [] if knocking is None else told_of_knocking(knocking)
        return {
            "now": self.wall(),
            "peer": peer,
            "stories": [told(story, text_of) for story in stories],
            "dropped": dropped,
        }

    def events(self, arguments: Arguments, tell: Tell) -> Deferred[Any]:
        """Every event as it happens, or those about one peer, until the asker hangs up."""
        peer = text_of_argument(arguments, "peer", "")

        def hear(event: Event) -> None:
            if not peer or self.stories.concerns(event, peer):
                tell(
                    {
                        "at": self.wall(),
                        "kind": type(event).__name__,
                        "sa": str(getattr(event, "sa", "")),
                        "level": level_of(event).name,
                        "text": text_of(event),
                    }
                )

        ending: Deferred[Any] = Deferred(lambda _: self.audience.leave(hear))
        self.audience.join(hear)
        return ending
