"""What the peers of EAP-TLS and EAP-TTLS have in common: the start, TLS itself, and phases of which each knows the next."""

from functools import partial
from typing import Protocol

from attrs import define, field, frozen
from cryptography import x509

from ikegw.eap.errors import BadEap, LoginFailed
from ikegw.eap.peer.account import Account
from ikegw.eap.server_names import problem_with_name
from ikegw.eap.tls_contexts import Verifier, make_context
from ikegw.eap.tls_conversation import TlsConversation
from ikegw.eap.tls_engine import TlsEngine
from ikegw.eap.tls_packet import TlsPacket
from ikegw.eap.turns import Answer
from ikegw.ports import Keyed

COMMITMENT = b"\0"
"""By this octet a server says in TLS 1.3 that it is satisfied and will say no more (RFC 9190 §2.5)."""


class Phase(Protocol):
    """Where the method stands. `keyed` once success may be believed; `open` while more may come."""

    @property
    def keyed(self) -> Keyed | None:
        """The method's result, if it is complete."""
        ...

    @property
    def open(self) -> bool:
        """May more come?"""
        ...

    def after(self, engine: TlsEngine) -> "Phase":
        """A message of the server was read: say what is to be said, and give the phase that follows. BadEap, LoginFailed."""
        ...


@frozen
class Unfinished:
    """The base of phases in which nothing may be believed yet."""

    @property
    def keyed(self) -> Keyed | None:
        """None."""
        return None

    @property
    def open(self) -> bool:
        """It goes on."""
        return True


@define(eq=False)
class AwaitStart:
    """Nothing but the server's start is understood. `show`: our certificate is shown."""

    _account: Account = field(repr=False)
    _first: Phase
    _show: bool

    def answer(self, identifier: int, data: bytes) -> Answer:
        """See `PeerStage`."""
        packet = TlsPacket.decode(data)
        if not packet.start or packet.data:
            raise BadEap("EAP-TLS data before the server's start")
        account = self._account
        if not account.authorities:
            raise LoginFailed("no authority is configured to check the EAP server by; put one into ca/")
        verifier = Verifier(partial(_judge, account.server))
        context = make_context(account.certificate if self._show else None, account.authorities, verifier)
        stage = InTls(TlsConversation(TlsEngine(context, accept=False)), verifier, self._first)
        return Answer(stage.begin().encode(), stage)


def _judge(name: str, certificate: x509.Certificate) -> str:
    return problem_with_name(certificate, name)


@define(eq=False)
class InTls:
    """TLS is under way."""

    _conversation: TlsConversation = field(repr=False)
    _verifier: Verifier = field(repr=False)
    _phase: Phase

    def begin(self) -> TlsPacket:
        """The client's first message."""
        return self._conversation.begin()

    def answer(self, identifier: int, data: bytes) -> Answer:
        """See `PeerStage`."""
        packet, conversation = TlsPacket.decode(data), self._conversation
        if packet.start:
            raise BadEap("another EAP-TLS start while TLS is under way")
        reply = conversation.receive(packet, self._advance)
        if reply is None:
            raise BadEap("an EAP-TLS request without data, and nothing is left to be sent")
        if conversation.broken:
            problem = self._verifier.problem or f"TLS with the EAP server failed: {conversation.broken}"
            return Answer(reply.encode(), complaint=problem)
        if conversation.sending or packet.more:
            return Answer(reply.encode(), self)
        return Answer(reply.encode(), self if self._phase.open else None, self._phase.keyed)

    def _advance(self, engine: TlsEngine) -> None:
        self._phase = self._phase.after(engine)
