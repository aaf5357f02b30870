"""How a responder checks the initiator and proves itself: by credentials, or by the key of an EAP login (RFC 7296 §2.16)."""

from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from ikegw.auth.authenticator import AuthenticationError, Examination, Proof, Verified
from ikegw.auth.octets import psk_mac
from ikegw.crypto.compare import equal
from ikegw.events import AuthFailure
from ikegw.ike.examining import judge, obtain
from ikegw.ike.greeting import certificates_to_send, hints_of
from ikegw.ike.opening import Opening
from ikegw.ike.sa import IkeSa
from ikegw.machines.responder import Responder
from ikegw.policy.identities import display
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.identification import Identity, IdResponder
from ikegw.wire.message import Message, Payload
from ikegw.wire.registry import AuthMethod, HashId

Done = Callable[[], None]
Failed = Callable[[AuthenticationError], None]
Obtained = Callable[[bool], None]
"""Hears whether something could not be had that policy can do without."""


def told_to(machine: Responder) -> Obtained:
    """What was fetched becomes the machine's input (row R-14), after either proof."""

    def obtained(dispensed_with: bool) -> None:
        if dispensed_with:
            machine.material_dispensable()
        else:
            machine.material_obtained()

    return obtained


class OwnProof(Protocol):
    """How we prove ourselves."""

    @property
    def payloads(self) -> tuple[Payload, ...]:
        """What goes before the child in the IKE_AUTH response; nothing before `prove` is done."""
        ...

    def prove(self, proved: Done, failed: Failed) -> None:
        """Make ours."""
        ...


class Proofs(OwnProof, Protocol):
    """Both proofs of one authentication; each is made or checked, and then one of the callbacks is called."""

    def verify(self, missing: Done, verified: Done, failed: Failed) -> None:
        """Is the initiator who it says it is? `missing`: first `obtain` what has to be fetched to know that, then ask again."""
        ...

    def obtain(self, done: Obtained, failed: Failed) -> None:
        """Fetch what is missing."""
        ...


class ProvedBefore:
    """We proved ourselves in an earlier round already (RFC 4739)."""

    payloads: tuple[Payload, ...] = ()

    def prove(self, proved: Done, failed: Failed) -> None:
        """See `OwnProof`: there is nothing to do."""
        proved()


@define(eq=False)
class ByCredentials:
    """Keys and certificates; `message` is the IKE_AUTH request with the initiator's identity, and AUTH unless it wants EAP."""

    sa: IkeSa = field(repr=False)
    opening: Opening = field(repr=False)
    message: Message = field(repr=False)
    identity: Identity
    peer_hashes: frozenset[HashId]
    _examination: Examination | None = field(default=None, init=False, repr=False)
    payloads: tuple[Payload, ...] = field(default=(), init=False, repr=False)

    def verify(self, missing: Done, verified: Done, failed: Failed) -> None:
        """See `Proofs`."""
        examination = self._examination = self._examination or self._examine()

        def known(result: Verified) -> None:
            self.sa.method = result.method
            self.sa.stand_by(examination)
            verified()

        judge(examination, missing, known, failed)

    def _examine(self) -> Examination:
        sa = self.sa
        return sa.surroundings.authenticator.examine(
            sa.connection.remote,
            self.identity,
            self.opening.signed_by_initiator(sa.channel, self.identity),
            sa.channel.suite.prf,
            self.message.every(Certificate),
            self.message.need(Authentication),
            sa.local_identity,
        )

    def obtain(self, done: Obtained, failed: Failed) -> None:
        """See `Proofs`."""
        if self._examination is not None:
            obtain(self.sa, self._examination, done, failed)

    def prove(self, proved: Done, failed: Failed) -> None:
        """See `Proofs`: IDr, our certificates if they are to be sent, AUTH."""
        sa, hints = self.sa, hints_of(self.identity, self.message, self.peer_hashes)

        def made(proof: Proof) -> None:
            certificates = certificates_to_send(sa.connection, proof, hints.certificate_requests)
            self.payloads = (IdResponder(sa.local_identity), *certificates, proof.authentication)
            proved()

        proving = sa.surroundings.authenticator.prove(
            sa.connection.local,
            sa.local_identity,
            self.opening.signed_by_responder(sa.channel, sa.local_identity),
            sa.channel.suite.prf,
            hints,
        )
        sa.wait_for(proving, made, AuthenticationError, failed)


@define(eq=False)
class ByEapKey:
    """The MSK of an EAP method, or SK_pi and SK_pr if it made none; `authentication` is the initiator's, after EAP Success."""

    sa: IkeSa = field(repr=False)
    opening: Opening = field(repr=False)
    identity: Identity
    msk: bytes | None = field(repr=False)
    authentication: Authentication = field(repr=False)
    payloads: tuple[Payload, ...] = field(default=(), init=False, repr=False)

    def verify(self, missing: Done, verified: Done, failed: Failed) -> None:
        """See `Proofs`: nothing is ever missing."""
        sa, channel = self.sa, self.sa.channel
        octets = self.opening.signed_by_initiator(channel, self.identity)
        expected = psk_mac(channel.suite.prf, self.msk or channel.sk_pi, octets)
        said = self.authentication
        if said.method is AuthMethod.SHARED_KEY and equal(expected, said.data):
            verified()
            return
        key = "the key that its AAA server told us" if self.msk else "SK_pi, for its method makes no key"
        who = sa.user or display(self.identity)
        failed(
            AuthenticationError(
                AuthFailure.NOT_AUTHENTIC,
                f"EAP found {who!r} good, but its AUTH is not made with {key}; does something stand between them?",
            )
        )

    def obtain(self, done: Obtained, failed: Failed) -> None:
        """See `Proofs`: there is nothing to fetch (row R-13)."""
        done(False)

    def prove(self, proved: Done, failed: Failed) -> None:
        """See `Proofs`: AUTH alone, for IDr was sent before."""
        sa, channel = self.sa, self.sa.channel
        octets = self.opening.signed_by_responder(channel, sa.local_identity)
        mac = psk_mac(channel.suite.prf, self.msk or channel.sk_pr, octets)
        self.payloads = (Authentication(AuthMethod.SHARED_KEY, mac),)
        proved()
