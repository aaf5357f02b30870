"""Headless Chromium as a process of the tests, spoken to over a pair of pipes (the DevTools protocol)."""

import base64
import json
from itertools import count
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater

PROGRAM = "/usr/bin/chromium"
SECONDS = 60


class Pipes(ProcessProtocol):
    """Messages end with a NUL: on 3 to the browser, on 4 from it."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.answers: dict[int, Deferred[Any]] = {}
        self.events: list[dict[str, Any]] = []
        self._read = b""

    def childDataReceived(self, number: int, data: bytes) -> None:
        if number != 4:
            return
        *messages, self._read = (self._read + data).split(b"\0")
        for message in map(json.loads, messages):
            answer = self.answers.pop(message.get("id"), None)
            if answer is None:
                self.events.append(message)
            elif "error" in message:
                answer.errback(AssertionError(message["error"]["message"]))
            else:
                answer.callback(message["result"])

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(None)


@define
class Browser:
    """One page in one browser."""

    _pipes: Pipes = field(factory=Pipes)
    _numbers: Any = field(factory=lambda: count(1))
    _session: str = ""

    def start(self, directory: Path) -> "Deferred[None]":
        arguments = [
            PROGRAM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--no-proxy-server",
            "--host-resolver-rules=MAP *.example.org 127.0.0.1",
            f"--user-data-dir={directory}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        environment = {"HOME": str(directory), "PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8"}
        reactor.spawnProcess(  # type: ignore[attr-defined]
            self._pipes,
            PROGRAM,
            arguments,
            env=environment,
            childFDs={0: "w", 1: "r", 2: "r", 3: "w", 4: "r"},
        )
        return self._attach()

    async def _attached(self) -> None:
        while True:
            targets = (await self.send("Target.getTargets"))["targetInfos"]
            pages = [target["targetId"] for target in targets if target["type"] == "page"]
            if pages:
                break
            await deferLater(reactor, 0.1)
        attached = await self.send("Target.attachToTarget", targetId=pages[0], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")

    def _attach(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._attached())

    def send(self, method: str, **parameters: Any) -> "Deferred[Any]":
        number = next(self._numbers)
        answer: Deferred[Any] = Deferred()
        answer.addTimeout(SECONDS, reactor)
        self._pipes.answers[number] = answer
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._pipes.transport.writeToChild(3, json.dumps(message).encode() + b"\0")
        return answer

    def stop(self) -> "Deferred[None]":
        self._pipes.transport.signalProcess("KILL")
        return self._pipes.ended

    # ------------------------------------------------------------ what tests do

    async def view(self, width: int, height: int, *, dark: bool = False) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def go(self, address: str) -> None:
        """Leave the page of another test, and forget what was said of it."""
        await self.send("Page.navigate", url="about:blank")
        self._pipes.events.clear()
        await self.send("Page.navigate", url=address)

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, script: str) -> Any:
        """Look until the expression is true, or a deadline has passed."""
        end = reactor.seconds() + SECONDS  # type: ignore[attr-defined]
        while True:
            found = await self.run(f"(() => {{ try {{ return {script} }} catch {{ return false }} }})()")
            if found:
                return found
            assert reactor.seconds() < end, (
                f"never true: {script}\n{await self.run('document.body.innerText')}"
            )  # type: ignore[attr-defined]
            await deferLater(reactor, 0.05)

    async def picture(self, file: Path) -> bytes:
        shot = base64.b64decode((await self.send("Page.captureScreenshot", format="png"))["data"])
        file.write_bytes(shot)
        return shot

    def complaints(self) -> list[str]:
        """What the browser said of the page: errors, and what its policy blocked."""
        texts = []
        for event in self._pipes.events:
            if event["method"] == "Log.entryAdded":
                texts.append(event["params"]["entry"]["text"])
            elif event["method"] == "Runtime.exceptionThrown":
                texts.append(json.dumps(event["params"]["exceptionDetails"]))
        return texts
