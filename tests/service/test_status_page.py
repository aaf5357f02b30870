"""The status page in a real browser: nobody, three and five hundred sessions, hostile names, and another's page.

IKEGW_PICTURES=docs/pictures writes the pictures of the documentation anew.
"""

import os
import socket
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from chromium import Browser
from gateway_and_client import CLIENT, GATEWAY
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore

from ikegw.events import ServerAnswered

HOSTILE = "<iframe></iframe><script>document.body.remove()</script>"
"""What a stranger may call itself: it has to be text wherever it is shown."""

PATIENT = "[limits]\nhalf_open = 5000\ncookie_threshold = 5000\ncookie_threshold_ip = 5000\nblock_threshold = 5000\n"
NO_SOCKET = '[control]\nsocket = ""\n'

SERVERS = """
[radius.servers.one]
address = "127.0.0.77"
[radius.servers.two]
address = "127.0.0.78"
[radius.realms.staff]
servers = ["one", "two"]
"""

LIVE = "document.querySelector('#live').dataset.live === 'yes' && document.querySelector('#drawing svg') !== null"
DRAWN = "document.querySelector('#drawing .node.{} > text').textContent"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def anybodys_key(place: Any) -> None:
    key = place.directory / "secrets.d" / "key.toml"
    key.write_text('[secrets.ike.key]\nsecret = "a shared key of some length"\n')


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser, None, None]:
    browser = Browser()
    pytest_twisted.blockon(browser.start(tmp_path_factory.mktemp("chromium")))
    yield browser
    pytest_twisted.blockon(browser.stop())


@pytest.fixture
def gateway(place: Callable[[str, str], Any]) -> tuple[Any, str]:
    """A gateway that shows itself, and where."""
    gateway, port = place("gateway", "127.0.0.1"), free_port()
    web = f'[web]\nlisten = "127.0.0.1:{port}"\nstatus_page = true\nhosts = ["gateway.example.org"]\n'
    gateway.write(GATEWAY.replace("10.9.0.0/24", "10.9.0.0/22") + PATIENT + NO_SOCKET + web + SERVERS)
    anybodys_key(gateway)
    secrets = gateway.directory / "secrets.d" / "radius.toml"
    secrets.write_text(
        "".join(f'[secrets.radius.{name}]\nsecret = "testing123"\n' for name in ("one", "two"))
    )
    secrets.chmod(0o600)
    gateway.make().startService()
    return gateway, f"http://127.0.0.1:{port}/"


@pytest.fixture
def calls(
    place: Callable[[str, str], Any], gateway: tuple[Any, str]
) -> Callable[[Iterable[str]], Deferred[Any]]:
    """Somebody calls the gateway by each of these names; fires when all are up, or failed."""

    def call(names: Iterable[str]) -> Deferred[Any]:
        ike, nat_t = gateway[0].ports
        one = CLIENT.format(ike=ike, nat_t=nat_t).replace('start_action = "start"\n', "")
        wanted = {f"c{number}": name for number, name in enumerate(names)}
        client = place("client", "127.0.0.2")
        text = (
            one.replace("connections.home", f"connections.{connection}").replace("alice@example.org", name)
            for connection, name in wanted.items()
        )
        client.write("".join(text) + NO_SOCKET)
        anybodys_key(client)
        client.make().startService()
        few, initiate = DeferredSemaphore(16), client.service.assembled.gateway.initiate
        begun = [few.run(initiate, connection) for connection in wanted]
        return DeferredList(begun, consumeErrors=True)

    return call


@pytest.fixture
def picture(browser: Browser, tmp_path: Path) -> Callable[[str], "Deferred[bytes]"]:
    """Takes a picture of what the browser shows."""
    directory = Path(os.environ.get("IKEGW_PICTURES", tmp_path))
    return lambda name: Deferred.fromCoroutine(browser.picture(directory / f"status-page-{name}.png"))


@pytest_twisted.ensureDeferred
async def test_nobody_is_there(gateway: tuple[Any, str], browser: Browser, picture: Any) -> None:
    await browser.view(1440, 860)
    await browser.go(gateway[1])
    await browser.until(LIVE)
    assert await browser.run("document.querySelector('#no-sessions').checkVisibility()")
    assert await browser.run("document.querySelector('#totals b').textContent") == "0"
    assert await browser.run("document.querySelectorAll('#drawing .badge').length") == 0
    assert len(await picture("0")) > 20_000
    assert browser.complaints() == []


@pytest_twisted.ensureDeferred
async def test_three_sessions_and_the_path_of_one(
    gateway: tuple[Any, str], calls: Any, browser: Browser, picture: Any
) -> None:
    """They come while somebody looks; a click lights the path of one, in each machine that it went through."""
    await browser.view(1440, 1010)
    await browser.go(gateway[1])
    await browser.until(LIVE)
    await calls(("alice@example.org", "bob@example.org", "carol@example.org", "mallory@example.com"))
    await browser.until("document.querySelectorAll('#rows tr').length === 3")
    assert await browser.run("document.querySelector('#rows tr bdi').textContent") == "carol@example.org"
    assert await browser.run(DRAWN.format("busy")) == "SM_MATURE"
    assert await browser.run("document.querySelector('#drawing .badge text').textContent") == "3"

    await browser.run("document.querySelector('#rows tr').click()")
    await browser.until("document.querySelectorAll('#steps li').length > 5")
    assert await browser.run(DRAWN.format("here")) == "SM_MATURE"
    await browser.run("document.querySelector('[data-machine=responder]').click()")
    lit = "[...document.querySelectorAll('#drawing .node.lit > text')].map((text) => text.textContent).sort().join(' ')"
    assert (
        await browser.until(f"{lit}.includes('SMR') && {lit}")
        == "SMR_AUTH SMR_AUTH_FINALIZE SMR_INIT SM_MATURE"
    )
    assert await browser.run("document.querySelectorAll('#drawing .edge.lit').length") == 3
    assert len(await picture("3")) > 20_000

    gateway[0].service.assembled.gateway.publish(ServerAnswered("radius", "two", 0.0123))
    answered = "[...document.querySelectorAll('#asked li')].filter((one) => one.innerText.includes('12 ms')).length === 2"
    await browser.until(answered)

    await browser.run("document.querySelector('#failed li').click()")
    await browser.until("document.querySelector('#story-cause').textContent.includes('mallory@example.com')")
    await browser.until(f"{DRAWN.format('here')} === 'SM_DEAD'")
    assert browser.complaints() == []


@pytest_twisted.ensureDeferred
async def test_a_session_that_ends_goes_from_the_page(
    gateway: tuple[Any, str], calls: Any, browser: Browser
) -> None:
    await calls(("alice@example.org",))
    await browser.go(gateway[1])
    await browser.until("document.querySelectorAll('#rows tr').length === 1")
    await gateway[0].service.assembled.gateway.terminate(1)
    await browser.until("document.querySelectorAll('#rows tr').length === 0")
    assert await browser.run("document.querySelector('#no-sessions').checkVisibility()")


@pytest_twisted.ensureDeferred
async def test_a_name_is_text_whatever_it_says(
    gateway: tuple[Any, str], calls: Any, browser: Browser
) -> None:
    """In the table, in the story, and in what is said of a login that failed."""
    await calls((f"{HOSTILE}@example.org", f"{HOSTILE}@example.com"))
    await browser.go(gateway[1])
    await browser.until("document.querySelectorAll('#rows tr').length === 1")
    assert await browser.run("document.querySelector('#rows bdi').textContent") == f"{HOSTILE}@example.org"
    assert (
        await browser.until("document.querySelector('#failed bdi').textContent") == f"{HOSTILE}@example.com"
    )
    for list_of in ("#rows tr", "#failed li"):
        await browser.run(f"document.querySelector('{list_of}').click()")
        await browser.until(f"document.querySelector('#story').innerText.includes({HOSTILE!r})")
    assert await browser.run("document.querySelectorAll('iframe, body script, [onerror]').length") == 0
    assert browser.complaints() == []


@pytest_twisted.ensureDeferred
async def test_five_hundred_sessions(
    gateway: tuple[Any, str], calls: Any, browser: Browser, picture: Any
) -> None:
    """Looked at in the dark; what is shown can be searched, and a row that did not change is not touched."""
    await browser.view(1360, 790, dark=True)
    await calls(f"user{number:03}@example.org" for number in range(500))
    await browser.go(gateway[1])
    await browser.until("document.querySelectorAll('#rows tr').length === 500")
    await browser.until(LIVE)
    assert await browser.run("document.querySelector('#drawing .badge text').textContent") == "500"
    await browser.run(
        "(() => { const wanted = document.querySelector('#filter'); wanted.value = 'USER042';"
        " wanted.dispatchEvent(new Event('input')) })()"
    )
    shown = "[...document.querySelectorAll('#rows tr')].filter((row) => row.checkVisibility()).map((row) => row.innerText)"
    (row,) = await browser.run(shown)
    assert "user042@example.org" in row
    await browser.run(
        "(() => { const wanted = document.querySelector('#filter'); wanted.value = '';"
        " wanted.dispatchEvent(new Event('input')) })()"
    )
    await picture("500")


@pytest_twisted.ensureDeferred
async def test_a_gateway_that_is_gone_is_told_and_one_that_was_started_anew_is_looked_at_anew(
    gateway: tuple[Any, str], place: Callable[[str, str], Any], browser: Browser
) -> None:
    one, page = gateway
    await browser.go(page)
    await browser.until(LIVE)
    await browser.run("window.before = true")
    await one.service.stopService()
    await browser.until("document.querySelector('#live').dataset.live === 'lost'")
    other = place("other", "127.0.0.3")
    port = page.rpartition(":")[2].strip("/")
    other.write(GATEWAY + NO_SOCKET + f'[web]\nlisten = "127.0.0.1:{port}"\nstatus_page = true\n')
    other.make().startService()
    await browser.until(f"window.before === undefined && {LIVE}")


@pytest_twisted.ensureDeferred
async def test_another_page_can_neither_read_it_nor_have_its_name_mean_us(
    gateway: tuple[Any, str], browser: Browser
) -> None:
    """The browser of these tests takes every name in example.org for us: what a rebinding attacker brings about."""
    _, page = gateway
    port = page.rpartition(":")[2]
    await browser.go(f"http://evil.example.org:{port}")
    await browser.until("document.body.innerText.includes('no name of this gateway')")
    script = f"fetch('{page}stories/1').then(() => 'read', () => 'refused')"
    assert await browser.run(script) == "refused"
    await browser.go(f"http://gateway.example.org:{port}")
    await browser.until(LIVE)


def test_pictures_of_the_documentation_are_small() -> None:
    pictures = sorted((Path(__file__).parents[2] / "docs" / "pictures").glob("status-page-*.png"))
    assert [each.name for each in pictures] == [f"status-page-{number}.png" for number in (0, 3, 500)]
    assert all(each.stat().st_size < 200_000 for each in pictures)
