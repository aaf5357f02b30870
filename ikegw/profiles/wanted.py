"""What every profile has to say, whichever client it is for."""

from collections.abc import Sequence
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID, uuid5

from attrs import field, frozen

from ikegw.policy.identities import ANY, IdentityPattern
from ikegw.policy.offers import Offer

Network = IPv4Network | IPv6Network
_NAMESPACE = UUID("7d5a9d5e-6a3e-4a4c-8f0e-2c1f6e1f0b7a")
"""Of the UUIDs of our profiles: the same profile made again replaces the one that is installed."""


class NotPossible(Exception):
    """No profile of this kind can be made for the connection; the text says why, and what to do."""


class Login(Enum):
    """How the client proves who it is; the gateway always shows a certificate."""

    CERTIFICATE = "certificate"
    PASSWORD = "password"  # noqa: S105 — EAP with name and password
    EAP_TLS = "eap-tls"
    CERTIFICATE_AND_PASSWORD = "certificate-and-password"  # noqa: S105 — two rounds (RFC 4739)

    @property
    def by_certificate(self) -> bool:
        """Whether the client needs a certificate."""
        return self is not Login.PASSWORD

    @property
    def by_password(self) -> bool:
        """Whether the client needs a password."""
        return self in (Login.PASSWORD, Login.CERTIFICATE_AND_PASSWORD)


@frozen
class Root:
    """The authority by which the client knows the gateway."""

    der: bytes = field(repr=False)
    pem: bytes = field(repr=False)
    is_direct: bool
    """Whether it issued the gateway's certificate itself, with nobody between."""


@frozen
class Wanted:
    """A connection as a client sees it.

    `server` is where it calls, `server_identity` whom it expects there. `networks` are what goes through the tunnel, none:
    everything. `issuer` is the common name of who issued the gateway's certificate, `root` the authority above, None: the client
    trusts it already. `container` is the client's PKCS#12, `key` the kind of the key in it (`rsa`, `ecdsa256`, …). `password`
    None: the client asks for it. `welcome`: who may call.
    """

    connection: str
    user: str
    server: str
    server_identity: str
    login: Login
    ike: tuple[Offer, ...]
    esp: tuple[Offer, ...]
    networks: tuple[Network, ...] = ()
    domains: tuple[str, ...] = ()
    issuer: str = ""
    root: Root | None = None
    container: bytes | None = field(default=None, repr=False)
    key: str = "rsa"
    password: str | None = field(default=None, repr=False)
    welcome: IdentityPattern = ANY

    def need_container(self) -> bytes:
        """The client's PKCS#12, which goes along; NotPossible if there is none."""
        if self.container is None:
            raise NotPossible(
                "the client logs in with its certificate: give --p12 FILE, as ikegwctl pki client makes it"
            )
        return self.container

    def refuse_two_logins(self, client: str) -> None:
        """For clients that know one login only; NotPossible if there are two."""
        if self.login is Login.CERTIFICATE_AND_PASSWORD:
            raise NotPossible(
                f"{client} knows no second login after the certificate (RFC 4739); use one of both"
            )

    @property
    def title(self) -> str:
        """What the client calls it."""
        return f"{self.connection} ({self.server})"

    @property
    def file_name(self) -> str:
        """What its files are called, without an ending: only what every system and every shell takes."""
        text = f"{self.connection}-{self.user}"
        return "".join(
            letter if letter.isascii() and (letter.isalnum() or letter in "-_.@+") else "_" for letter in text
        )

    def uuid(self, part: str = "") -> str:
        """One for each part of the profile, the same whenever it is made."""
        return str(uuid5(_NAMESPACE, "\0".join((self.connection, self.server, self.user, part))))


@frozen
class File:
    """One file of a profile. `secret`: it holds a key or a password."""

    name: str
    octets: bytes = field(repr=False)
    secret: bool = False


@frozen
class Profile:
    """The files, the first of which is installed, and what the person has to do; a sentence each."""

    files: tuple[File, ...]
    steps: Sequence[str]
