"""What EAP-MSCHAPv2 says (draft-kamath-pppext-eap-mschapv2 §2): octets and frozen values.

Every packet that has a length of its own is refused unless that is the length of the data.
"""

import re
from struct import Struct
from typing import ClassVar, Final

from attrs import field, frozen

from ikegw.eap.errors import BadEap
from ikegw.eap.mschap import CHALLENGE_OCTETS, NT_RESPONSE_OCTETS

CHALLENGE: Final = 1
RESPONSE: Final = 2
SUCCESS: Final = 3
FAILURE: Final = 4

_HEADER: Final = Struct("!BBH")
_CHALLENGE: Final = Struct(f"!B{CHALLENGE_OCTETS}s")
_RESPONSE: Final = Struct(f"!B{CHALLENGE_OCTETS}s8s{NT_RESPONSE_OCTETS}sB")
_VALUE_OCTETS: Final = _RESPONSE.size - 1
_SUCCESS_TEXT: Final = re.compile(rb"S=([0-9A-Fa-f]{40})(?: M=(.*))?", re.DOTALL)
_FAILURE_TEXT: Final = re.compile(
    rb"E=([0-9]{1,10}) R=([01])(?: C=([0-9A-Fa-f]{32}))?(?: V=([0-9]{1,10}))?(?: M=(.*))?", re.DOTALL
)

BAD_PASSWORD: Final = 691
"""ERROR_AUTHENTICATION_FAILURE (RFC 2759 §6)."""
ERRORS: Final = {
    646: "the account may not log in at this hour",
    647: "the account is disabled",
    648: "the password has expired",
    649: "the account may not dial in",
    BAD_PASSWORD: "wrong name or password",
    709: "the password cannot be changed",
}


@frozen
class Challenge:
    """The server's first packet."""

    id: int
    challenge: bytes = field(repr=False)
    name: bytes = b""

    def encode(self) -> bytes:
        """Type data."""
        return _packet(CHALLENGE, self.id, _CHALLENGE.pack(CHALLENGE_OCTETS, self.challenge) + self.name)


@frozen
class Response:
    """The peer's answer: who it is, and that it knows the password."""

    id: int
    peer_challenge: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    name: bytes

    def encode(self) -> bytes:
        """Type data."""
        value = _RESPONSE.pack(_VALUE_OCTETS, self.peer_challenge, bytes(8), self.nt_response, 0)
        return _packet(RESPONSE, self.id, value + self.name)


@frozen
class Success:
    """The server found the password right, and proves that it knows it too."""

    id: int
    authenticator_response: bytes = field(repr=False)
    message: str = ""

    def encode(self) -> bytes:
        """Type data."""
        return _packet(SUCCESS, self.id, success_text(self.authenticator_response, self.message))


@frozen
class Failure:
    """The server refuses; `retry`: it would take another attempt."""

    id: int
    error: int
    retry: bool
    challenge: bytes = field(default=b"", repr=False)
    message: str = ""

    def encode(self) -> bytes:
        """Type data."""
        text = f"E={self.error} R={self.retry:d} C={self.challenge.hex().upper()} V=3 M={self.message}"
        return _packet(FAILURE, self.id, text.encode())

    @property
    def reason(self) -> str:
        """The error in words, with the server's own."""
        words = ERRORS.get(self.error, "the server refuses")
        return f"{words} (E={self.error}{f', {self.message!r}' if self.message else ''})"


@frozen
class SuccessAck:
    """The peer has seen the proof and believes it."""

    OCTETS: ClassVar = bytes((SUCCESS,))


@frozen
class FailureAck:
    """The peer has understood that it is refused."""

    OCTETS: ClassVar = bytes((FAILURE,))


def decode_request(data: bytes) -> Challenge | Success | Failure:
    """What a server sends; BadEap."""
    code, identifier, body = _open(data)
    if code == CHALLENGE:
        if len(body) < _CHALLENGE.size:
            raise BadEap(f"MSCHAPv2 challenge of {len(body)} octets; it has at least {_CHALLENGE.size}")
        size, challenge = _CHALLENGE.unpack_from(body)
        _need_size(size, CHALLENGE_OCTETS)
        return Challenge(identifier, challenge, body[_CHALLENGE.size :])
    if code == SUCCESS:
        return Success(identifier, *read_success(body))
    if code == FAILURE:
        return read_failure(bytes((identifier,)), body)
    raise BadEap(f"MSCHAPv2 request with OpCode {code}")


def decode_response(data: bytes) -> Response | SuccessAck | FailureAck:
    """What a peer sends; BadEap."""
    if data == SuccessAck.OCTETS:
        return SuccessAck()
    if data == FailureAck.OCTETS:
        return FailureAck()
    code, identifier, body = _open(data)
    if code != RESPONSE:
        raise BadEap(f"MSCHAPv2 response with OpCode {code} and {len(data)} octets")
    if len(body) < _RESPONSE.size:
        raise BadEap(f"MSCHAPv2 response of {len(body)} octets; it has at least {_RESPONSE.size}")
    size, peer_challenge, _reserved, nt_response, _flags = _RESPONSE.unpack_from(body)
    _need_size(size, _VALUE_OCTETS)
    return Response(identifier, peer_challenge, nt_response, body[_RESPONSE.size :])


def success_text(authenticator_response: bytes, message: str) -> bytes:
    """`S=…`, as RFC 2759 §5 has it."""
    return f"S={authenticator_response.hex().upper()} M={message}".encode()


def read_success(text: bytes) -> tuple[bytes, str]:
    """The authenticator's response and the message out of `S=…`; BadEap."""
    found = _SUCCESS_TEXT.fullmatch(text)
    if found is None:
        raise BadEap("MSCHAPv2 success that is not S= and 40 hex digits, with M= or without (RFC 2759 §5)")
    return bytes.fromhex(found[1].decode()), _words(found[2])


def read_failure(identifier: bytes, text: bytes) -> Failure:
    """A failure out of `E=…`; `identifier` is its octet. BadEap."""
    found = _FAILURE_TEXT.fullmatch(text)
    if found is None:
        raise BadEap("MSCHAPv2 failure that is not E=number R=0 or 1, C=, V= and M= (RFC 2759 §6)")
    challenge = bytes.fromhex((found[3] or b"").decode())
    return Failure(
        int.from_bytes(identifier, "big"), int(found[1]), found[2] == b"1", challenge, _words(found[5])
    )


def _packet(code: int, identifier: int, body: bytes) -> bytes:
    return _HEADER.pack(code, identifier, _HEADER.size + len(body)) + body


def _open(data: bytes) -> tuple[int, int, bytes]:
    if len(data) < _HEADER.size:
        raise BadEap(f"MSCHAPv2 packet of {len(data)} octets; it has at least {_HEADER.size}")
    code, identifier, length = _HEADER.unpack_from(data)
    if length != len(data):
        raise BadEap(f"MSCHAPv2 packet of {len(data)} octets that says it has {length}")
    return code, identifier, data[_HEADER.size :]


def _need_size(size: int, wanted: int) -> None:
    if size != wanted:
        raise BadEap(f"MSCHAPv2 value of {size} octets; it has {wanted}")


def _words(text: bytes | None) -> str:
    return (text or b"").decode("utf-8", "replace")
