"""Accounting on a simulated clock, over a real queue on disk: its sessions and its servers are the test's."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path as File

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from ikegw.config.accounting import AccountingSettings
from ikegw.events import SessionBegan, SessionEnded
from ikegw.paths import Endpoint, Path
from ikegw.policy.identities import parse_identity
from ikegw.ports import Usage
from ikegw.radius.accounting import Accounting
from ikegw.radius.accounting_record import Status
from ikegw.radius.accounting_sender import NotAcknowledged
from ikegw.radius.packets import Attribute
from ikegw.radius.station import Station
from ikegw.session import EndCause, Grant, SaName, Session
from ikegw.testing.world import at_once

EPOCH = 1_790_000_000.0
PATH = Path(Endpoint(ip_address("192.0.2.1"), 4500), Endpoint(ip_address("198.51.100.9"), 61000))


def session(number: int = 7, aaa: str = "isp", boot: str = "5f", **changes) -> Session:
    """A session of alice's."""
    made = Session(
        f"{boot}-{number:x}",
        SaName("road", number),
        PATH,
        parse_identity("gw.test"),
        parse_identity("alice@test"),
        "alice",
        "eap",
        0.0,
        aaa,
        (ip_address("10.3.0.7"), ip_address("fd00:3::7")),
        Grant(classes=(b"gold", b"\0x1")),
        login="staff",
    )
    return evolve(made, **changes)


@define(eq=False)
class Servers:
    """What was asked of whom; `answers`: they acknowledge at once, else what is asked waits in `open`, 15 s at most."""

    clock: Clock
    answers: bool = True
    refuses: bool = False
    """Nobody is there to be asked, which is known at once."""

    heard: list[tuple[str, dict[str, object]]] = field(factory=list)
    open: list[Deferred[None]] = field(factory=list)

    def ask(self, realm: str, attributes: tuple[Attribute, ...]) -> Deferred[None]:
        found: dict[str, object] = {}
        for name, value in attributes:
            found[name] = (*found.get(name, ()), value) if name == "Class" else value
        self.heard.append((realm, found))
        if self.refuses:
            return fail(NotAcknowledged("nobody is there to be asked"))
        if self.answers:
            return succeed(None)
        asked: Deferred[None] = Deferred()
        self.open.append(asked)
        self.clock.callLater(15.0, self._give_up, asked)
        return asked

    def answer_open(self) -> None:
        """Acknowledge what waits now."""
        left, self.open = self.open, []
        for each in left:
            each.callback(None)

    def _give_up(self, asked: Deferred[None]) -> None:
        if asked in self.open:
            self.open.remove(asked)
            asked.errback(NotAcknowledged("nobody answers"))

    def of(self, status: Status) -> list[dict[str, object]]:
        return [found for _, found in self.heard if found["Acct-Status-Type"] == status]

    @property
    def story(self) -> list[tuple[str, str]]:
        """(status, session) in their order."""
        return [
            (Status(found["Acct-Status-Type"]).name, found.get("Acct-Session-Id", ""))
            for _, found in self.heard
        ]


@define(eq=False)
class Books:
    """One life of an accounting and what surrounds it; `reborn` is the next life on the same disk."""

    directory: File
    clock: Clock = field(factory=Clock)
    servers: Servers = field(init=False)
    settings: AccountingSettings = field(factory=AccountingSettings)
    realms: tuple[str, ...] = ("isp",)
    slowly: Callable = at_once
    counts: dict[str, Usage] = field(factory=dict)
    """What sessions that are up have carried."""

    accounting: Accounting = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.servers = Servers(self.clock)
        self.accounting = Accounting(
            evolve(self.settings, directory=self.directory),
            self.clock,
            self.now,
            self.slowly,
            self.servers.ask,
            Station("gw.test"),
        )

    def now(self) -> float:
        return EPOCH + self.clock.seconds()

    def start(self) -> "Books":
        self.accounting.start(self, self.realms)
        return self

    def usage(self, name: str) -> Deferred[Usage]:
        """See `ports.Sessions`."""
        return succeed(self.counts[name]) if name in self.counts else fail(KeyError(name))

    def begin(self, one: Session) -> Session:
        self.counts[one.id] = Usage()
        self.accounting.publish(SessionBegan(one))
        return one

    def end(
        self, one: Session, cause: EndCause = EndCause.USER_REQUEST, seconds: float = 60.0, **counts
    ) -> None:
        self.counts.pop(one.id, None)
        self.accounting.publish(SessionEnded(one, cause, "over", seconds, **counts))

    def die(self) -> "Books":
        """SIGKILL: what is not on disk is lost, and nothing more is said. The next life, not started yet."""
        self.accounting._store.close()
        for call in self.clock.getDelayedCalls():
            call.cancel()
        clock = Clock()
        clock.advance(self.clock.seconds())
        return Books(self.directory, clock, self.settings, self.realms)
