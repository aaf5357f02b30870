"""What the embedded authenticator works with: a value that a reload replaces whole."""

from collections.abc import Callable

from attrs import field, frozen
from cryptography import x509
from twisted.internet.defer import Deferred, succeed

from ikegw.eap.credentials import OwnCertificate, Passwords
from ikegw.policy.connections import EapMethod

Standing = Callable[[tuple[x509.Certificate, ...]], Deferred[str]]
"""What is wrong with a client's certificate, which OpenSSL found good with those above it: revoked, say. Fires with a sentence,
empty for nothing; it may take time.
"""


def unquestioned(certificates: tuple[x509.Certificate, ...]) -> Deferred[str]:
    """Nobody is asked."""
    return succeed("")


@frozen(eq=False)
class Settings:
    """`methods` are proposed in this order. `certificate`, `authorities` and `standing` are for EAP-TLS.

    So many failed logins of one user, or from one address, are allowed in `failure_seconds`; 0: any number.
    """

    methods: tuple[EapMethod, ...] = (EapMethod.MSCHAPV2,)
    passwords: Passwords = field(factory=Passwords)
    certificate: OwnCertificate | None = None
    authorities: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    user_failures: int = 10
    address_failures: int = 30
    failure_seconds: float = 600.0
    standing: Standing = field(default=unquestioned, repr=False)
