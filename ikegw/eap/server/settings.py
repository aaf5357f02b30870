"""What the embedded authenticator works with: a value that a reload replaces whole."""

from collections.abc import Callable

from attrs import field, frozen
from cryptography import x509
from twisted.internet.defer import Deferred, succeed

from ikegw.eap.credentials import OwnCertificate, Passwords
from ikegw.policy.connections import EapMethod
from ikegw.ports import Standing

LookInto = Callable[[tuple[x509.Certificate, ...]], Deferred[Standing | str | None]]
"""What is to be said of a client's certificate, which OpenSSL found good with those above it. Fires with who knows of it later
on, or a sentence that says what is wrong with it (revoked, say); it may take time.
"""


def unquestioned(certificates: tuple[x509.Certificate, ...]) -> Deferred[Standing | str | None]:
    """Nobody is asked."""
    return succeed(None)


@frozen(eq=False)
class Settings:
    """`methods` are proposed in this order. `certificate`, `authorities` and `look_into` are for EAP-TLS.

    So many failed logins of one user, or from one address, are allowed in `failure_seconds`; 0: any number.
    """

    methods: tuple[EapMethod, ...] = (EapMethod.MSCHAPV2,)
    passwords: Passwords = field(factory=Passwords)
    certificate: OwnCertificate | None = None
    authorities: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    user_failures: int = 10
    address_failures: int = 30
    failure_seconds: float = 600.0
    look_into: LookInto = field(default=unquestioned, repr=False)
