"""A login in memory, and what `ikegwctl why` then tells of it: in words that the page for operators has, too."""

import re
from functools import cache
from pathlib import Path

from ikegw.control.stories import Stories
from ikegw.control.tables import TABLES
from ikegw.control.why import told
from ikegw.service.lines import text_of
from ikegw.testing.pair import Pair
from ikegw.testing.world import Host

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"


@cache
def documented() -> tuple[re.Pattern[str], ...]:
    """The causes on the page, where `…` stands for what differs."""
    causes = re.findall(r"^Why: (.*)$", PAGE.read_text(), re.MULTILINE)
    return tuple(re.compile(re.escape(cause).replace("…", ".+")) for cause in causes)


def stories_of(host: Host) -> Stories:
    """All that the host's daemon would remember."""
    stories = Stories(lambda: 17.0)
    for event in host.events:
        stories.publish(event)
    return stories


def asked(host: Host, peer: str) -> tuple[str, str, str]:
    """(outcome, cause, advice) of the latest story about a peer, which can be read as a whole, and whose cause is on the page."""
    story, *_ = stories_of(host).about(peer)
    answer = told(story, text_of)
    page = "\n".join(TABLES["why"]({"peer": peer, "stories": [answer], "dropped": []}))
    outcome, cause, advice = str(answer["outcome"]), str(answer["cause"]), str(answer["advice"])
    assert f"Why: {cause}" in page
    assert f"What to do: {advice}" in page
    assert any(known.fullmatch(cause) for known in documented()), f"{PAGE.name} does not have: {cause}"
    return outcome, cause, advice


def why(host: Host, peer: str) -> tuple[str, str]:
    """(cause, advice) of a login that failed."""
    outcome, cause, advice = asked(host, peer)
    assert outcome.startswith("failed after")
    return cause, advice


def attempt(pair: Pair, seconds: float = 1.0, step: float = 0.005) -> None:
    """The client tries."""
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(seconds, step)
