"""What both sides say and check alike to begin with (RFC 7296 §1.2, §2.10, §3.7; RFC 7427 §4)."""

from collections.abc import Iterable
from struct import Struct

from ikegw.auth.authenticator import Authenticator, PeerHints, Proof
from ikegw.crypto.transforms import Prf
from ikegw.policy.connections import AuthKind, Connection, SendCertificate
from ikegw.wire.certificate import Certificate, CertificateRequest
from ikegw.wire.identification import Identity
from ikegw.wire.message import Message, Payload
from ikegw.wire.notify import Notify
from ikegw.wire.registry import HashId, Members, NotifyType

NONCE_OCTETS = 32
"""What we send: at least half the key of any PRF that we offer."""

_NUMBER = Struct("!H")
_KNOWN = Members(HashId)
_HASHES = (HashId.SHA2_256, HashId.SHA2_384, HashId.SHA2_512, HashId.IDENTITY)
_ANNOUNCED = Notify(
    NotifyType.SIGNATURE_HASH_ALGORITHMS, b"".join(number.to_bytes(2, "big") for number in _HASHES)
)


def window_offer(connection: Connection) -> tuple[Notify, ...]:
    """N(SET_WINDOW_SIZE), if we take more requests at once than everybody must (RFC 7296 §2.3)."""
    if connection.window == 1:
        return ()
    return (Notify(NotifyType.SET_WINDOW_SIZE, connection.window.to_bytes(4, "big")),)


SEVERAL_PROOFS = Notify(NotifyType.MULTIPLE_AUTH_SUPPORTED)
"""Says who takes, or wants to give, more than one proof of an identity (RFC 4739 §3.1)."""

ANOTHER_FOLLOWS = Notify(NotifyType.ANOTHER_AUTH_FOLLOWS)
"""Says with an AUTH that the sender will prove itself once more (RFC 4739 §3.2)."""

CHILDLESS = Notify(NotifyType.CHILDLESS_IKEV2_SUPPORTED)
"""Says a responder that takes IKE_AUTH without a child (RFC 6023)."""


def hash_algorithms() -> Notify:
    """N(SIGNATURE_HASH_ALGORITHMS): the hashes that a signature of the peer may use."""
    return _ANNOUNCED


def hashes_of(message: Message) -> frozenset[HashId]:
    """The hashes that the peer can check; none: it knows only the classic methods."""
    notify = message.notify(NotifyType.SIGNATURE_HASH_ALGORITHMS)
    if notify is None:
        return frozenset()
    return frozenset([_KNOWN[number] for (number,) in _NUMBER.iter_unpack(notify.data)])


def certificates_asked_for(
    authenticator: Authenticator, connections: Iterable[Connection]
) -> tuple[Payload, ...]:
    """CERTREQ of all that the peer may come to be connected by (§3.7), and whether it may name certificates by hash and URL.

    That only if it may in each of them: which one it is turns out later.
    """
    by_certificate = [one.remote for one in connections if one.remote.kind is AuthKind.PUBKEY]
    requests = dict.fromkeys(each for remote in by_certificate for each in authenticator.requests(remote))
    lookup = bool(by_certificate) and all(remote.hash_and_url for remote in by_certificate)
    return (*requests, *((Notify(NotifyType.HTTP_CERT_LOOKUP_SUPPORTED),) if lookup else ()))


def hints_of(identity: Identity | None, message: Message, hashes: frozenset[HashId]) -> PeerHints:
    """What a peer wants to see of us, by the `message` that has its CERTREQ; `hashes` came with IKE_SA_INIT."""
    takes_urls = message.notify(NotifyType.HTTP_CERT_LOOKUP_SUPPORTED) is not None
    return PeerHints(identity, message.every(CertificateRequest), hashes, takes_urls)


def certificates_to_send(
    connection: Connection, proof: Proof, requests: tuple[CertificateRequest, ...]
) -> tuple[Certificate, ...]:
    """Our certificates, if they go with our AUTH; `requests` are the peer's CERTREQ payloads, of whichever authorities (§3.7).

    Clients that log in by EAP need ours, and some never ask (Apple's without an issuer in their profile).
    """
    how = connection.send_certificate
    asked = bool(requests) or connection.lets_in_by_eap
    sent = how is SendCertificate.ALWAYS or (how is SendCertificate.IF_ASKED and asked)
    return proof.certificates if sent else ()


def nonce_is_sound(nonce: bytes, prf: Prf) -> bool:
    """Long enough for the PRF that was chosen, and within the RFC's bounds (§2.10, §3.9)."""
    return 16 <= len(nonce) <= 256 and 2 * len(nonce) >= prf.key_octets
