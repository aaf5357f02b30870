"""Downloads from real HTTP servers on loopback, which answer as one would not wish."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from http_servers import QUICK, REACTOR, Serve, failure_of, ok, redirect
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import LoopingCall

from ikegw.download.fetcher import Downloads


@pytest_twisted.inlineCallbacks
def test_what_is_there_comes(serve: Serve, downloads: Downloads) -> Any:
    server = serve(lambda transport, request: transport.write(ok(b"a list")))
    assert (yield downloads.fetch(server.url())) == b"a list"
    assert server.requests[0].startswith(b"GET /x HTTP/1.1\r\n")


@pytest_twisted.inlineCallbacks
def test_a_question_is_posted(serve: Serve, downloads: Downloads) -> Any:
    server = serve(lambda transport, request: transport.write(ok(b"good")))
    url = server.url()
    assert (yield downloads.fetch(url, b"question", "application/ocsp-request")) == b"good"
    (request,) = server.requests
    assert request.startswith(b"POST /x ")
    assert request.endswith(b"\r\n\r\nquestion")
    assert b"application/ocsp-request" in request


@pytest_twisted.inlineCallbacks
def test_equal_ones_are_one(serve: Serve, downloads: Downloads) -> Any:
    server = serve(lambda transport, request: transport.write(ok(b"a list")))
    every = yield gatherResults([downloads.fetch(server.url()) for _ in range(20)])
    assert every == [b"a list"] * 20
    assert len(server.requests) == 1


@pytest_twisted.inlineCallbacks
def test_a_silent_server_costs_its_time_and_is_left_alone_then(serve: Serve, downloads: Downloads) -> Any:
    downloads.settings = evolve(QUICK, seconds=0.2)
    server = serve(lambda transport, request: None)
    assert "within 0.2 s" in (yield failure_of(downloads.fetch(server.url())))
    assert "within 0.2 s" in (yield failure_of(downloads.fetch(server.url())))
    assert len(server.requests) == 1


@pytest_twisted.inlineCallbacks
def test_an_octet_now_and_then_gains_no_time(serve: Serve, downloads: Downloads) -> Any:
    drips: list[Any] = []

    def drip(transport: Any, request: bytes) -> None:
        transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        drips.append(LoopingCall(transport.write, b"x"))  # type: ignore[no-untyped-call]
        drips[-1].start(0.02)

    downloads.settings = evolve(QUICK, seconds=0.3)
    server = serve(drip)
    try:
        assert "within 0.3 s" in (yield failure_of(downloads.fetch(server.url())))
    finally:
        for each in drips:
            each.stop()


def endless(head: bytes, more: bytes) -> Callable[[Any, bytes], None]:
    def behave(transport: Any, request: bytes) -> None:
        class Producer:
            def resumeProducing(self) -> None:
                transport.write(more)

            def stopProducing(self) -> None:
                pass

        transport.write(head)
        transport.registerProducer(Producer(), False)

    return behave


@pytest_twisted.inlineCallbacks
def test_an_endless_body_ends_at_the_limit(serve: Serve, downloads: Downloads) -> Any:
    server = serve(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 5000))
    assert "more than 10000 octets" in (yield failure_of(downloads.fetch(server.url())))


@pytest_twisted.inlineCallbacks
def test_an_endless_header_too(serve: Serve, downloads: Downloads) -> Any:
    server = serve(endless(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 5000 + b"\r\n"))
    why = yield failure_of(downloads.fetch(server.url()))
    assert "within" not in why, "the limit of octets ended it, not that of time"


@pytest_twisted.inlineCallbacks
def test_what_says_that_it_is_too_large_is_not_awaited(serve: Serve, downloads: Downloads) -> Any:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n"
    server = serve(lambda transport, request: transport.write(head))
    assert "10001 octets" in (yield failure_of(downloads.fetch(server.url())))


@pytest.mark.parametrize(
    "answer",
    [
        b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
)
@pytest_twisted.inlineCallbacks
def test_garbage_is_a_failure(serve: Serve, downloads: Downloads, answer: bytes) -> Any:
    def behave(transport: Any, request: bytes) -> None:
        transport.write(answer)
        transport.loseConnection()

    why = yield failure_of(downloads.fetch(serve(behave).url()))
    assert "127.0.0.1" in why
    assert "within" not in why
    assert "Failure" not in why


@pytest_twisted.inlineCallbacks
def test_redirects_in_a_circle_end(serve: Serve, downloads: Downloads) -> Any:
    server = serve(lambda transport, request: transport.write(redirect("/again")))
    assert "more than 3 redirects" in (yield failure_of(downloads.fetch(server.url())))
    assert len(server.requests) == 4


@pytest_twisted.inlineCallbacks
def test_a_redirect_is_followed(serve: Serve, downloads: Downloads) -> Any:
    target = serve(lambda transport, request: transport.write(ok(b"a list")))
    server = serve(lambda transport, request: transport.write(redirect(target.url("/there"))))
    assert (yield downloads.fetch(server.url())) == b"a list"


@pytest_twisted.inlineCallbacks
@pytest.mark.parametrize("to", ["file:///etc/passwd", "gopher://x/", "http://[", "", "http://a b/"])
def test_but_not_to_just_anything(serve: Serve, downloads: Downloads, to: str) -> Any:
    server = serve(lambda transport, request: transport.write(redirect(to)))
    assert "redirects to what is no http" in (yield failure_of(downloads.fetch(server.url())))


@pytest_twisted.inlineCallbacks
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_nobody_outside_makes_us_connect_to_ourselves(serve: Serve, downloads: Downloads, host: str) -> Any:
    downloads.settings = evolve(QUICK, networks=())
    server = serve(lambda transport, request: transport.write(ok(b"secret")))
    why = yield failure_of(downloads.fetch(server.url(host=host)))
    assert not server.requests
    assert "is no public address" in why or "no address" in why


@pytest_twisted.inlineCallbacks
def test_nor_by_a_redirect(serve: Serve, downloads: Downloads) -> Any:
    downloads.settings = evolve(QUICK, networks=(ip_network("127.0.0.1/32"),))
    target = serve(lambda transport, request: transport.write(ok(b"secret")))
    server = serve(lambda transport, request: transport.write(redirect(target.url(host="127.0.0.2"))))
    assert "127.0.0.2 is no public address" in (yield failure_of(downloads.fetch(server.url())))
    assert not target.requests


@pytest_twisted.inlineCallbacks
def test_the_operator_may_name_any_address(serve: Serve, downloads: Downloads) -> Any:
    downloads.settings = evolve(QUICK, networks=())
    server = serve(lambda transport, request: transport.write(ok(b"a list")))
    assert (yield downloads.fetch(server.url(), configured=True)) == b"a list"


@pytest_twisted.inlineCallbacks
def test_many_that_hang_leave_room_for_others(serve: Serve, downloads: Downloads) -> Any:
    hanging = serve(lambda transport, request: None)
    stuck = [downloads.fetch(hanging.url(f"/{number}")) for number in range(500)]
    swift = serve(lambda transport, request: transport.write(ok(b"a list")))
    assert (yield downloads.fetch(swift.url())) == b"a list"
    assert len(hanging.requests) <= QUICK.per_host
    for each in stuck:
        each.addErrback(lambda failure: None)
        each.cancel()
    assert not downloads._all
    assert not downloads._queue


@pytest_twisted.inlineCallbacks
def test_one_that_waits_no_longer_takes_nothing_from_the_other(serve: Serve, downloads: Downloads) -> Any:
    waiting: list[Any] = []
    server = serve(lambda transport, request: waiting.append(transport))
    one, other = downloads.fetch(server.url()), downloads.fetch(server.url())
    one.addErrback(lambda failure: None)
    one.cancel()
    while not waiting:
        step: Deferred[None] = Deferred()
        REACTOR.callLater(0.005, step.callback, None)
        yield step
    waiting[0].write(ok(b"a list"))
    assert (yield other) == b"a list"


@pytest_twisted.inlineCallbacks
def test_when_all_ends_who_waits_is_told(serve: Serve, downloads: Downloads) -> Any:
    server = serve(lambda transport, request: None)
    waiting = DeferredList([failure_of(downloads.fetch(server.url(f"/{number}"))) for number in range(20)])
    downloads.stop()
    assert all("ikegw ends" in why for _, why in (yield waiting))


@pytest_twisted.inlineCallbacks
def test_files_only_where_they_belong_and_only_by_configuration(downloads: Downloads, tmp_path: Path) -> Any:
    (tmp_path / "a.crl").write_bytes(b"a list")
    (tmp_path / "large.crl").write_bytes(bytes(10_001))
    (tmp_path / "away.crl").symlink_to("/etc/passwd")
    inside = f"file://{tmp_path}"
    assert (yield downloads.fetch(f"{inside}/a.crl", configured=True)) == b"a list"
    assert "only http" in (yield failure_of(downloads.fetch(f"{inside}/a.crl")))
    for path, why in (
        ("large.crl", "larger than"),
        ("away.crl", "lead into"),
        ("../x", "lead into"),
        ("none", "no such file"),
    ):
        assert why in (yield failure_of(downloads.fetch(f"{inside}/{path}", configured=True)))
