"""What is known of servers: the latest of each, and no more than there is room for."""

from ikegw.events import ServerAnswered, ServerSilent
from ikegw.service.promptness import MOST_SERVERS, Promptness


def test_the_latest_counts() -> None:
    promptness = Promptness()
    assert promptness.told("radius", "one") == ""
    promptness.publish(ServerAnswered("radius", "one", 0.0123))
    assert (promptness.told("radius", "one"), promptness.is_silent("radius", "one")) == ("12 ms", False)
    promptness.publish(ServerSilent("radius", "one"))
    assert (promptness.told("radius", "one"), promptness.is_silent("radius", "one")) == ("silent", True)
    promptness.publish(ServerAnswered("radius", "one", 0.0004))
    assert promptness.told("radius", "one") == "0.4 ms"


def test_servers_of_a_kind() -> None:
    promptness = Promptness()
    for server in ("office 10.1.0.68", "office 10.1.0.67"):
        promptness.publish(ServerAnswered("dhcp", server, 0.1))
    promptness.publish(ServerSilent("radius", "one"))
    assert promptness.servers("dhcp") == ["office 10.1.0.67", "office 10.1.0.68"]


def test_so_many_and_no_more() -> None:
    promptness = Promptness()
    for number in range(2 * MOST_SERVERS):
        promptness.publish(ServerAnswered("dhcp", f"office {number}", 0.1))
    assert len(promptness.servers("dhcp")) == MOST_SERVERS
