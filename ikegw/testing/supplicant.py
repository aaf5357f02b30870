"""`ports.Supplicants` in memory: the client's side of `eap_method`."""

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime

from ikegw.policy.connections import LocalAuth
from ikegw.ports import Keyed, SupplicantFailed
from ikegw.testing.eap_method import Question, answer, msk
from ikegw.wire.eap import EapPacket
from ikegw.wire.identification import Identity
from ikegw.wire.registry import EapCode, EapType


@define(eq=False)
class FakeSupplicants:
    """Everyone logs in with `password`, and takes `seconds` for each response. `mutual`: the method proves the server too.

    `begun` are all logins: (as whom, at whom, whether that one was authentic).
    """

    clock: IReactorTime
    password: bytes = field(default=b"", repr=False)
    seconds: float = 0.0
    keyed: bool = True
    mutual: bool = False
    begun: list[tuple[LocalAuth, Identity, bool]] = field(factory=list, init=False)

    def begin(self, local: LocalAuth, responder: Identity, *, authentic: bool) -> "FakeSupplicant":
        """See `ports.Supplicants`."""
        self.begun.append((local, responder, authentic))
        return FakeSupplicant(self, local)


@define(eq=False)
class FakeSupplicant:
    """One login."""

    made_by: FakeSupplicants
    local: LocalAuth
    complaint: str = field(default="", init=False)
    _complete: bool = field(default=False, init=False)

    def respond(self, request: bytes) -> Deferred[bytes]:
        """See `ports.Supplicant`."""
        packet, made_by = EapPacket.decode(request), self.made_by
        if packet.type is EapType.IDENTITY:
            name = self.local.eap_identity.encode() or (
                b"" if self.local.identity is None else self.local.identity.data
            )
            response = EapPacket(EapCode.RESPONSE, packet.identifier, EapType.IDENTITY, name).encode()
        elif not made_by.password:
            return fail(SupplicantFailed("no password is configured for this login"))
        else:
            self._complete = Question.read(packet).is_last
            response = answer(packet, made_by.password)
        if not made_by.seconds:
            return succeed(response)
        later: Deferred[bytes] = Deferred(lambda _: timer.cancel())
        timer = made_by.clock.callLater(made_by.seconds, later.callback, response)
        return later

    def complete(self) -> Keyed | None:
        """See `ports.Supplicant`."""
        if not self._complete:
            return None
        return Keyed("test", msk(self.made_by.password) if self.made_by.keyed else None, self.made_by.mutual)
