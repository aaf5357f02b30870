"""The authenticator of EAP-TLS (RFC 5216, with TLS 1.3 RFC 9190)."""

from typing import Protocol

from attrs import define, field, frozen
from cryptography import x509

from ikegw.eap import tls_keys
from ikegw.eap.credentials import OwnCertificate
from ikegw.eap.errors import BadEap, LoginFailed
from ikegw.eap.server.certificate_names import names, user_of
from ikegw.eap.server.claim import Claim
from ikegw.eap.server.settings import LookInto
from ikegw.eap.tls_contexts import Verifier, make_context
from ikegw.eap.tls_conversation import TlsConversation
from ikegw.eap.tls_engine import TlsEngine
from ikegw.eap.tls_packet import TlsPacket
from ikegw.eap.turns import Ask, Later, Passed, Refused, Verdict
from ikegw.ports import Standing
from ikegw.wire.registry import EapType

COMMITMENT = b"\0"


class Phase(Protocol):
    """Where TLS stands."""

    def after(self, engine: TlsEngine) -> "Phase":
        """A message of the client was read: say what is to be said, and give the phase that follows."""
        ...

    def over(self, user: str) -> Verdict:
        """The client has nothing more to say."""
        ...


@frozen
class Handshake:
    """TLS is not established."""

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        return Proved(engine.shown(), tls_keys.msk(engine, EapType.TLS)) if engine.established else self

    def over(self, user: str) -> Verdict:
        """See `Phase`."""
        return Refused("EAP-tls: the client gave up in the middle of the handshake")


@frozen
class Proved:
    """The certificate is the client's; does it still stand? Nothing was said of it yet."""

    shown: tuple[x509.Certificate, ...] = field(repr=False)
    msk: bytes = field(repr=False)

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        raise BadEap("more TLS while a certificate is looked into")

    def over(self, user: str) -> Verdict:
        """See `Phase`."""
        raise BadEap("an empty packet while a certificate is looked into")


@frozen
class Established:
    """The client is let in; it is to acknowledge our last message."""

    msk: bytes = field(repr=False)
    standing: Standing | None = field(repr=False)

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        raise BadEap("more TLS after EAP-TLS was complete")

    def over(self, user: str) -> Verdict:
        """See `Phase`."""
        return Passed(user, self.msk, self.standing)


@define(eq=False)
class InTls:
    """TLS is under way. `user` is who the certificate says that it is, once it was seen and is good."""

    _claim: Claim
    _look_into: LookInto = field(repr=False)
    _conversation: TlsConversation = field(init=False, repr=False)
    _verifier: Verifier = field(init=False, repr=False)
    _phase: Phase = field(factory=Handshake, init=False)
    _user: str = field(default="", init=False)

    @classmethod
    def make(
        cls, claim: Claim, own: OwnCertificate, authorities: tuple[x509.Certificate, ...], look_into: LookInto
    ) -> "InTls":
        """Before the client's first message."""
        stage = cls(claim, look_into)
        stage._verifier = Verifier(stage._judge)
        context = make_context(own, authorities, stage._verifier)
        stage._conversation = TlsConversation(TlsEngine(context, accept=True))
        return stage

    def _judge(self, certificate: x509.Certificate) -> str:
        user = user_of(certificate, self._claim.name)
        if user is None:
            borne = ", ".join(names(certificate)) or "nobody"
            return f"the login began as {self._claim.name!r}, but the certificate is that of {borne}"
        self._user = user
        return ""

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """See `ServerStage`."""
        packet, conversation = TlsPacket.decode(data), self._conversation
        if packet.start:
            raise BadEap("an EAP-TLS response with the start flag")
        reply = conversation.receive(packet, self._advance)
        if reply is None:
            return self._phase.over(self._user)
        if conversation.broken:
            reason = f"EAP-tls: {self._verifier.problem or f'TLS failed: {conversation.broken}'}"
            return Ask(reply.encode(), Told(reason), reason) if reply.data else Refused(reason)
        if isinstance(self._phase, Proved):
            proved = self._phase
            return Later(self._look_into(proved.shown).addCallback(self._looked_into, proved, reply))
        return Ask(reply.encode(), self)

    def _looked_into(self, found: Standing | str | None, proved: Proved, reply: TlsPacket) -> Ask | Refused:
        """TLS 1.3 says before EAP Success that the client is let in, so nothing may be in doubt by then (RFC 9190 §2.5)."""
        if isinstance(found, str):
            return Refused(f"EAP-tls: {found}")
        self._phase = Established(proved.msk, found)
        engine = self._conversation.engine
        try:
            return Ask((self._conversation.add(COMMITMENT) if engine.is_tls_1_3 else reply).encode(), self)
        except LoginFailed as error:
            return Refused(f"EAP-tls: {error}")

    def _advance(self, engine: TlsEngine) -> None:
        self._phase = self._phase.after(engine)


@frozen
class Told:
    """The client was told by an alert that it is refused; whatever it says now, it is."""

    reason: str

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """See `ServerStage`."""
        return Refused(self.reason, told=True)
