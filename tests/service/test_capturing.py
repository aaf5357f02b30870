"""The daemon's part of a capture: whom it tells what, how many there may be, and that nothing is left of one that ended."""

from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from ikegw.config.capture import CaptureSettings
from ikegw.control.server import Refused
from ikegw.crypto.keymat import IkeKeys
from ikegw.crypto.suites import IkeSuite
from ikegw.crypto.transforms import ENCRYPTIONS, GROUPS, PRFS
from ikegw.paths import Endpoint, Path
from ikegw.ports.witness import MadeKeys
from ikegw.service.capturing import MOST_CAPTURES, Capturing

HERE = Endpoint(ip_address("192.0.2.1"), 500)
ALICE, BOB = (Path(HERE, Endpoint(ip_address(address), 500)) for address in ("198.51.100.1", "198.51.100.2"))
GCM = next(one for one in ENCRYPTIONS if one.name == "aes128gcm16")


def made(path: Path) -> MadeKeys:
    keys = IkeKeys(b"d" * 32, b"", b"", b"i" * 20, b"r" * 20, b"p" * 32, b"q" * 32)
    return MadeKeys(path, bytes(8), bytes([1] * 8), IkeSuite(GCM, None, PRFS[0], GROUPS[0]), keys)


@define
class Scene:
    clock: Clock = field(factory=Clock)
    transport: Any = field(factory=lambda: SimpleNamespace(taps=set()))
    capturing: Capturing = field(init=False)

    def __attrs_post_init__(self) -> None:
        settings = CaptureSettings(allowed=True, most_seconds=60.0, most_octets=1000)
        self.capturing = Capturing(settings, self.transport, self.clock, lambda: 17.0, Logger())

    def begin(self, **arguments: Any) -> tuple[list[Any], Deferred[Any]]:
        told: list[Any] = []
        ended = self.capturing.capture(arguments, told.append, "root (process 1)")
        self.clock.advance(0)
        return told, ended

    def datagram(self, path: Path, octets: bytes = b"hello") -> None:
        for tap in tuple(self.transport.taps):
            tap(path, True, octets)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_each_is_told_of_its_own_peer(scene: Scene) -> None:
    (everybody, _), (alice, _) = scene.begin(), scene.begin(peer="198.51.100.1")
    for path in (ALICE, BOB):
        scene.datagram(path)
        scene.capturing.made_keys(made(path))
    assert [len(told) for told in (everybody, alice)] == [5, 3]
    begun, message, keys = alice
    assert begun == {"what": "IKE of 198.51.100.1", "seconds": 60.0, "bytes": 1000}
    assert (message["remote"], message["sent"], message["at"]) == (["198.51.100.1", 500], True, 17.0)
    assert keys["keys"].startswith(f"{'00' * 8},{'01' * 8},{b'i'.hex() * 20},{b'r'.hex() * 20},")


def test_the_key_that_children_come_from_is_never_told(scene: Scene) -> None:
    told, _ = scene.begin()
    scene.capturing.made_keys(made(ALICE))
    for secret in (b"d" * 32, b"p" * 32, b"q" * 32):
        assert secret.hex() not in str(told)
    assert b"i".hex() * 20 not in repr(made(ALICE))


def test_so_many_and_no_more(scene: Scene) -> None:
    running = [scene.begin()[1] for _ in range(MOST_CAPTURES)]
    with pytest.raises(Refused, match="are being taken already"):
        scene.begin()
    running[0].addErrback(lambda _: None).cancel()
    scene.begin()


@pytest.mark.parametrize("how", ["time", "room", "hung up", "not allowed"])
def test_nothing_is_left_of_one_that_ended(scene: Scene, how: str) -> None:
    told, ended = scene.begin()
    answers: list[Any] = []
    ended.addBoth(answers.append)
    if how == "time":
        scene.clock.advance(60.0)
    elif how == "room":
        scene.datagram(ALICE, bytes(1001))
    elif how == "hung up":
        ended.cancel()
    else:
        scene.capturing.configure(CaptureSettings())
    scene.datagram(ALICE)
    scene.capturing.made_keys(made(ALICE))
    assert len(told) == len(answers) == 1
    assert not scene.transport.taps
    assert not scene.clock.getDelayedCalls()


def test_one_that_hangs_up_before_it_began_is_nothing(scene: Scene) -> None:
    told: list[Any] = []
    scene.capturing.capture({}, told.append, "root").addErrback(lambda _: None).cancel()
    scene.clock.advance(1.0)
    assert told == []
    assert not scene.transport.taps
