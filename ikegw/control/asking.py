"""`ikegwctl`'s end of the control socket: ask, and wait for the answer; plain sockets, for it does one thing at a time."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field

from ikegw.control.protocol import BadRequest, Json, ask, read

ANSWER_SECONDS = 30.0


class NotAnswered(Exception):
    """The daemon could not be asked, or said no; the text says which, and what to do."""


@define
class Daemon:
    """A running ikegw, by the path of its control socket."""

    path: Path
    _socket: socket.socket = field(init=False, repr=False)
    _lines: Iterator[bytes] = field(init=False, repr=False)
    _asked: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_SECONDS)
        try:
            self._socket.connect(str(self.path))
        except FileNotFoundError:
            raise NotAnswered(
                f"there is no {self.path}: is ikegw running, and is control.socket this path?"
            ) from None
        except PermissionError:
            raise NotAnswered(
                f"you may not speak to {self.path}: become a member of its group, or root"
            ) from None
        except BlockingIOError:
            raise NotAnswered(f"too many wait already at {self.path}: ikegw is very busy, or stuck") from None
        except OSError as error:
            raise NotAnswered(f"nobody answers at {self.path}: {error.strerror}; is ikegw running?") from None
        self._lines = iter(self._socket.makefile("rb"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, verb: str, **arguments: Json) -> Json:
        """The answer to one request; NotAnswered if it is no."""
        last: Json = None
        for last in self.stream(verb, arguments):  # noqa: B007 - the last is the answer
            pass
        return last

    def stream(self, verb: str, arguments: Mapping[str, Json], *, patient: bool = False) -> Iterator[Json]:
        """Every event of one request as it comes, then its answer; `patient`: however long they take."""
        self._asked += 1
        self._socket.settimeout(None if patient else ANSWER_SECONDS)
        try:
            with suppress(BrokenPipeError):  # it hung up, but said why before
                self._socket.sendall(ask(self._asked, verb, arguments))
            for line in self._lines:
                answer = read(line)
                if "error" in answer:
                    raise NotAnswered(str(answer["error"]))
                if answer.get("id") != self._asked:
                    continue
                yield answer.get("ok") if "ok" in answer else answer.get("event")
                if "ok" in answer:
                    return
        except TimeoutError:
            raise NotAnswered(
                f"ikegw did not answer within {ANSWER_SECONDS:.0f} s: it is very busy, or stuck"
            ) from None
        except (OSError, BadRequest) as error:
            raise NotAnswered(f"the control socket failed: {error}") from None
        raise NotAnswered("ikegw hung up")
