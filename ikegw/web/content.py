"""The files of the status page, and the drawings of the machines; read once, for they do not change while we run."""

from importlib.resources import files
from typing import Final

from attrs import define
from twisted.web.resource import Resource
from twisted.web.server import Request

from ikegw.machines.drawing import FIGURES
from ikegw.web.guard import Folder

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
FILES: Final = ("page.html", "page.css", "page.js", "drawing.js", "tables.js", "icon.svg")


@define(eq=False, slots=False)
class File(Resource):
    """One file, from memory."""

    kind: str
    octets: bytes
    isLeaf = True  # noqa: N815 (Twisted's name)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)  # type: ignore[no-untyped-call]

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 (Twisted's name)
        """See `Resource`."""
        request.setHeader("Content-Type", self.kind)  # type: ignore[no-untyped-call]
        return self.octets


def put_into(resource: Resource) -> None:
    """Give `resource` every file of the page: the page itself at `/`, drawings in `/machines/`."""
    room = files("ikegw.web")
    for name in FILES:
        file = _file(name, room.joinpath("files", name).read_bytes())
        resource.putChild(b"" if name == "page.html" else name.encode(), file)
    drawings = Folder()  # type: ignore[no-untyped-call]
    for figure in FIGURES:
        name = f"{figure.name}.svg"
        drawings.putChild(name.encode(), _file(name, room.joinpath("machines", name).read_bytes()))
    resource.putChild(b"machines", drawings)


def _file(name: str, octets: bytes) -> File:
    return File(_TYPES[name.rpartition(".")[2]], octets)
