"""Who may read the page, what a browser is told to allow, and what a visitor cannot make us keep."""

import pytest
from browsing import Looking

from ikegw.web.guard import is_own


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:9440",
        "127.0.0.1:9440",
        "[::1]:9440",
        "[2001:db8::1]",
        "192.0.2.1",
        "gw.example.org:80",
        "gw.example.org.",
    ],
)
def test_an_address_or_a_configured_name_is_ours(host: str) -> None:
    assert is_own(host, ("gw.example.org",))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:9440",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "gw.example.org@evil.example",
        "127.0.0.1:9440:1",
        "[::1]evil.example",
        "[localhost]x",
        "2130706433",
        "0x7f.1",
        "gw.example.org\t",
    ],
)
def test_any_other_name_is_another_page_s(host: str) -> None:
    assert not is_own(host, ("gw.example.org",))


@pytest.mark.parametrize("path", ["/", "/events", "/stories/7", "/page.js", "/machines/mature.svg"])
def test_nothing_is_given_to_a_page_whose_name_was_bent_to_us(looking: Looking, path: str) -> None:
    answer = looking.browsing.answer(path, host="evil.example:9440")
    assert answer.startswith("HTTP/1.1 403 ")
    assert "web.hosts" in answer
    assert looking.looks == 0


def test_another_page_cannot_open_our_stream(looking: Looking) -> None:
    answer = looking.browsing.answer("/events", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")
    assert answer.startswith("HTTP/1.1 403 ")
    assert looking.page.stream.viewers == 0


def test_a_link_from_another_page_may_lead_here(looking: Looking) -> None:
    answer = looking.browsing.answer("/", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
    assert answer.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/", "/page.css", "/machines/responder.svg", "/stories/7", "/nothing"])
def test_every_answer_lets_a_browser_load_nothing_from_elsewhere(looking: Looking, path: str) -> None:
    head = looking.browsing.answer(path).partition("\r\n\r\n")[0].lower()
    assert "content-security-policy: default-src 'none'; script-src 'self'" in head
    assert "frame-ancestors 'none'" in head
    assert "x-content-type-options: nosniff" in head
    assert "cache-control: no-store" in head
    assert "set-cookie" not in head
    assert "access-control" not in head


def test_a_story_is_json_and_a_number_that_means_nothing_is_not_found(looking: Looking) -> None:
    answer = looking.browsing.answer("/stories/7")
    assert "Content-Type: application/json" in answer
    assert '"who": ["<b>alice</b>"]' in answer
    for path in ("8", "x", "-7", "%C2%B2", "9" * 5000):
        assert looking.browsing.answer(f"/stories/{path}").startswith(
            ("HTTP/1.1 404 ", "HTTP/1.1 400 ", "HTTP/1.1 414 ")
        ), path


def test_a_name_that_is_not_there_is_not_found() -> None:
    looking = Looking()
    for path in (
        "/favicon.ico",
        "/machines/",
        "/machines/../page.js",
        "/machines/%2e%2e/page.js",
        "/files/page.html",
    ):
        assert looking.browsing.answer(path).startswith("HTTP/1.1 404 "), path


def test_the_page_refers_to_nothing_elsewhere_and_holds_no_script_of_its_own(looking: Looking) -> None:
    page = looking.browsing.answer("/").partition("\r\n\r\n")[2]
    assert "http" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src="page.js"></script>') == 1
    for file in ("page.js", "drawing.js", "tables.js"):
        text = looking.browsing.answer(f"/{file}").partition("\r\n\r\n")[2]
        assert "innerHTML" not in text
        assert "insertAdjacentHTML" not in text
