"""What is configured about a certificate authority besides its certificate, and what a connection demands of certificates."""

from enum import Enum

from attrs import frozen


class RevocationPolicy(Enum):
    """What it takes to believe that a certificate was not revoked.

    STRICT: somebody must say so; IF_AVAILABLE: who can be asked is asked, and silence is no objection; OFF: nobody is asked.
    """

    STRICT = "strict"
    IF_AVAILABLE = "if-available"
    OFF = "off"


@frozen
class AuthoritySources:
    """Where an authority publishes, besides what its certificates say.

    `certificate_url_base`: what it issued to us can be fetched there, under its SHA-1 hash in hex (hash-and-URL).
    """

    crl_urls: tuple[str, ...] = ()
    ocsp_urls: tuple[str, ...] = ()
    certificate_url_base: str = ""


NO_SOURCES = AuthoritySources()
