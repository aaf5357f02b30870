"""A public key infrastructure for tests and the demo: authorities, and certificates both good and wrong in one chosen way.

    python -m ikegw.testing.pki DIR --gateway gw.ikegw.example --client carol@ikegw.example --kind ecdsa256

writes `DIR/certs`, `DIR/ca` and `DIR/private` as the configuration expects them; with `--apart` each party gets such a
set of its own under `DIR/NAME`. The authority's private key is never written.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import evolve, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from ikegw.pki import authority
from ikegw.pki.authority import Party, Period, Revoked
from ikegw.pki.extensions import (
    CLIENT_USAGES,
    GATEWAY_USAGES,
    IPSEC_IKE,
    Extension,
    crl_at,
    general_name,
    key_usage,
)
from ikegw.pki.keys import KINDS, Digest, Key, digest_for

__all__ = [
    "CLIENT_USAGES", "GATEWAY_USAGES", "IPSEC_IKE", "KINDS", "Authority", "DemoPki", "Digest", "Key", "Party", "Period", "crl_at",
    "general_name", "key_usage", "ocsp_at", "subject", "write_directory",
]  # fmt: skip


def subject(common_name: str) -> x509.Name:
    """The distinguished name `C=CH, O=ikegw, CN=…` of everybody in this infrastructure."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ikegw"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def ocsp_at(*urls: str) -> Extension:
    """The extension that says where the issuer answers OCSP."""
    return x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
            for url in urls
        ]
    ), False


@frozen
class Authority(authority.Authority):
    """An authority that answers OCSP besides, and whose CRLs name parties."""

    @classmethod
    def root(cls, common_name: str, kind: str, period: Period, path_length: int | None = None) -> "Authority":
        """A self-signed authority."""
        return cls.self_signed(subject(common_name), kind, period, path_length)

    def crl(
        self,
        revoked: Iterable[Party] = (),
        *,
        period: Period | None = None,
        number: int = 1,
        extensions: Sequence[Extension] = (),
        reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise,
        digest: Digest | None = None,
    ) -> bytes:
        """A CRL in DER; `extensions` make it a delta CRL, or one for some certificates only."""
        period = period or self.period
        entries = (Revoked(party.certificate.serial_number, period.start, reason) for party in revoked)
        return self.revocation_list(entries, period, number, extensions=extensions, digest=digest)

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
        return builder.sign(signer.key, digest_for(signer.key)).public_bytes(Encoding.DER)


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
        (directory / "certs" / f"{name}.pem").write_bytes(party.chain_pem)
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
