"""Who is asked about EAP logins, and who logs in, where EAP is no part of the story: everyone is refused, with a sentence."""

from attrs import frozen
from twisted.internet.defer import Deferred, fail

from ikegw.policy.connections import LocalAuth
from ikegw.ports import AaaAnswer, AaaSilent, Caller, Keyed, SupplicantFailed
from ikegw.wire.identification import Identity


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
    complaint: str = ""

    def respond(self, request: bytes) -> Deferred[bytes]:
        """See `ports.Supplicant`."""
        return fail(SupplicantFailed("this gateway has no EAP method to log in with"))

    def complete(self) -> Keyed | None:
        """See `ports.Supplicant`."""
        return None
