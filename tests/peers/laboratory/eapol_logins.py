"""wpa_supplicant's EAP peer in the place of our own: `ports.Supplicants` of an initiator."""

from collections.abc import Mapping
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.policy.connections import LocalAuth
from ikegw.ports import Keyed, Supplicant, SupplicantFailed
from ikegw.wire.eap import EapPacket
from ikegw.wire.identification import Identity
from ikegw.wire.registry import EapCode
from laboratory.eapol import Eapol


@define(eq=False)
class EapolSupplicants:
    """Logs everyone in with the `settings` of a wpa_supplicant network. Its answers are waited for: each takes milliseconds."""

    settings: Mapping[str, str]
    directory: Path
    begun: list[Eapol] = field(factory=list, init=False)

    def begin(self, local: LocalAuth, responder: Identity, *, authentic: bool) -> Supplicant:
        """See `ports.Supplicants`."""
        peer = Eapol(self.settings, self.directory, seconds=2.0)
        self.begun.append(peer)
        peer.start()
        return EapolSupplicant(peer)

    def stop(self) -> None:
        """End all that were begun."""
        for peer in self.begun:
            peer.stop()


@define(eq=False)
class EapolSupplicant:
    """One login."""

    peer: Eapol
    complaint: str = field(default="", init=False)
    _asked: int = field(default=0, init=False)

    def respond(self, request: bytes) -> Deferred[bytes]:
        """See `ports.Supplicant`."""
        self._asked = EapPacket.decode(request).identifier
        try:
            return succeed(self.peer.respond(request))
        except TimeoutError:
            return fail(SupplicantFailed("wpa_supplicant has no answer"))

    def complete(self) -> Keyed | None:
        """See `ports.Supplicant`; wpa_supplicant is asked what it thinks of an EAP Success now."""
        outcome = self.peer.finish(EapPacket(EapCode.SUCCESS, self._asked).encode())
        return Keyed("wpa_supplicant", outcome.msk, mutual=False) if outcome.success else None
