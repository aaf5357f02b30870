"""Who logs in, with what, and where: all that a method may use for one login."""

from attrs import field, frozen
from cryptography import x509

from ikegw.eap.credentials import OwnCertificate
from ikegw.ports import Random


@frozen(eq=False)
class Account:
    """A login of ours: the EAP identity, and what proves it; empty or None is what there is not.

    `server` is the name that the EAP server's certificate must bear, `authorities` are who may say so.
    """

    name: bytes
    random: Random = field(repr=False)
    password: bytes | None = field(default=None, repr=False)
    certificate: OwnCertificate | None = None
    server: str = ""
    authorities: tuple[x509.Certificate, ...] = field(default=(), repr=False)
