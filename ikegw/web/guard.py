"""Who may read the status page: a browser that was led here by this gateway's own address or name, and not by another page.

Somebody's web page can have its own name mean our address (DNS rebinding), and would then read ours as its own: the Host header
still says that name, and is refused."""

import re
from collections.abc import Callable, Container
from ipaddress import ip_address
from typing import Final

from attrs import define
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:\d{1,5})?")

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_own(host: str, names: Container[str]) -> bool:
    """Is a Host header an address, `localhost`, or one of `names`, with any port? No other page can have that for its own."""
    matched = _HOST.fullmatch(host)
    if matched is None:
        return False
    name = matched[1].removeprefix("[").removesuffix("]").rstrip(".").lower()
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost" or name in names
    return True


@define(eq=False, slots=False)
class Guarded(Resource):
    """Gives what is `within` to whom `names` lets in, with headers that let a browser load nothing from elsewhere."""

    within: IResource
    names: Callable[[], Container[str]]

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)  # type: ignore[no-untyped-call]

    def getChild(self, path: bytes, request: Request) -> IResource:  # noqa: N802 (Twisted's name)
        """See `Resource`."""
        for name, value in _HEADERS.items():
            request.setHeader(name, value)  # type: ignore[no-untyped-call]
        host = request.getHeader("host") or ""
        if not is_own(host, self.names()):
            return Sentence(
                403, "This is no name of this gateway: ask by its address, or add the name to web.hosts."
            )
        if (
            request.getHeader("sec-fetch-site") == "cross-site"
            and request.getHeader("sec-fetch-mode") != "navigate"
        ):
            return Sentence(403, "Other pages may not read this one.")
        child: IResource = self.within.getChildWithDefault(path, request)  # type: ignore[no-untyped-call]
        return child


class Folder(Resource):
    """Its children, and nothing else."""

    def getChild(self, path: bytes, request: Request) -> IResource:  # noqa: N802 (Twisted's name)
        """See `Resource`."""
        return notFound()


@define(eq=False, slots=False)
class Sentence(Resource):
    """A status, and a sentence that says why."""

    code: int
    text: str
    isLeaf = True  # noqa: N815 (Twisted's name)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)  # type: ignore[no-untyped-call]

    def render(self, request: Request) -> bytes:
        """See `Resource`."""
        request.setResponseCode(self.code)
        request.setHeader("Content-Type", "text/plain; charset=utf-8")  # type: ignore[no-untyped-call]
        return f"{self.text}\n".encode()
