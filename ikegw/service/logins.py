"""Who is asked about EAP logins: this gateway itself, or RADIUS servers, as each connection says; and who logs in.

Where nobody is configured for it, everyone is refused, with a sentence.
"""

from attrs import frozen
from twisted.internet.defer import Deferred, fail

from ikegw.policy.connections import LocalAuth
from ikegw.ports import Aaa, AaaAnswer, AaaDialogue, AaaSilent, Caller, Keyed, SupplicantFailed
from ikegw.wire.identification import Identity

LOCAL = "local"
"""The name in `aaa` that means this gateway itself."""


@frozen
class Logins:
    """`ports.Aaa` for all connections."""

    local: Aaa
    radius: Aaa

    def begin(self, caller: Caller) -> AaaDialogue:
        """See `ports.Aaa`."""
        return (self.local if caller.aaa == LOCAL else self.radius).begin(caller)


@frozen
class NobodyAsks:
    """`ports.Aaa` without anybody to ask."""

    def begin(self, caller: Caller) -> "_Unanswered":
        """See `ports.Aaa`."""
        return _Unanswered(caller)


@frozen
class _Unanswered:
    caller: Caller

    def respond(self, eap: bytes) -> Deferred[AaaAnswer]:
        """See `ports.AaaDialogue`."""
        return fail(
            AaaSilent(
                f"connections.{self.caller.connection}.aaa: there is no realm {self.caller.aaa!r} to ask"
            )
        )


@frozen
class NobodyLogsIn:
    """`ports.Supplicants` without a method."""

    def begin(self, local: LocalAuth, responder: Identity, *, authentic: bool) -> "_Unable":
        """See `ports.Supplicants`."""
        return _Unable()


@frozen
class _Unable:
    def respond(self, request: bytes) -> Deferred[bytes]:
        """See `ports.Supplicant`."""
        return fail(SupplicantFailed("this gateway has no EAP method to log in with"))

    def complete(self) -> Keyed | None:
        """See `ports.Supplicant`."""
        return None
