"""The gateway as a service of twistd: started, told to reload or to show itself, and stopped in order."""

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.control.server import Refused
from ikegw.net.sockets import IkeSocket
from ikegw.service.acting import Acting
from ikegw.service.announcement import announcement
from ikegw.service.assembly import Assembled, MakePlane, accounting_realms, assemble
from ikegw.service.control_socket import ControlSocket
from ikegw.service.preparation import Prepared, Unusable, prepare
from ikegw.service.reload import take_over
from ikegw.service.showing import Showing
from ikegw.service.status import status
from ikegw.service.supervisor import Supervisor
from ikegw.service.telling import Telling
from ikegw.service.verbs import verbs
from ikegw.service.web import WebServer

SHUTDOWN_SECONDS = 5.0
"""For deleting every SA, and again for the data plane: nobody who does not answer may keep us from ending."""


class GatewayService(Service):
    """One gateway. `failed` is called when it cannot start or go on, after the log says why."""

    name = "ikegw"

    def __init__(
        self,
        reactor: Any,
        prepared: Prepared,
        sockets: tuple[IkeSocket, ...],
        make_plane: MakePlane,
        failed: Callable[[], None],
        slowly: Callable[..., Deferred[Any]] = deferToThread,
    ) -> None:
        self._log = Logger(namespace="ikegw")
        self._reactor = reactor
        self._failed = failed
        self._has_failed = False
        self._slowly = slowly
        self._reloading = DeferredLock()
        self._old_handlers: dict[int, Any] = {}
        self.assembled: Assembled = assemble(
            reactor, prepared, sockets, self._log, make_plane, self._plane_lost
        )
        assembled = self.assembled
        table = verbs(
            Showing(assembled, reactor.seconds),
            Acting(assembled, self._reload_when_asked),
            Telling(assembled.stories, assembled.audience, time.time),
            assembled.capturing,
        )
        self._supervisor = Supervisor(reactor, self._status_line)
        self._web = WebServer(reactor, prepared.config.web, assembled, assembled.registry, self._log)
        self._control = ControlSocket(reactor, prepared.config.control, table, self._log)

    def startService(self) -> None:  # noqa: N802 (Twisted's name)
        """Say what we are; start the data plane, begin what the configuration wants begun, and listen."""
        super().startService()  # type: ignore[no-untyped-call]
        for line in announcement(self.assembled):
            self._log.info("{line}", line=line)
        self._warn(self.assembled.prepared)
        self._control.start()
        self._web.start()
        self._handle(signal.SIGHUP, self.reload)
        self._handle(signal.SIGUSR1, self.show)
        self._start().addCallback(self._ready).addErrback(self._cannot_start)

    def stopService(self) -> Deferred[None]:  # noqa: N802 (Twisted's name)
        """Delete every SA, then stop the data plane and close the sockets."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._supervisor.stopping()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self._old_handlers.clear()
        assembled = self.assembled
        assembled.coa.stop()
        gone = self._limited(assembled.gateway.shutdown(), "not every SA could be deleted in order")
        gone.addCallback(
            lambda _: self._limited(assembled.accounting.stop(), "accounting did not stop in order")
        )
        gone.addCallback(lambda _: DeferredList(list(self._programs_end())))
        gone.addCallback(
            lambda _: self._limited(assembled.plane.plane.stop(), "the data plane did not stop in order")
        )
        gone.addCallback(lambda _: assembled.downloads.stop())
        gone.addCallback(lambda _: assembled.radius.close())
        gone.addCallback(
            lambda _: self._limited(assembled.addresses.stop(), "who has which address was not written down")
        )
        gone.addCallback(lambda _: assembled.transport.stop())
        gone.addCallback(lambda _: self._web.stop())
        return gone.addCallback(lambda _: self._control.stop())

    def _programs_end(self) -> Iterator[Deferred[None]]:
        assembled = self.assembled
        yield self._limited(assembled.naming.finish(), "the resolver did not take DNS servers back")
        yield self._limited(assembled.announcing.finish(), "updown scripts did not end in order")

    def reload(self) -> Deferred[None]:
        """Read the configuration again and take it over; if anything is wrong with it, tell all and touch nothing."""
        return self._reload().addCallbacks(lambda _: None, lambda _: None)

    def _reload(self) -> Deferred[list[str]]:
        """Give the lines that tell what changed; what fails is told in the log first."""

        def read() -> Deferred[list[str]]:
            self._supervisor.reloading()
            path = self.assembled.prepared.config.path
            reading = self._slowly(prepare, path).addCallback(self._take_over).addErrback(self._not_reloaded)
            return reading.addBoth(self._have_read)

        return self._reloading.run(read)

    def _have_read(self, result: Any) -> Any:
        self._supervisor.ready()
        return result

    def _status_line(self) -> str:
        counts = self.assembled.counters.counts
        up, half_open = counts["ike-up"] - counts["ike-down"], self.assembled.gateway.half_open_total
        return f"{up} IKE SAs up, {half_open} half open"

    def _reload_when_asked(self) -> Deferred[list[str]]:
        def refuse(failure: Failure) -> Any:
            if isinstance(failure.value, Unusable):
                raise Refused(
                    "\n".join((*failure.value.problems, "not reloaded: what runs goes on as it was"))
                )
            return failure

        return self._reload().addErrback(refuse)

    def show(self) -> Deferred[None]:
        """Write the table of SAs and the counters to the log."""

        def tell(lines: list[str]) -> None:
            for line in lines:
                self._log.info("{line}", line=line)

        return status(self.assembled, self._reactor.seconds).addCallback(tell)

    def _start(self) -> Deferred[None]:
        """What is kept on disk is open before the first session begins, and holds nobody up who keeps nothing there."""
        assembled = self.assembled
        opened = assembled.accounting.start(assembled.gateway, accounting_realms(assembled.prepared.config))
        opened.addCallback(lambda _: assembled.kept_lists.start())
        opened.addCallback(lambda _: assembled.addresses.start())
        opened.addCallback(lambda _: assembled.naming.clean())
        opened.addCallback(lambda _: assembled.gateway.start())
        return opened.addCallback(lambda _: assembled.shunting.configure(assembled.prepared.config.shunts))

    def _ready(self, _: None) -> None:
        if not self.running:
            return
        assembled = self.assembled
        assembled.addresses.hear(assembled.plane.plane.device)
        assembled.coa.start()
        self._log.info("ready: {description}", description=assembled.plane.plane.description)
        assembled.transport.start(
            self._reactor, assembled.gateway.datagram_received, read_nat_t=not assembled.plane.reads_nat_t
        )
        self._supervisor.ready()

    def _cannot_start(self, failure: Failure) -> None:
        self._fail(f"cannot start: {failure.getErrorMessage()}")

    def _plane_lost(self, reason: str) -> None:
        self._fail(f"{reason}: nothing can be carried any more, so ikegw ends")

    def _fail(self, why: str) -> None:
        if self.running and not self._has_failed:
            self._has_failed = True
            self._log.critical("{why}", why=why)
            self._failed()

    def _take_over(self, prepared: Prepared) -> Deferred[list[str]]:
        lines = list(take_over(self.assembled, prepared))
        for line in lines:
            self._log.info("{line}", line=line)
        self._warn(prepared)
        self.assembled.gateway.addresses_changed()  # whoever changes addresses or routes may say so by a SIGHUP
        return self._web.configure(prepared.config.web).addCallback(lambda _: lines)

    def _warn(self, prepared: Prepared) -> None:
        for note in prepared.notes:
            self._log.warn("{note}", note=note)

    def _not_reloaded(self, failure: Failure) -> Failure:
        if isinstance(failure.value, Unusable):
            for problem in failure.value.problems:
                self._log.error("{problem}", problem=problem)
        else:
            self._log.failure("internal error while reloading", failure)
        self._log.error("not reloaded: the configuration above stays unused, the running one goes on")
        return failure

    def _limited(self, ending: Deferred[None], complaint: str) -> Deferred[None]:
        """Wait for the end of something, but not for ever, and go on whatever comes of it."""

        def too_late(_: object, seconds: float) -> None:
            self._log.warn("{complaint} within {seconds:g} seconds", complaint=complaint, seconds=seconds)

        def failed(failure: Failure) -> None:
            self._log.warn("{complaint}: {why}", complaint=complaint, why=failure.getErrorMessage())

        return ending.addTimeout(SHUTDOWN_SECONDS, self._reactor, too_late).addErrback(failed)

    def _handle(self, number: int, act: Callable[[], Deferred[None]]) -> None:
        def heard(_: int, __: object) -> None:
            self._reactor.callFromThread(act)

        self._old_handlers[number] = signal.signal(number, heard)
