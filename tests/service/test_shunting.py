"""Shunts of the configuration in a gateway that runs: there from the start, changed by a reload, gone with it."""

from collections.abc import Callable, Generator
from typing import Any

import pytest
import pytest_twisted
from gateway_and_client import GATEWAY
from twisted.internet.defer import fail

from ikegw.dataplane.memory import MemoryPlane
from ikegw.ports import DataPlaneError

Story = Generator[Any, Any, None]
LAN = '[shunts.lan]\naction = "pass"\nremote_ts = "192.168.0.0/16"\n'
MAIL = '[shunts.mail]\naction = "drop"\nremote_ts = "0.0.0.0/0[tcp/25]"\n'


@pytest_twisted.inlineCallbacks
def test_shunts_are_laid_changed_and_taken_away(place: Callable[[str, str], Any], log: Any) -> Story:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(GATEWAY + LAN)
    gateway.make().startService()
    assert "shunt lan: pass 0.0.0.0/0, ::/0 === 192.168.0.0/16" in log.lines
    assert gateway.plane.shunts == {"lan"}
    gateway.main.write_text(GATEWAY + MAIL)
    yield gateway.service.reload()
    assert log.lines[-1] == "reloaded: shunts changed"
    assert gateway.plane.shunts == {"mail"}
    yield gateway.service.stopService()
    assert not gateway.plane.shunts


def test_a_shunt_that_cannot_be_laid_keeps_the_gateway_from_starting(
    place: Callable[[str, str], Any], log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(GATEWAY + MAIL)
    gateway.make()
    refused = DataPlaneError("shunt mail: add rule 19515: EPERM")
    monkeypatch.setattr(MemoryPlane, "shunt", lambda self, shunt: fail(refused))
    gateway.service.startService()
    assert gateway.failures
    assert log.lines[-1] == "cannot start: shunt mail: add rule 19515: EPERM"


@pytest_twisted.inlineCallbacks
def test_one_that_cannot_be_laid_at_a_reload_is_told_and_the_others_are_laid(
    place: Callable[[str, str], Any], log: Any, monkeypatch: pytest.MonkeyPatch
) -> Story:
    gateway = place("gateway", "127.0.0.1")
    gateway.write(GATEWAY)
    gateway.make().startService()
    lay = MemoryPlane.shunt

    def some(self: MemoryPlane, shunt: Any) -> Any:
        return fail(DataPlaneError("shunt lan: no")) if shunt.name == "lan" else lay(self, shunt)

    monkeypatch.setattr(MemoryPlane, "shunt", some)
    gateway.main.write_text(GATEWAY + LAN + MAIL)
    yield gateway.service.reload()
    assert "shunt lan: no" in log.lines
    assert gateway.plane.shunts == {"mail"}
