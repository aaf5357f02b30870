"""The UNIX socket that `ikegwctl` speaks to: opened when the gateway starts, for its own group and nobody else."""

import grp
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from ikegw.config.settings import Control
from ikegw.control.server import ControlServer, Verb

MODE = 0o660


@define(eq=False)
class ControlSocket:
    """Serves `verbs` where the configuration says. Without it the gateway works all the same, and says so."""

    reactor: Any
    settings: Control
    verbs: Mapping[str, Verb]
    log: Logger
    _server: ControlServer = field(init=False)
    _port: Any = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._server = ControlServer(self.reactor, self.verbs)

    def start(self) -> None:
        """Listen."""
        path = self.settings.socket
        if path is None:
            return
        try:
            self._port = self.reactor.listenUNIX(str(path), self._server, mode=MODE, wantPID=True)
            self._give_to_group(path)
        except (CannotListenError, OSError, LookupError) as error:
            self.log.warn(
                "no control socket at {path}: {why}; ikegwctl cannot reach this ikegw",
                path=str(path),
                why=_why(error, path),
            )

    def _give_to_group(self, path: Path) -> None:
        if self.settings.group:
            try:
                number = grp.getgrnam(self.settings.group).gr_gid
            except KeyError:
                raise LookupError(f"there is no group {self.settings.group!r} (control.group)") from None
            os.chown(path, -1, number)

    def stop(self) -> Deferred[Any]:
        """Hang up on everybody and remove the socket."""
        self._server.stop()
        port, self._port = self._port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)


def _why(error: Exception, path: Path) -> str:
    """Why there is no socket at `path`, in words that lead to what has to change."""
    cause = error.socketError if isinstance(error, CannotListenError) else error
    if isinstance(cause, FileNotFoundError):
        return f"there is no directory {path.parent} (the Debian service has it made; control.socket names another)"
    if isinstance(cause, OSError):
        return cause.strerror or str(cause)
    return str(cause) if isinstance(cause, LookupError) else "another ikegw answers there"
