"""What a visitor cannot make us do, keep, or wait for."""

from browsing import Looking

from ikegw.web.serving import IDLE_SECONDS, MOST_CONNECTIONS


def test_nothing_can_be_sent_here(looking: Looking) -> None:
    for method in ("POST", "PUT", "DELETE"):
        for path in ("/", "/events", "/stories/7"):
            assert looking.browsing.answer(path, method=method).startswith("HTTP/1.1 405 "), (method, path)


def test_what_comes_with_a_request_is_not_kept(looking: Looking) -> None:
    protocol, connection = looking.browsing.ask("/", "Content-Length: 100000000", method="POST")
    (request,) = protocol.wrappedProtocol._channel.requests
    for _ in range(100):
        protocol.dataReceived(bytes(100_000))
    assert request.content.getbuffer().nbytes == 0
    assert not connection.value()


def test_no_more_connections_than_there_is_room_for(looking: Looking) -> None:
    served = looking.browsing.served
    for _ in range(MOST_CONNECTIONS):
        looking.browsing.ask("/")
    assert served.buildProtocol(None) is None


def test_hanging_up_ends_every_connection(looking: Looking) -> None:
    connections = [looking.browsing.ask(path)[1] for path in ("/", "/events")]
    looking.browsing.served.hang_up()
    assert all(connection.disconnected for connection in connections)


def test_a_connection_on_which_nothing_goes_is_ended_without_a_word(looking: Looking) -> None:
    _, idle = looking.browsing.ask("/")
    _, viewer = looking.browsing.ask("/events")
    looking.clock.pump([1.0] * int(IDLE_SECONDS))
    assert idle.disconnected
    assert not viewer.disconnected  # which is told at least that nothing changed
