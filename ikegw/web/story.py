"""What happened to one session, as JSON: its page asks when somebody looks at it."""

import json
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.web.resource import Resource
from twisted.web.server import Request

from ikegw.web.guard import Sentence


@define(eq=False, slots=False)
class Stories(Resource):
    """`/stories/NUMBER`; `tell` gives None for an IKE SA that nothing is known of."""

    tell: Callable[[int], Any]

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)  # type: ignore[no-untyped-call]

    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: N802 (Twisted's name)
        """See `Resource`."""
        number = int(path) if path.isdigit() and len(path) < 20 else -1
        story = self.tell(number)
        return Sentence(404, "There is no story of it.") if story is None else Story(story)


@define(eq=False, slots=False)
class Story(Resource):
    """One of them."""

    value: Any
    isLeaf = True  # noqa: N815 (Twisted's name)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)  # type: ignore[no-untyped-call]

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 (Twisted's name)
        """See `Resource`."""
        request.setHeader("Content-Type", "application/json")  # type: ignore[no-untyped-call]
        return json.dumps(self.value).encode()
