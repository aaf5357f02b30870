"""What OpenSSL is to do for an EAP method: versions, certificates, and how the other side's is checked."""

from collections.abc import Callable, Iterable
from typing import Final

from attrs import define, field
from cryptography import x509
from OpenSSL import SSL, crypto

from ikegw.eap.credentials import OwnCertificate
from ikegw.eap.errors import LoginFailed

_LEGACY_SERVER_CONNECT: Final = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT: also with servers that do not know RFC 5746 (strongSwan's TLS 1.2). What that protects from is
another's session which a server goes on with as ours; here the keys are those of our own handshake, or there are none.
"""
_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | _LEGACY_SERVER_CONNECT
_NO_AUTO_CHAIN: Final = 0x8
"""SSL_MODE_NO_AUTO_CHAIN: send the certificates that we were given, and no others, least of all a root."""
_DEPTH: Final = 9
_NOT_KNOWN: Final = "leads to none of the authorities that count here"
_WORDS: Final = {
    2: _NOT_KNOWN,
    7: "bears a signature that its issuer did not make",
    9: "is not valid yet",
    10: "has expired",
    **dict.fromkeys((18, 19, 20, 21), _NOT_KNOWN),
    24: "was issued by a certificate that is no authority",
    26: "is not for this purpose (extendedKeyUsage)",
    79: "was issued by a certificate that is no authority",
}
"""What X509_verify_cert(3) found, by its number."""

Judge = Callable[[x509.Certificate], str]
"""What is wrong with the other side's own certificate; empty for nothing. Its chain is good already."""


@define(eq=False)
class Verifier:
    """Checks the other side's certificates while the handshake runs; `problem` is then the sentence that OpenSSL's lacks."""

    judge: Judge
    problem: str = field(default="", init=False)

    def __call__(
        self, _connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, good: int
    ) -> bool:
        """OpenSSL's callback, for each certificate of the chain from the root on."""
        found = certificate.to_cryptography()
        if not good:
            words = _WORDS.get(error, f"was refused by OpenSSL (X509_verify_cert error {error})")
            self.problem = f"the certificate of {found.subject.rfc4514_string()} {words}"
        elif depth == 0:
            self.problem = self.judge(found)
        return not self.problem


def make_context(
    own: OwnCertificate | None, authorities: Iterable[x509.Certificate], verifier: Verifier
) -> SSL.Context:
    """TLS 1.2 and 1.3 with full handshakes only; the other side must have a certificate. LoginFailed if ours is unusable."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_mode(_NO_AUTO_CHAIN)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verifier)
    context.set_verify_depth(_DEPTH)
    store = context.get_cert_store()
    assert store is not None  # noqa: S101  # a context always has one
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # an authority need not be a root
    for authority in authorities:
        converted = crypto.X509.from_cryptography(authority)
        store.add_cert(converted)
        context.add_client_ca(authority)
    if own is not None:
        _show(context, own)
    return context


def _show(context: SSL.Context, own: OwnCertificate) -> None:
    try:
        context.use_certificate(own.certificate)
        for above in own.chain:
            context.add_extra_chain_cert(above)
        context.use_privatekey(own.key)
    except (SSL.Error, crypto.Error, ValueError, TypeError):
        raise LoginFailed(
            f"OpenSSL cannot use our certificate of {own.certificate.subject.rfc4514_string()} for TLS"
        ) from None
