"""What is configured of EAP: users and their passwords, and how the embedded authenticator lets them in."""

from typing import Final

from attrs import field, frozen

from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.connections import EapMethod

LOCAL: Final = "local"
"""The name in `aaa` that means this gateway itself."""


@frozen
class EapUser:
    """A password and whose it is, in `names`. UTF-8."""

    name: str
    names: tuple[str, ...]
    secret: bytes = field(repr=False)


@frozen
class EapSettings:
    """`users` are those who log in here, and we ourselves where we log in. The rest is the embedded authenticator's.

    `certificates` are files in `certs/`, `authorities` in `ca/`; `revocation` is about clients' certificates.
    So many logins of a user or from an address may fail in `failure_seconds`; 0: any number.
    """

    methods: tuple[EapMethod, ...] = (EapMethod.MSCHAPV2,)
    certificates: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    revocation: RevocationPolicy = RevocationPolicy.IF_AVAILABLE
    user_failures: int = 10
    address_failures: int = 30
    failure_seconds: float = 600.0
    users: tuple[EapUser, ...] = ()
