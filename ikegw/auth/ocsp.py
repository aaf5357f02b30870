"""What a responder says of one certificate (RFC 6960): our question, and its answer read and checked into a value."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikegw.auth.certificates import STRONG_HASHES, X509, BadCertificate, read
from ikegw.auth.crls import CLOCKS_DIFFER
from ikegw.crypto.compare import equal

REQUEST_TYPE: Final = "application/ocsp-request"
NONCE_OCTETS: Final = 32
"""RFC 9654 §2.1."""
WITHOUT_END: Final = timedelta(minutes=5)
"""How long an answer counts that does not say (without nextUpdate newer ones are always to be had)."""
MOST_CERTIFICATES: Final = 4
_MAY_ANSWER: Final = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string


class BadAnswer(Exception):
    """Octets that are no answer to our question, or that nobody vouches for; the text says why."""


@frozen
class OcspAnswer:
    """What holds of one certificate until `until`; `revoked` says since when and why, and is empty if it is good.

    `delegate` is who signed it in the issuer's place, if not the issuer itself; `der` the whole response, for a peer of ours.
    """

    this_update: datetime
    until: datetime
    revoked: str
    delegate: X509 | None = field(repr=False)
    der: bytes = field(repr=False)

    def fresh_at(self, now: datetime) -> bool:
        """Whether it counts at `now`."""
        return self.this_update - CLOCKS_DIFFER <= now < self.until


def question(certificate: X509, issuer: X509, nonce: bytes) -> bytes:
    """The request in DER."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate.certificate,
        issuer.certificate,
        hashes.SHA1(),  # noqa: S303 — a name of the issuer, no proof
    )
    return builder.add_extension(x509.OCSPNonce(nonce), False).build().public_bytes(Encoding.DER)


def read_answer(
    octets: bytes, certificate: X509, issuer: X509, now: datetime, nonce: bytes | None
) -> OcspAnswer:
    """The answer about `certificate`, checked; `nonce` is our question's, None if we asked none. BadAnswer.

    A responder may leave the nonce out (RFC 5019 §4), but not send another.
    """
    try:
        response = ocsp.load_der_ocsp_response(octets)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise BadAnswer(f"the responder says {response.response_status.name}")
        if b"\0" + response.signature not in octets:  # unused bits of a BIT STRING, which libraries let pass
            raise BadAnswer("its signature is no whole number of octets")
        _require_nonce(response, nonce)
        delegate = _signer(response, issuer, now)
        single = next(_about(response, certificate, issuer), None)
        if single is None:
            raise BadAnswer("it is about other certificates")
        return _value(single, delegate, octets)
    except (UnsupportedAlgorithm, x509.UnsupportedGeneralNameType) as error:
        raise BadAnswer(f"it uses something that is not supported ({str(error)[:120]})") from None
    except (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, InternalError):
        raise BadAnswer("not an OCSP response that can be read") from None


def _value(single: ocsp.OCSPSingleResponse, delegate: X509 | None, octets: bytes) -> OcspAnswer:
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise BadAnswer("the responder does not know the certificate")
    revoked = ""
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        reason = "" if single.revocation_reason is None else f" ({single.revocation_reason.value})"
        revoked = f"revoked since {single.revocation_time_utc:%Y-%m-%d %H:%M} UTC{reason}"
    start = single.this_update_utc
    return OcspAnswer(start, single.next_update_utc or start + WITHOUT_END, revoked, delegate, octets)


def _require_nonce(response: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    if nonce is None:
        return
    try:
        theirs = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return
    if not equal(theirs, nonce):
        raise BadAnswer("it answers another question than ours (its nonce is not ours)")


def _about(response: ocsp.OCSPResponse, certificate: X509, issuer: X509) -> Iterator[ocsp.OCSPSingleResponse]:
    for single in response.responses:
        if single.serial_number != certificate.serial:
            continue
        named = (
            ocsp.OCSPRequestBuilder()
            .add_certificate(certificate.certificate, issuer.certificate, single.hash_algorithm)
            .build()
        )
        same_name = single.issuer_name_hash == named.issuer_name_hash
        if same_name and single.issuer_key_hash == named.issuer_key_hash:
            yield single


def _signer(response: ocsp.OCSPResponse, issuer: X509, now: datetime) -> X509 | None:
    """Who signed in the issuer's place; None: the issuer itself did (RFC 6960 §4.2.2.2)."""
    if _signed_by(response, issuer):
        return None
    for certificate in response.certificates[:MOST_CERTIFICATES]:
        try:
            (delegate,) = read(_once(certificate))
        except BadCertificate:
            continue
        if _signed_by(response, delegate):
            _require_delegated(delegate, issuer, now)
            return delegate
    raise BadAnswer("neither the issuer nor anybody whose certificate is in it signed it")


def _once(certificate: x509.Certificate) -> Callable[[], list[x509.Certificate]]:
    return lambda: [certificate]


def _require_delegated(delegate: X509, issuer: X509, now: datetime) -> None:
    try:
        delegate.certificate.verify_directly_issued_by(issuer.certificate)
    except (InvalidSignature, ValueError, TypeError):
        raise BadAnswer(f"{delegate.title} signed it, which {issuer.subject} did not issue") from None
    if delegate.purposes is None or _MAY_ANSWER not in delegate.purposes:
        raise BadAnswer(f"{delegate.title} signed it, which may not (extendedKeyUsage OCSPSigning)")
    if not delegate.valid_at(now):
        raise BadAnswer(f"{delegate.title} signed it, which is not valid now")
    if delegate.has_short_key:
        raise BadAnswer(f"{delegate.title} signed it, whose RSA key is too short")
    if delegate.weak_signature is not None:
        raise BadAnswer(f"{delegate.title} signed it, which was itself signed with {delegate.weak_signature}")


def _signed_by(response: ocsp.OCSPResponse, signer: X509) -> bool:
    hash_ = response.signature_hash_algorithm
    key, signature, octets = signer.public_key, response.signature, response.tbs_response_bytes
    try:
        match key:
            case rsa.RSAPublicKey() if hash_ is not None and hash_.name in STRONG_HASHES:
                key.verify(signature, octets, PKCS1v15(), hash_)
            case ec.EllipticCurvePublicKey() if hash_ is not None and hash_.name in STRONG_HASHES:
                key.verify(signature, octets, ec.ECDSA(hash_))
            case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey():
                return False
            case _:
                key.verify(signature, octets)
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
