"""A certificate revocation list as a value (RFC 5280 §5): parsed once, whole; whose it is, what it is for, what it revokes."""

import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, TypeVar

from attrs import define, field, frozen
from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from ikegw.auth.certificates import STRONG_HASHES, X509
from ikegw.auth.distribution import DistributionPoint, points_of
from ikegw.policy.distinguished_names import spell

_UNDERSTOOD: Final = (
    x509.CRLNumber,
    x509.DeltaCRLIndicator,
    x509.IssuingDistributionPoint,
    x509.AuthorityKeyIdentifier,
    x509.FreshestCRL,
    x509.IssuerAlternativeName,
    x509.AuthorityInformationAccess,
)
CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far ahead of ours an issuer's clock may be."""
PEM_MARK: Final = b"-----BEGIN "


class BadCrl(Exception):
    """Octets that are no CRL that we can use; the text says why."""


@frozen
class Scope:
    """Which certificates a CRL is for (its issuing distribution point); empty `points`: wherever they are published."""

    points: frozenset[x509.GeneralName] = frozenset()
    users: bool = True
    authorities: bool = True
    der: bytes = field(default=b"", eq=False, repr=False)
    """The extension itself."""

    def covers(self, certificate: X509) -> bool:
        """Whether it speaks of this certificate, and of everything that there is to say of it (RFC 5280 §6.3.3 b 2)."""
        if not (self.authorities if certificate.is_authority else self.users):
            return False
        return not self.points or any(point.names & self.points for point in certificate.crl_points)


@define(eq=False)
class Crl:
    """A CRL's parts; `base` is the number of the complete CRL that a delta CRL adds to, None for a complete one."""

    issuer_der: bytes = field(repr=False)
    this_update: datetime
    next_update: datetime
    number: int
    base: int | None
    scope: Scope
    delta_points: tuple[DistributionPoint, ...]
    revoked: frozenset[int] = field(repr=False)
    unrevoked: frozenset[int] = field(repr=False)
    """What a delta CRL takes back: reason removeFromCRL (RFC 5280 §5.3.1)."""

    der: bytes = field(repr=False)
    _crl: x509.CertificateRevocationList = field(repr=False)
    _judged: dict[bytes, bool] = field(factory=dict, init=False, repr=False)

    @classmethod
    def parse(cls, octets: bytes) -> "Crl":
        """Read a CRL in DER or PEM; BadCrl for whatever is wrong with it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                load = x509.load_pem_x509_crl if octets.startswith(PEM_MARK) else x509.load_der_x509_crl
                return cls._of(load(octets))
            except (UnsupportedAlgorithm, x509.UnsupportedGeneralNameType) as error:
                raise BadCrl(f"it uses something that is not supported ({str(error)[:120]})") from None
            except (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, InternalError):
                raise BadCrl("not a CRL that can be read") from None

    @classmethod
    def _of(cls, crl: x509.CertificateRevocationList) -> "Crl":
        if crl.next_update_utc is None:
            raise BadCrl("it does not say until when it counts (nextUpdate)")
        for extension in crl.extensions:
            if extension.critical and not isinstance(extension.value, _UNDERSTOOD):
                raise BadCrl(f"a critical extension that is not understood ({extension.oid.dotted_string})")
        der = crl.public_bytes(Encoding.DER)
        if der[
            -len(crl.signature) - 1
        ]:  # unused bits of a BIT STRING (RFC 5280 §5.1.1.3), which libraries let pass
            raise BadCrl("its signature is no whole number of octets")
        base = _extension(crl, x509.DeltaCRLIndicator)
        number = _extension(crl, x509.CRLNumber)
        freshest = _extension(crl, x509.FreshestCRL)
        revoked = frozenset(entry.serial_number for entry in crl)
        unrevoked = frozenset[int]() if base is None else frozenset(_taken_back(crl))
        return cls(
            crl.issuer.public_bytes(),
            crl.last_update_utc,
            crl.next_update_utc,
            0 if number is None else number.crl_number,
            None if base is None else base.crl_number,
            _scope(_extension(crl, x509.IssuingDistributionPoint)),
            points_of(freshest),
            revoked - unrevoked,
            unrevoked,
            der,
            crl,
        )

    @property
    def issuer(self) -> str:
        """Whose it is, for a sentence."""
        return spell(self.issuer_der) or "(an issuer that cannot be shown)"

    def signed_by(self, issuer: X509) -> bool:
        """Whether `issuer` made it, and may: by its name, its key, and its keyUsage (RFC 5280 §6.3.3 f, g)."""
        if self.issuer_der != issuer.subject_der:
            return False
        usage = issuer.key_usage
        if usage is not None and not usage.crl_sign:
            return False
        judged = self._judged.get(issuer.key_hash)
        if judged is None:
            judged = self._judged[issuer.key_hash] = self._verifies(issuer)
        return judged

    def _verifies(self, issuer: X509) -> bool:
        algorithm = self._crl.signature_hash_algorithm
        if algorithm is not None and algorithm.name not in STRONG_HASHES:
            return False
        try:
            return self._crl.is_signature_valid(issuer.public_key)
        except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
            return False

    def fresh_at(self, now: datetime) -> bool:
        """Whether it counts at `now`."""
        return self.this_update - CLOCKS_DIFFER <= now < self.next_update

    def why(self, serial: int) -> str:
        """When and why a certificate was revoked, for a sentence."""
        entry = self._crl.get_revoked_certificate_by_serial_number(serial)
        if entry is None:
            return "revoked"
        reason = _reason_of(entry)
        why = "" if reason is None else f" ({reason.value})"
        return f"revoked since {entry.revocation_date_utc:%Y-%m-%d %H:%M} UTC{why}"


E = TypeVar("E", bound=x509.ExtensionType)


def _extension(crl: x509.CertificateRevocationList, kind: type[E]) -> E | None:
    try:
        return crl.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _scope(point: x509.IssuingDistributionPoint | None) -> Scope:
    if point is None:
        return Scope()
    if point.indirect_crl:
        raise BadCrl("it speaks for other issuers too (an indirect CRL), which is not supported")
    if point.relative_name is not None:
        raise BadCrl("it names its distribution point relative to its issuer, which is not supported")
    if point.only_some_reasons:
        raise BadCrl("it is for some reasons of revocation only, which is not supported")
    if point.only_contains_attribute_certs:
        raise BadCrl("it is for attribute certificates only")
    return Scope(
        frozenset(point.full_name or ()),
        users=not point.only_contains_ca_certs,
        authorities=not point.only_contains_user_certs,
        der=point.public_bytes(),
    )


def _taken_back(crl: x509.CertificateRevocationList) -> Iterator[int]:
    for entry in crl:
        if _reason_of(entry) is x509.ReasonFlags.remove_from_crl:
            yield entry.serial_number


def _reason_of(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, ValueError):
        return None
