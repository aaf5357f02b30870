"""An X.509 certificate as authentication sees it (RFC 5280, RFC 4945): parsed once, whole, into a value."""

import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property
from hashlib import sha1, sha256
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeVar

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID
from service_identity import CertificateError
from service_identity.hazmat import DNS_ID, DNSPattern

from ikegw.auth.distribution import MOST_POINTS, DistributionPoint, points_of
from ikegw.policy.demands import Pin, PinOf
from ikegw.policy.distinguished_names import spell
from ikegw.policy.identities import Normal, display, from_address, normal
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

SHORTEST_RSA: Final = 1024
"""Below it nothing is read; see `X509.has_short_key` for what is read and yet refused."""
STRONG_RSA: Final = 2048
LARGEST_RSA: Final = 16384
MOST_NAMES: Final = 64
EMPTY_NAME: Final = b"\x30\x00"
STRONG_HASHES: Final = frozenset({"sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"})
CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})


class BadCertificate(Exception):
    """Octets that are no certificate that we can use; the text says why."""


@frozen(eq=False)
class X509:
    """A certificate's parts. `names` are its subjectAltNames as identities, its subject as a distinguished name first.

    What only authorities and our own certificates are asked for is worked out when asked.
    """

    certificate: x509.Certificate = field(repr=False)
    der: bytes = field(repr=False)
    subject: str
    subject_der: bytes = field(repr=False)
    issuer_der: bytes = field(repr=False)
    public_key: PublicKey = field(repr=False)
    names: tuple[Identity, ...] = field(repr=False)
    start: datetime
    end: datetime
    is_authority: bool
    key_usage: x509.KeyUsage | None = field(repr=False)
    purposes: frozenset[str] | None = field(repr=False)
    weak_signature: str | None = field(repr=False)

    @classmethod
    def parse(cls, der: bytes) -> "X509":
        """Read the certificate in DER; BadCertificate for whatever is wrong with it."""
        return read(lambda: [x509.load_der_x509_certificate(der)])[0]

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "X509":
        """The parts of a certificate that the library has read; raises what the library raises, which reads lazily."""
        extensions = certificate.extensions
        constraints = extension(extensions, x509.BasicConstraints)
        purposes = extension(extensions, x509.ExtendedKeyUsage)
        subject, der = certificate.subject.public_bytes(), certificate.public_bytes(Encoding.DER)
        if der[-len(certificate.signature) - 1]:  # unused bits of a BIT STRING, which libraries let pass
            raise BadCertificate("its signature is no whole number of octets")
        return cls(
            certificate,
            der,
            spell(subject) or "(a subject that cannot be shown)",
            subject,
            certificate.issuer.public_bytes(),
            _usable(certificate.public_key()),
            _names(subject, extensions),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            constraints is not None and constraints.ca,
            extension(extensions, x509.KeyUsage),
            None if purposes is None else frozenset(purpose.dotted_string for purpose in purposes),
            _weak_signature(certificate),
        )

    @property
    def issuer(self) -> str:
        """Who issued it, for a sentence."""
        return spell(self.issuer_der) or "(an issuer that cannot be shown)"

    @property
    def self_issued(self) -> bool:
        """Whether it names itself as its issuer: a root, mostly."""
        return self.issuer_der == self.subject_der

    @cached_property
    def key_hash(self) -> bytes:
        """By what CERTREQ would name it."""
        return key_hash(self.public_key)

    @cached_property
    def pins(self) -> tuple[Pin, Pin]:
        """By what it, and its key, can be pinned."""
        info = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digests = ((PinOf.CERTIFICATE, sha256(self.der)), (PinOf.KEY, sha256(info)))
        whole, key = (Pin(of, digest.digest()) for of, digest in digests)
        return whole, key

    @cached_property
    def serial(self) -> int:
        """The serial number that its issuer gave it."""
        return self.certificate.serial_number

    @cached_property
    def crl_points(self) -> tuple[DistributionPoint, ...]:
        """Where its issuer publishes complete CRLs (RFC 5280 §4.2.1.13)."""
        return points_of(extension(self.certificate.extensions, x509.CRLDistributionPoints))

    @cached_property
    def delta_points(self) -> tuple[DistributionPoint, ...]:
        """Where its issuer publishes delta CRLs (RFC 5280 §4.2.1.15)."""
        return points_of(extension(self.certificate.extensions, x509.FreshestCRL))

    @cached_property
    def ocsp_urls(self) -> tuple[str, ...]:
        """Where its issuer answers OCSP (RFC 5280 §4.2.2.1)."""
        access = extension(self.certificate.extensions, x509.AuthorityInformationAccess) or ()
        return tuple(
            each.access_location.value
            for each in access
            if each.access_method == AuthorityInformationAccessOID.OCSP
            and isinstance(each.access_location, x509.UniformResourceIdentifier)
        )[:MOST_POINTS]

    @property
    def title(self) -> str:
        """How a sentence calls it."""
        return f"certificate {self.subject}"

    @property
    def has_short_key(self) -> bool:
        """Whether its RSA key is one that could be broken."""
        return isinstance(self.public_key, rsa.RSAPublicKey) and self.public_key.key_size < STRONG_RSA

    def valid_at(self, moment: datetime) -> bool:
        """Whether `moment` lies within its validity, both ends included (RFC 5280 §4.1.2.5)."""
        return self.start <= moment <= self.end

    def names_text(self) -> str:
        """Its names for a sentence."""
        return ", ".join(display(name) for name in self.names) or "no name at all"


def read(load: Callable[[], Iterable[x509.Certificate]]) -> tuple[X509, ...]:
    """The parts of the certificates that `load` gives; BadCertificate for whatever is wrong with one of them.

    What the library only warns of (a serial number of zero, a country of five letters) does not concern us: such
    certificates are about, and a peer must not fill our log with them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(X509.of(certificate) for certificate in load())
        except (UnsupportedAlgorithm, x509.UnsupportedGeneralNameType) as error:
            raise BadCertificate(
                f"the certificate uses something that is not supported ({_brief(error)})"
            ) from None
        except (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, InternalError) as error:
            raise BadCertificate(f"not a certificate that can be read ({_brief(error)})") from None


def key_hash(public_key: PublicKey) -> bytes:
    """SHA-1 of the SubjectPublicKeyInfo, by which CERTREQ names an authority (RFC 7296 §3.7)."""
    info = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha1(info, usedforsecurity=False).digest()


def carries(names: tuple[Identity, ...], identity: Identity) -> bool:
    """Whether a certificate with these names is `identity`'s (RFC 4945 §3.1): equal, or a host under `*.example.org`."""
    wanted: Normal = normal(identity)
    if any(normal(name) == wanted for name in names):
        return True
    return identity.type == IdType.FQDN and any(
        name.type == IdType.FQDN and b"*" in name.data and _under(name.data, identity.data) for name in names
    )


def _under(pattern: bytes, host: bytes) -> bool:
    try:
        return DNS_ID(host.decode("ascii")).verify(DNSPattern.from_bytes(pattern))
    except (ValueError, CertificateError):
        return False


E = TypeVar("E", bound=x509.ExtensionType)


def extension(extensions: x509.Extensions, kind: type[E]) -> E | None:
    """The extension of that kind; None if there is none."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _names(subject: bytes, extensions: x509.Extensions) -> tuple[Identity, ...]:
    names = [Identity(IdType.DER_ASN1_DN, subject)] if subject != EMPTY_NAME else []
    alternatives = extension(extensions, x509.SubjectAlternativeName) or ()
    for alternative in alternatives:
        match alternative:
            case x509.DNSName(value=value):
                names.append(Identity(IdType.FQDN, value.encode()))
            case x509.RFC822Name(value=value):
                names.append(Identity(IdType.RFC822_ADDR, value.encode()))
            case x509.IPAddress(value=IPv4Address() | IPv6Address() as address):
                names.append(from_address(address))
            case x509.DirectoryName(value=name):
                names.append(Identity(IdType.DER_ASN1_DN, name.public_bytes()))
    if len(names) > MOST_NAMES:
        raise ValueError(f"more than {MOST_NAMES} names")
    return tuple(names)


def _usable(key: object) -> PublicKey:
    match key:
        case rsa.RSAPublicKey() if not SHORTEST_RSA <= key.key_size <= LARGEST_RSA:
            raise BadCertificate(
                f"its RSA key of {key.key_size} bits is not within {STRONG_RSA} to {LARGEST_RSA}; use a new key"
            )
        case ec.EllipticCurvePublicKey() if key.curve.name not in CURVES:
            raise BadCertificate(f"its key is on curve {key.curve.name}; usable are P-256, P-384 and P-521")
        case (
            rsa.RSAPublicKey()
            | ec.EllipticCurvePublicKey()
            | ed25519.Ed25519PublicKey()
            | ed448.Ed448PublicKey()
        ):
            return key
    raise BadCertificate(
        "its key is of a kind that cannot sign here; usable are RSA, ECDSA, Ed25519 and Ed448"
    )


def _weak_signature(certificate: x509.Certificate) -> str | None:
    """The name of the hash by which it was signed, if nobody should trust that any more."""
    algorithm = certificate.signature_hash_algorithm
    return None if algorithm is None or algorithm.name in STRONG_HASHES else algorithm.name.upper()


def _brief(error: Exception) -> str:
    """The library's words in one line of bounded length, unless they are of its own insides."""
    text = " ".join(str(error).split())
    if "PEM" in text:
        return "its PEM is damaged"
    inside = isinstance(error, InternalError) or "asn1" in text.lower()
    return "its DER is damaged" if inside else text[:120] or type(error).__name__
