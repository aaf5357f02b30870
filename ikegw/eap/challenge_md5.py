"""MD5-Challenge (RFC 3748 §5.4, RFC 1994 §4): it proves a password to a server, proves nothing of the server, makes no key."""

from hashlib import md5
from typing import Final, Self

from attrs import field, frozen

from ikegw.eap.errors import BadEap

DIGEST_OCTETS: Final = 16


@frozen
class Md5Value:
    """The type data of a request or a response: a challenge, or the digest that answers it."""

    value: bytes = field(repr=lambda value: f"<{len(value)} octets>")
    name: bytes = b""

    def encode(self) -> bytes:
        """Value-Size, Value, Name."""
        return bytes((len(self.value),)) + self.value + self.name

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Refuses a value that is empty or reaches past the end; BadEap."""
        size = data[0] if data else 0
        if not size or 1 + size > len(data):
            raise BadEap(f"MD5-Challenge whose value has {size} octets, in {len(data)} octets of data")
        return cls(data[1 : 1 + size], data[1 + size :])


def digest(identifier: int, password: bytes, challenge: bytes) -> bytes:
    """CHAP's answer: MD5 of the identifier, the password and the challenge."""
    return md5(bytes((identifier,)) + password + challenge).digest()  # noqa: S324
