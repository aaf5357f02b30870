"""An authority, and everything that it signs: values, no files (RFC 5280)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self

from attrs import evolve, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ikegw.pki.extensions import CLIENT_USAGES, SIGNING, Extension, general_name, key_usage
from ikegw.pki.keys import KINDS, Digest, Key, digest_for, to_pem


@frozen
class Period:
    """When a certificate is valid."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, now: datetime, days: int = 365) -> "Period":
        """From a day before `now`, since clocks differ, until `days` after it."""
        return cls(now - timedelta(days=1), now + timedelta(days=days))

    def past(self) -> "Period":
        """As long, but ended a day before this one began."""
        return Period(self.start - (self.end - self.start), self.start - timedelta(days=1))

    def future(self) -> "Period":
        """As long, but beginning when this one ends."""
        return Period(self.end, self.end + (self.end - self.start))


@frozen
class Party:
    """Somebody with a certificate: its key, and the intermediates between it and the root, nearest first."""

    certificate: x509.Certificate
    key: Key = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate as a CERT payload carries it."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and the intermediates, as a file in `certs/` holds them."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.intermediates))

    @property
    def private_pem(self) -> bytes:
        """The key as PKCS#8."""
        return to_pem(self.key)


@frozen
class Revoked:
    """A certificate that is not to be trusted any more, by its serial number. No reason: none is stated."""

    serial: int
    moment: datetime
    reason: x509.ReasonFlags | None = None


@frozen
class Authority:
    """A root or an intermediate, and everything it can issue; `period` is the default of what it issues.

    Everybody under it has its distinguished name, with a common name of their own.
    """

    certificate: x509.Certificate
    key: Key = field(repr=False)
    period: Period
    above: tuple[x509.Certificate, ...] = ()

    @classmethod
    def self_signed(
        cls,
        name: x509.Name,
        kind: str,
        period: Period,
        path_length: int | None = None,
        extensions: Sequence[Extension] = (),
    ) -> Self:
        """A root of this name, with a new key."""
        key = KINDS[kind]()
        wanted = (*authority_extensions(path_length), *extensions)
        return cls(_certificate(name, key, name, key, period, wanted), key, period)

    def intermediate(
        self,
        common_name: str,
        kind: str,
        path_length: int | None = None,
        extensions: Sequence[Extension] = (),
        period: Period | None = None,
    ) -> Self:
        """An authority under this one; `extensions` go in besides the usual ones."""
        key, period = KINDS[kind](), period or self.period
        wanted = (*authority_extensions(path_length), *extensions)
        certificate = self._sign(self._named(common_name), key, period, wanted)
        return evolve(self, certificate=certificate, key=key, period=period, above=self._sent_with())

    def issue(
        self,
        common_name: str,
        kind: str,
        names: Iterable[str | x509.GeneralName] | None = None,
        *,
        usages: Iterable[ObjectIdentifier] = CLIENT_USAGES,
        key_usages: Iterable[str] = SIGNING,
        period: Period | None = None,
        key: Key | None = None,
        digest: Digest | None = None,
        extensions: Sequence[Extension] = (),
    ) -> Party:
        """An end entity's certificate: `names` (default: the common name) become its subjectAltName.

        Empty `names`, `usages` or `key_usages` leave the extension out. `key` reuses an existing key.
        """
        key = key or KINDS[kind]()
        wanted: list[Extension] = [(x509.BasicConstraints(False, None), True)]
        alternatives = [
            general_name(name) if isinstance(name, str) else name
            for name in ([common_name] if names is None else names)
        ]
        if alternatives:
            wanted.append((x509.SubjectAlternativeName(alternatives), False))
        if bits := tuple(key_usages):
            wanted.append((key_usage(bits), True))
        if purposes := tuple(usages):
            wanted.append((x509.ExtendedKeyUsage(purposes), False))
        certificate = self._sign(
            self._named(common_name), key, period or self.period, (*wanted, *extensions), digest
        )
        return Party(certificate, key, self._sent_with())

    def revocation_list(
        self,
        revoked: Iterable[Revoked],
        period: Period,
        number: int,
        *,
        extensions: Sequence[Extension] = (),
        digest: Digest | None = None,
    ) -> bytes:
        """A CRL in DER; `extensions` make it a delta CRL, or one for some certificates only."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(period.start)
            .next_update(period.end)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(self._identifier, critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder(each.serial, each.moment)
            if each.reason is not None:
                entry = entry.add_extension(x509.CRLReason(each.reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, digest_for(self.key, digest)).public_bytes(Encoding.DER)

    @property
    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())

    def _named(self, common_name: str) -> x509.Name:
        ours = [each for each in self.certificate.subject if each.oid != NameOID.COMMON_NAME]
        return x509.Name([*ours, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    def _sent_with(self) -> tuple[x509.Certificate, ...]:
        """What goes with a certificate of ours: a root is never sent."""
        is_root = self.certificate.issuer == self.certificate.subject
        return () if is_root else (self.certificate, *self.above)

    def _sign(
        self,
        name: x509.Name,
        key: Key,
        period: Period,
        extensions: Sequence[Extension],
        digest: Digest | None = None,
    ) -> x509.Certificate:
        wanted = (*extensions, (self._identifier, False))
        return _certificate(name, key, self.certificate.subject, self.key, period, wanted, digest)


def authority_extensions(path_length: int | None) -> tuple[Extension, ...]:
    """What makes a certificate an authority's."""
    return (
        (x509.BasicConstraints(True, path_length), True),
        (key_usage(("key_cert_sign", "crl_sign")), True),
    )


def _certificate(
    name: x509.Name,
    key: Key,
    issuer: x509.Name,
    issuer_key: Key,
    period: Period,
    extensions: Sequence[Extension],
    digest: Digest | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(period.start)
        .not_valid_after(period.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, digest_for(issuer_key, digest))
