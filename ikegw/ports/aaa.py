"""Who says whether a client's EAP login is good: a RADIUS server, or the embedded authenticator (rows R-05…R-12)."""

from typing import Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from ikegw.paths import Path
from ikegw.ports.standing import Standing
from ikegw.session import NOTHING_GRANTED, Grant
from ikegw.wire.identification import Identity


@frozen
class Caller:
    """Who logs in, in so far as an AAA server is told: `session` is the Acct-Session-Id, `number` the IKE SA's (NAS-Port).

    `aaa` is the configured name of who is to be asked; `name` is the EAP identity, `identity` is IDi.
    """

    session: str
    connection: str
    number: int
    path: Path
    identity: Identity
    name: str
    aaa: str


@frozen
class Challenge:
    """AAA_CHALLENGE: the login goes on with this EAP request.

    `refusal`: it can only fail now, and the request tells the client so; why, for the operator: many clients then just leave.
    """

    eap: bytes
    refusal: str = ""


@frozen
class Accept:
    """AAA_ACCEPT: `eap` is the EAP Success, `msk` the key of the method (RFC 3748 §7.10), None if it makes none.

    An accept without EAP Success comes through as it is: row RE-10 is the machine's. `standing` is who knows whether the
    client, which showed a certificate, is still good; None: nobody can tell, or the server itself would.
    """

    eap: bytes | None
    msk: bytes | None = field(default=None, repr=False)
    grant: Grant = NOTHING_GRANTED
    standing: Standing | None = field(default=None, repr=False)


@frozen
class Reject:
    """AAA_REJECT: `eap` is the EAP Failure if there is one; `message` is the server's Reply-Message, for the operator."""

    eap: bytes | None = None
    message: str = ""


AaaAnswer = Challenge | Accept | Reject


class AaaSilent(Exception):
    """AAA_TIMEOUT: nobody answered, or nobody is there to be asked; the text says whom we asked, how often, and for how long."""


class AaaDialogue(Protocol):
    """One client's login. It ends with an Accept, a Reject, a failure, or by being dropped: there is nothing to close."""

    def respond(self, eap: bytes) -> Deferred[AaaAnswer]:
        """The client's EAP response; the first one is its Identity. Errback AaaSilent. One at a time."""
        ...


class Aaa(Protocol):
    """Those who can be asked, by their configured names."""

    def begin(self, caller: Caller) -> AaaDialogue:
        """A new login; nothing is sent before its first `respond`."""
        ...
