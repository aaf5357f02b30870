"""The status page: its files, its stream, and the stories that it asks for, behind one guard."""

from collections.abc import Callable, Container
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from ikegw.web.content import put_into
from ikegw.web.guard import Folder, Guarded
from ikegw.web.snapshot import Snapshot
from ikegw.web.story import Stories
from ikegw.web.stream import Stream


@define(eq=False)
class StatusPage:
    """`look` gives what stands, `tell` what happened to the IKE SA of a number, `names` what the page may be asked for by."""

    clock: IReactorTime
    look: Callable[[], Snapshot]
    tell: Callable[[int], Any]
    names: Callable[[], Container[str]]
    stream: Stream = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.stream = Stream(self.clock, self.look)

    def guarded(self) -> Guarded:
        """The root of it all."""
        page = Folder()  # type: ignore[no-untyped-call]
        put_into(page)
        page.putChild(b"events", self.stream)
        page.putChild(b"stories", Stories(self.tell))
        return Guarded(page, self.names)
