"""A public key infrastructure for tests and the demo: authorities, and certificates both good and wrong in one chosen way.

    python -m ikegw.testing.pki DIR --gateway gw.ikegw.example --client carol@ikegw.example --kind ecdsa256

writes `DIR/certs`, `DIR/ca` and `DIR/private` as the configuration expects them; with `--apart` each party gets such a
set of its own under `DIR/NAME`. The authority's private key is never written.
"""

import argparse
import ipaddress
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import evolve, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

Digest = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

KINDS: dict[str, Callable[[], Key]] = {
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
    "ecdsa256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}
IPSEC_IKE = ObjectIdentifier("1.3.6.1.5.5.7.3.17")
"""id-kp-ipsecIKE (RFC 4945 §5.1.3.12)."""
GATEWAY_USAGES = (ExtendedKeyUsageOID.SERVER_AUTH, IPSEC_IKE)
CLIENT_USAGES = (ExtendedKeyUsageOID.CLIENT_AUTH, IPSEC_IKE)
SIGNING = frozenset({"digital_signature"})
_KEY_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def key_usage(names: Iterable[str]) -> x509.KeyUsage:
    """The KeyUsage extension with just these bits, by cryptography's names."""
    wanted = set(names)
    return x509.KeyUsage(**{name: name in wanted for name in _KEY_USAGES})


def general_name(text: str) -> x509.GeneralName:
    """`10.0.0.1` an iPAddress, `carol@ikegw.example` an rfc822Name, else a dNSName."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.RFC822Name(text) if "@" in text else x509.DNSName(text)


def subject(common_name: str) -> x509.Name:
    """The distinguished name `C=CH, O=ikegw, CN=…` of everybody in this infrastructure."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ikegw"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def crl_at(*urls: str) -> tuple[x509.ExtensionType, bool]:
    """The extension that says where the issuer's CRL is; the addresses are alternatives."""
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url) for url in urls], None, None, None)
    return x509.CRLDistributionPoints([point]), False


def ocsp_at(*urls: str) -> tuple[x509.ExtensionType, bool]:
    """The extension that says where the issuer answers OCSP."""
    return x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
            for url in urls
        ]
    ), False


@frozen
class Period:
    """When a certificate is valid."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, now: datetime, days: int = 365) -> "Period":
        """From a day before `now` until `days` after it."""
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
    def private_pem(self) -> bytes:
        """The key as PKCS#8."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@frozen
class Authority:
    """A root or an intermediate, and everything it can issue; `period` is the default of what it issues."""

    certificate: x509.Certificate
    key: Key = field(repr=False)
    period: Period
    above: tuple[x509.Certificate, ...] = ()

    @classmethod
    def root(cls, common_name: str, kind: str, period: Period, path_length: int | None = None) -> "Authority":
        """A self-signed authority."""
        key, name = KINDS[kind](), subject(common_name)
        extensions = _authority_extensions(path_length)
        return cls(_certificate(name, key, name, key, period, extensions), key, period)

    def intermediate(
        self,
        common_name: str,
        kind: str,
        path_length: int | None = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> "Authority":
        """An authority under this one; `extensions` go in besides the usual ones."""
        key = KINDS[kind]()
        certificate = self._sign(
            subject(common_name), key, self.period, (*_authority_extensions(path_length), *extensions)
        )
        above = () if self.certificate.issuer == self.certificate.subject else (self.certificate, *self.above)
        return Authority(certificate, key, self.period, above)

    def issue(
        self,
        common_name: str,
        kind: str,
        names: Iterable[str] | None = None,
        *,
        usages: Iterable[ObjectIdentifier] = CLIENT_USAGES,
        key_usages: Iterable[str] = SIGNING,
        period: Period | None = None,
        key: Key | None = None,
        digest: Digest | None = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> Party:
        """An end entity's certificate: `names` (default: the common name) become its subjectAltName.

        Empty `names`, `usages` or `key_usages` leave the extension out. `key` reuses an existing key.
        """
        key = key or KINDS[kind]()
        wanted: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(False, None), True)]
        alternatives = [general_name(name) for name in ([common_name] if names is None else names)]
        if alternatives:
            wanted.append((x509.SubjectAlternativeName(alternatives), False))
        if bits := tuple(key_usages):
            wanted.append((key_usage(bits), True))
        if purposes := tuple(usages):
            wanted.append((x509.ExtendedKeyUsage(purposes), False))
        certificate = self._sign(
            subject(common_name), key, period or self.period, (*wanted, *extensions), digest
        )
        self_issued = self.certificate.issuer == self.certificate.subject
        return Party(certificate, key, () if self_issued else (self.certificate, *self.above))

    def crl(
        self,
        revoked: Iterable[Party] = (),
        *,
        period: Period | None = None,
        number: int = 1,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise,
        digest: Digest | None = None,
    ) -> bytes:
        """A CRL in DER; `extensions` make it a delta CRL, or one for some certificates only."""
        period = period or self.period
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(period.start)
            .next_update(period.end)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for party in revoked:
            entry = (
                x509.RevokedCertificateBuilder()
                .serial_number(party.certificate.serial_number)
                .revocation_date(period.start)
                .add_extension(x509.CRLReason(reason), critical=False)
            )
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, self._digest(digest)).public_bytes(Encoding.DER)

    def answer(
        self,
        party: Party,
        *,
        period: Period | None = None,
        revoked: bool = False,
        nonce: bytes | None = None,
        delegate: Party | None = None,
    ) -> bytes:
        """An OCSP response in DER about a certificate of ours, signed by us or by `delegate`."""
        period = period or self.period
        status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
        signer = self if delegate is None else delegate
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                party.certificate,
                self.certificate,
                hashes.SHA1(),  # noqa: S303 — a name of the issuer, no proof
                status,
                period.start,
                period.end,
                period.start if revoked else None,
                x509.ReasonFlags.key_compromise if revoked else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        )
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        if delegate is not None:
            builder = builder.certificates([delegate.certificate])
        return builder.sign(signer.key, self._digest(None)).public_bytes(Encoding.DER)

    def _digest(self, digest: Digest | None) -> Digest | None:
        edwards = isinstance(self.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
        return None if edwards else digest or hashes.SHA256()

    def _sign(
        self,
        name: x509.Name,
        key: Key,
        period: Period,
        extensions: Sequence[tuple[x509.ExtensionType, bool]],
        digest: Digest | None = None,
    ) -> x509.Certificate:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return _certificate(
            name, key, self.certificate.subject, self.key, period, (*extensions, (identifier, False)), digest
        )


def _authority_extensions(path_length: int | None) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return (
        (x509.BasicConstraints(True, path_length), True),
        (key_usage(("key_cert_sign", "crl_sign")), True),
    )


def _certificate(
    name: x509.Name,
    key: Key,
    issuer: x509.Name,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    period: Period,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
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
    edwards = isinstance(issuer_key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return builder.sign(issuer_key, None if edwards else digest or hashes.SHA256())


@frozen
class DemoPki:
    """What the demo and the interoperability tests need: one root, one gateway, some clients, by name."""

    root: Authority
    gateway: tuple[str, Party]
    clients: tuple[tuple[str, Party], ...]

    @classmethod
    def make(cls, gateway: str, clients: Iterable[str], kind: str, now: datetime) -> "DemoPki":
        """Everybody with keys of one `kind`, valid for a year around `now`."""
        root = Authority.root("ikegw demo CA", kind, Period.around(now, 3650))
        issuer = evolve(root, period=Period.around(now))
        return cls(
            root,
            (gateway, issuer.issue(gateway, kind, usages=GATEWAY_USAGES)),
            tuple((name, issuer.issue(name, kind)) for name in clients),
        )

    def write(self, directory: Path, apart: bool = False) -> None:
        """Write everything under `directory`, or each party's own under `directory/NAME`."""
        for name, party in (self.gateway, *self.clients):
            write_directory(
                directory / name if apart else directory, {name: party}, {"ca": self.root.certificate}
            )


def write_directory(
    directory: Path, parties: dict[str, Party], authorities: dict[str, x509.Certificate]
) -> None:
    """Write `certs/`, `ca/` and `private/` (PEM; private keys readable by their owner alone)."""
    for folder, mode in (("certs", 0o755), ("ca", 0o755), ("private", 0o700)):
        (directory / folder).mkdir(mode=mode, parents=True, exist_ok=True)
    for name, certificate in authorities.items():
        (directory / "ca" / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    for name, party in parties.items():
        chain = (party.certificate, *party.intermediates)
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
        (directory / "certs" / f"{name}.pem").write_bytes(pem)
        private = directory / "private" / f"{name}.pem"
        private.touch(mode=0o600)
        private.write_bytes(party.private_pem)


def main(arguments: Sequence[str]) -> None:
    """Write a demo infrastructure; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m ikegw.testing.pki", description="Make a demo PKI.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--gateway", default="gw.ikegw.example", help="name in the gateway's certificate")
    parser.add_argument("--client", action="append", help="name in a client's certificate; may be repeated")
    parser.add_argument("--kind", choices=sorted(KINDS), default="ecdsa256")
    parser.add_argument("--apart", action="store_true", help="a directory for each party")
    chosen = parser.parse_args(arguments)
    clients = chosen.client or ["carol@ikegw.example"]
    DemoPki.make(chosen.gateway, clients, chosen.kind, datetime.now(UTC)).write(
        chosen.directory, chosen.apart
    )


if __name__ == "__main__":
    main(sys.argv[1:])
