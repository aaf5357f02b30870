"""CERT and CERTREQ payloads (RFC 7296 §3.6, §3.7)."""

from typing import ClassVar, Self

from attrs import field, frozen

from ikegw.wire.errors import ParseError
from ikegw.wire.payload import Payload
from ikegw.wire.registry import CertEncoding, Members, PayloadType

_ENCODINGS = Members(CertEncoding)


@frozen
class Certificate(Payload):
    """A certificate, or what leads to one, in `encoding`."""

    TYPE: ClassVar[PayloadType] = PayloadType.CERT
    encoding: CertEncoding
    data: bytes = field(repr=lambda data: f"<{len(data)} octets>")

    def encode(self) -> bytes:
        """Body octets."""
        return bytes((self.encoding,)) + self.data

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses an empty body."""
        if not body:
            raise ParseError("empty", offset, cls.TYPE)
        return cls(_ENCODINGS[body[0]], body[1:])


@frozen
class CertificateRequest(Payload):
    """Which authorities the sender trusts: for X.509, SHA-1 hashes of 20 octets of their public keys, one after another."""

    TYPE: ClassVar[PayloadType] = PayloadType.CERTREQ
    encoding: CertEncoding
    authorities: bytes = field(repr=lambda authorities: f"<{len(authorities)} octets>")

    def encode(self) -> bytes:
        """Body octets."""
        return bytes((self.encoding,)) + self.authorities

    @classmethod
    def decode(cls, body: bytes, offset: int) -> Self:
        """Refuses an empty body; what the authorities' octets mean is for the reader, who must expect any length."""
        if not body:
            raise ParseError("empty", offset, cls.TYPE)
        return cls(_ENCODINGS[body[0]], body[1:])
