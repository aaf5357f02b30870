"""The section of the HTTP server: made into `Web`, and what its values must be to each other."""

from collections.abc import Iterator

from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.config.settings import Web


def build_web(web: Section) -> Web:
    """The settings; the section must be whole."""
    return Web(web["listen"], web["status_page"], tuple(web["hosts"]))


def check_web(web: Section) -> Iterator[Problem]:
    """A page that is wanted, and nowhere."""
    if web.whole("listen", "status_page") and web["status_page"] and web["listen"] is None:
        text = 'there is no server that could show it: give web.listen an address, "127.0.0.1:9440"'
        yield web.problem("status_page", text)
