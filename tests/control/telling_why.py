"""A login in memory, and what `ikegwctl why` then tells of it."""

from ikegw.control.stories import Stories
from ikegw.control.tables import TABLES
from ikegw.control.why import told
from ikegw.service.lines import text_of
from ikegw.testing.pair import Pair
from ikegw.testing.world import Host


def stories_of(host: Host) -> Stories:
    stories = Stories(lambda: 17.0)
    for event in host.events:
        stories.publish(event)
    return stories


def why(host: Host, peer: str) -> tuple[str, str]:
    """(cause, advice) of the latest story about a peer, and that it can be read as a whole."""
    story, *_ = stories_of(host).about(peer)
    answer = told(story, text_of)
    page = "\n".join(TABLES["why"]({"stories": [answer], "dropped": []}))
    assert f"Why: {answer['cause']}" in page
    assert f"What to do: {answer['advice']}" in page
    assert "failed after" in page
    return str(answer["cause"]), str(answer["advice"])


def attempt(pair: Pair, seconds: float = 1.0, step: float = 0.005) -> None:
    pair.client.gateway.initiate("home").addErrback(lambda _: None)
    pair.world.run(seconds, step)
