"""What methods are done with: passwords, certificates, authorities. The roof fetches them from the gateway's."""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)


@frozen(eq=False)
class OwnCertificate:
    """What we show in TLS: our certificate, those above it as far as they are sent, and the key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()


class Certificates(Protocol):
    """Certificates by the names of their files."""

    def own(self, files: tuple[str, ...]) -> OwnCertificate | None:
        """Ours in one of these files of `certs/`; None: there is none with a key."""
        ...

    def authorities(self, files: tuple[str, ...]) -> tuple[x509.Certificate, ...]:
        """The authorities in these files of `ca/`, or all that are there."""
        ...


@frozen(eq=False)
class Passwords:
    """Passwords by the names of their users, in UTF-8. Names are compared as they are written."""

    by_name: Mapping[str, bytes] = field(factory=dict, repr=False)

    def of(self, name: str) -> bytes | None:
        r"""The password of this user; `DOMAIN\user` is `user`, unless it stands there as it is."""
        found = self.by_name.get(name)
        return self.by_name.get(name.rpartition("\\")[2]) if found is None else found
