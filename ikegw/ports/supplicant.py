"""The EAP peer of our initiator (rows I-13…I-16): ours in `ikegw.eap`, or another one put in its place (RFC 4137 §4)."""

from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from ikegw.policy.connections import LocalAuth
from ikegw.wire.identification import Identity


@frozen
class Keyed:
    """A method is complete: its MSK, None if it makes none, and whether the server has proved itself within it (RFC 5998 §4)."""

    method: str
    msk: bytes | None = field(repr=False)
    mutual: bool


class SupplicantFailed(Exception):
    """SUPP_FAIL: the method failed on our side; the text says what was expected, what came, and what to do. Never a secret."""


class Supplicant(Protocol):
    """One login."""

    @property
    def complaint(self) -> str:
        """Why the server will refuse us, as far as it has said so; for the operator, when EAP Failure comes (row IE-10)."""
        ...

    def respond(self, request: bytes) -> Deferred[bytes]:
        """SUPP_READY: the EAP response to an EAP request; errback SupplicantFailed. A synchronous one has fired already."""
        ...

    def complete(self) -> Keyed | None:
        """Is the method complete on our side, so that an EAP Success may be believed (row IE-12)? None: it is not."""
        ...


class Supplicants(Protocol):
    """Makes supplicants."""

    def begin(self, local: LocalAuth, responder: Identity, *, authentic: bool) -> Supplicant:
        """A login at `responder`; if that is not `authentic` by certificate or key, only by a mutual method (RFC 5998)."""
        ...
