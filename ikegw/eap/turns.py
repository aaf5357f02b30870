"""What a method does at its turn, on either side. A stage of a method is an object: what may come next is what it understands.

`identifier` is the EAP identifier of the packet that came, `data` its type data. Both sides raise BadEap for what cannot be
read and LoginFailed for what may not come now; nothing else.
"""

from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from ikegw.ports.standing import Standing
from ikegw.ports.supplicant import Keyed


@frozen
class Answer:
    """A peer's response. `keyed`: the method is complete, and success may follow. No `stage`: it takes no more requests.

    `complaint` says why the login will fail, when this response only tells the server that we know.
    """

    data: bytes = field(repr=lambda data: f"<{len(data)} octets>")
    stage: "PeerStage | None" = None
    keyed: Keyed | None = None
    complaint: str = ""


class PeerStage(Protocol):
    """A peer that waits for a request of its method."""

    def answer(self, identifier: int, data: bytes) -> Answer:
        """Answer a request."""
        ...


@frozen
class Ask:
    """A server's request, and who reads the response. `refused`: the peer is not let in, and this tells it so."""

    data: bytes = field(repr=lambda data: f"<{len(data)} octets>")
    stage: "ServerStage"
    refused: str = ""


@frozen
class Passed:
    """The peer is `user`; `msk` is the method's key, None if it makes none. `standing` knows whether it still is, later on."""

    user: str
    msk: bytes | None = field(default=None, repr=False)
    standing: Standing | None = field(default=None, repr=False)


@frozen
class Refused:
    """The peer is not let in; `reason` is for our operator alone. `told`: an `Ask` said so before."""

    reason: str
    told: bool = False


@frozen
class Later:
    """It is being found out; `verdict` never fails. What comes before it fires is nobody's turn."""

    verdict: Deferred["Ask | Passed | Refused"]


Verdict = Ask | Passed | Refused | Later


class ServerStage(Protocol):
    """A server that waits for a response of its method."""

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """Judge a response."""
        ...
