"""One TLS connection without a socket: octets in, octets out (OpenSSL's memory BIO).

Whoever uses it hands it whole messages and sends what it gives back; it knows nothing of EAP.
"""

from typing import Final

from cryptography import x509
from OpenSSL import SSL

TLS_1_3: Final = "TLSv1.3"
_READ: Final = 65536


class Broken(Exception):
    """The connection failed; `alert` is what the other side may still be told of it."""

    def __init__(self, reason: str, alert: bytes = b"") -> None:
        super().__init__(reason)
        self.alert = alert


class TlsEngine:
    """A connection; `accept`: we are its server. `established` once both sides have finished the handshake."""

    def __init__(self, context: SSL.Context, *, accept: bool) -> None:
        self._connection = SSL.Connection(context, None)
        if accept:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self.established = False
        self.received = b""

    def take(self, message: bytes) -> None:
        """Read what came (empty: begin) as far as it goes; plain octets are added to `received`. Broken."""
        if message:
            self._connection.bio_write(message)
        try:
            if not self.established:
                self._connection.do_handshake()
                self.established = True
            while True:
                self.received += self._connection.recv(_READ)
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            raise Broken("the other side closed the TLS connection", self.flight()) from None
        except SSL.Error as error:
            raise Broken(_reason(error), self.flight()) from None

    def say(self, plain: bytes) -> None:
        """Encrypt what the next flight is to carry; only when established. Broken."""
        try:
            self._connection.sendall(plain)
        except SSL.Error as error:
            raise Broken(_reason(error)) from None

    def flight(self) -> bytes:
        """What is to be sent now; empty if nothing is."""
        pieces = []
        try:
            while True:
                pieces.append(self._connection.bio_read(_READ))
        except SSL.WantReadError:
            return b"".join(pieces)

    def take_received(self) -> bytes:
        """The plain octets that came since the last time."""
        plain, self.received = self.received, b""
        return plain

    def shown(self) -> tuple[x509.Certificate, ...]:
        """The other side's certificates, its own first, up to the authority by which it was found good."""
        return tuple(each.to_cryptography() for each in self._connection.get_verified_chain() or ())

    @property
    def is_tls_1_3(self) -> bool:
        """TLS 1.3, whose EAP methods have other rules (RFC 9190, RFC 9427)."""
        return self._connection.get_protocol_version_name() == TLS_1_3

    def export(self, label: bytes, octets: int, context: bytes = b"") -> bytes:
        """Keying material (RFC 5705, RFC 8446 §7.5); an empty context is none at all."""
        return self._connection.export_keying_material(label, octets, context or None)


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for it: the first error of its queue, which is the cause."""
    queue = error.args[0] if error.args else ()
    if isinstance(queue, list) and queue:
        return str(queue[0][2])
    return "TLS failed without a reason"
