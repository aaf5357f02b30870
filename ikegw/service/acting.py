"""The verbs of the control socket that have something done."""

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from ikegw.control.server import Refused
from ikegw.ike.gateway import NotBegun
from ikegw.service.arguments import Arguments, rows_meant, text_of_argument
from ikegw.service.assembly import Assembled
from ikegw.service.showing import Answer
from ikegw.service.subjects import SUBJECTS

_LEVELS = ("debug", "info", "warn", "error")


@define(eq=False)
class Acting:
    """Acts on one gateway; `reload` reads the configuration anew and gives the lines that tell what came of it."""

    assembled: Assembled
    reload: Callable[[], Deferred[list[str]]]

    def verbs(self) -> dict[str, Callable[[Arguments], Answer]]:
        """Each by its name."""
        return {
            "initiate": self._initiate,
            "terminate": self._terminate,
            "rekey": self._rekey,
            "reauth": self._reauth,
            "reload": self._reload,
            "log": self._log,
        }

    def _initiate(self, arguments: Arguments) -> Answer:
        name, child = text_of_argument(arguments, "connection"), text_of_argument(arguments, "child", "")
        gateway = self.assembled.gateway
        connection = next((one for one in gateway.connections if one.name == name), None)
        standing = None if connection is None else gateway.established_with(connection)
        if standing is None or not child:
            return gateway.initiate(name, child or None).addCallbacks(
                lambda sa: {"up": [str(sa)]}, _refused_because
            )
        made = gateway.create_child(standing.number, child)
        return made.addCallbacks(lambda _: {"up": [f"{standing.name}.{child}"]}, _refused_because)

    def _terminate(self, arguments: Arguments) -> Answer:
        rows = rows_meant(self.assembled.gateway, arguments)
        ended = DeferredList(
            [self.assembled.gateway.terminate(row.name.number) for row in rows], consumeErrors=True
        )
        return ended.addCallback(lambda _: {"ended": [str(row.name) for row in rows]})

    def _rekey(self, arguments: Arguments) -> Answer:
        rows, child = rows_meant(self.assembled.gateway, arguments), text_of_argument(arguments, "child", "")
        gateway = self.assembled.gateway
        for row in rows:
            if child and not gateway.rekey_child(row.name.number, child):
                raise Refused(f"{row.name} has no child {child} that could be rekeyed")
            if not child:
                gateway.rekey(row.name.number)
        return {"rekeying": [f"{row.name}{f'.{child}' if child else ''}" for row in rows]}

    def _reauth(self, arguments: Arguments) -> Answer:
        rows = rows_meant(self.assembled.gateway, arguments)
        for row in rows:
            self.assembled.gateway.authenticate_anew(row.name.number)
        return {"authenticating": [str(row.name) for row in rows]}

    def _log(self, arguments: Arguments) -> Answer:
        """Until the next reload, for every subject or for one."""
        level, subject = text_of_argument(arguments, "level"), text_of_argument(arguments, "subject", "")
        if level not in _LEVELS:
            raise Refused(f"there is no level {level!r}; there are {', '.join(_LEVELS)}")
        if subject and subject not in SUBJECTS:
            raise Refused(f"there is no subject {subject!r}; there are {', '.join(SUBJECTS)}")
        self.assembled.journal.set_level(LogLevel.levelWithName(level), subject or None)
        return {"lines": [f"{subject or 'everything'} is logged from {level} on, until the next reload"]}

    def _reload(self, _: Arguments) -> Answer:
        return self.reload().addCallback(lambda lines: {"lines": lines})


def _refused_because(failure: Failure) -> Any:
    if isinstance(failure.value, NotBegun):
        raise Refused(failure.getErrorMessage())
    return failure
