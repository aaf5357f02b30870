"""The one error of decoding: where the octets stop making sense."""

from ikegw.wire.registry import PayloadType


class ParseError(Exception):
    """The octets are no IKE message: the peer's fault, always (INVALID_SYNTAX, or UNSUPPORTED_CRITICAL_PAYLOAD).

    `offset` counts octets from the start of what was being decoded; `payload` is the payload that holds the fault, or
    None when the header or the chain does. `unsupported_critical` is the type of a payload that we do not know and that
    the sender calls critical (RFC 7296 §2.5), else None.
    """

    def __init__(
        self,
        reason: str,
        offset: int = 0,
        payload: PayloadType | None = None,
        unsupported_critical: int | None = None,
    ) -> None:
        super().__init__(reason, offset, payload, unsupported_critical)
        self.reason = reason
        self.offset = offset
        self.payload = payload
        self.unsupported_critical = unsupported_critical

    def __str__(self) -> str:
        where = "" if self.payload is None else f"{self.payload.name} payload, "
        return f"{where}octet {self.offset}: {self.reason}"
