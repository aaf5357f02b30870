"""What `ikegwctl` and the daemon say to each other over the control socket: JSON, a line for each message.

    {"id": 1, "do": "terminate", "sa": "road[7]"}          a request: an id of the asker's, a verb, its arguments
    {"id": 1, "ok": {"ended": "road[7]"}}                   the one answer to it
    {"id": 1, "error": "there is no IKE SA road[7]"}        or why not
    {"id": 2, "event": {"at": 17.0, "text": "..."}}         before the answer of a verb that streams, any number

Answers come when they are ready, not in the order of their requests.
"""

import json
from collections.abc import Mapping
from typing import Final

from attrs import frozen

LONGEST_LINE: Final = 65536
"""Octets of one request at most."""

Id = int | str
Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


@frozen
class Request:
    """What is asked; `arguments` are as they came, for the verb to judge."""

    id: Id
    verb: str
    arguments: dict[str, Json]


class BadRequest(Exception):
    """A line that is no request; `id` is that of the request if it could be read."""

    def __init__(self, text: str, id: Id | None = None) -> None:  # noqa: A002 - it is called so on the wire
        super().__init__(text)
        self.id = id


def read_request(line: bytes) -> Request:
    """Read one line; raises BadRequest, which says what was expected."""
    message = read(line)
    number = message.get("id")
    if isinstance(number, bool) or not isinstance(number, int | str) or len(str(number)) > 64:
        raise BadRequest('expected an "id", a number or a text of up to 64 characters')
    verb = message.get("do")
    if not isinstance(verb, str):
        raise BadRequest('expected a verb, {"id": 1, "do": "status"}', number)
    return Request(number, verb, {name: value for name, value in message.items() if name not in ("id", "do")})


def read(line: bytes) -> dict[str, Json]:
    """Read one message of either side; raises BadRequest."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"expected a line of JSON: {error}") from None
    if not isinstance(message, dict):
        raise BadRequest("expected a JSON object in each line")
    return message


def ask(id: Id, verb: str, arguments: Mapping[str, Json]) -> bytes:  # noqa: A002
    """One line of the asker's."""
    return _line({"id": id, "do": verb, **arguments})


def write(id: Id | None, what: str, value: Json) -> bytes:  # noqa: A002
    """One line of the daemon's: `what` is ok, error or event."""
    return _line({"id": id, what: value})


def _line(message: Mapping[str, Json]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
