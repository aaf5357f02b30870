"""eapol_test, the EAP peer of wpa_supplicant, driven packet by packet: it takes us for its RADIUS server.

What it puts into EAP-Message attributes are its responses; requests reach it as Access-Challenges.
"""

import hmac
import re
import socket
from collections.abc import Mapping
from hashlib import md5
from pathlib import Path
from struct import Struct
from typing import Final

from attrs import define, field, frozen

from laboratory.processes import Daemon

SECRET: Final = b"eapol"
ACCEPT, REJECT, CHALLENGE = 2, 3, 11
EAP_MESSAGE, STATE, MESSAGE_AUTHENTICATOR = 79, 24, 80
_HEADER: Final = Struct("!BBH16s")
_LARGEST: Final = 253
_KEY: Final = re.compile(r"Derived key - hexdump\(len=(?:32|64)\): ([0-9a-f ]+)")
_SUCCESS: Final = "CTRL-EVENT-EAP-SUCCESS"


@frozen
class Outcome:
    """How it ended for the peer; `msk` is filled up to 64 octets, None if the method makes none."""

    success: bool
    msk: bytes | None = field(repr=False)


@define
class Eapol:
    """One login with the `settings` of a wpa_supplicant network; `text` values are quoted, others (`eap`) are not."""

    settings: Mapping[str, str]
    directory: Path
    seconds: float = 5.0
    _daemon: Daemon = field(init=False)
    _socket: socket.socket = field(init=False)
    _request: bytes = field(default=b"", init=False)
    _from: tuple[str, int] = field(default=("", 0), init=False)
    _identity: bytes = field(default=b"", init=False)

    def start(self) -> None:
        """Start it; it says who it is without being asked."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(self.seconds)
        lines = "\n".join(
            f" {name}={value if name == 'eap' else f'{chr(34)}{value}{chr(34)}'}"
            for name, value in self.settings.items()
        )
        configuration = self.directory / "eapol.conf"
        configuration.write_text(f"network={{\n key_mgmt=WPA-EAP\n eapol_flags=0\n{lines}\n}}\n")
        port = str(self._socket.getsockname()[1])
        self._daemon = Daemon(
            "eapol_test",
            ["eapol_test", "-n", "-c", str(configuration), "-a", "127.0.0.1", "-p", port, "-s", SECRET.decode(),
             "-t", f"{self.seconds:.0f}"],
            self.directory / "eapol.log",
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip
        self._daemon.start()
        self._identity = self._receive()

    def respond(self, request: bytes) -> bytes:
        """The peer's answer to an EAP request; TimeoutError if it has none."""
        if request[4] == 1:
            return self._identity[:1] + request[1:2] + self._identity[2:]
        self._send(CHALLENGE, request)
        return self._receive()

    def finish(self, packet: bytes) -> Outcome:
        """Hand it an EAP Success or Failure, and hear what it thinks of that."""
        self._send(ACCEPT if packet[0] == 3 else REJECT, packet)
        self._daemon.wait_for(r"^(SUCCESS|FAILURE)|EAPOL test timed out", timeout=2 * self.seconds)
        self.stop()
        text = self._daemon.text()
        keys = _KEY.findall(text)
        return Outcome(_SUCCESS in text, bytes.fromhex(keys[-1]).ljust(64, b"\0") if keys else None)

    def stop(self) -> None:
        """End it."""
        self._daemon.stop()
        self._socket.close()

    def _receive(self) -> bytes:
        self._request, self._from = self._socket.recvfrom(4096)
        return b"".join(value for kind, value in _attributes(self._request) if kind == EAP_MESSAGE)

    def _send(self, code: int, eap: bytes) -> None:
        attributes = [(EAP_MESSAGE, eap[at : at + _LARGEST]) for at in range(0, len(eap), _LARGEST)]
        if code == CHALLENGE:
            attributes.append((STATE, b"state"))
        body = b"".join(bytes((kind, len(value) + 2)) + value for kind, value in attributes)
        body += bytes((MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
        header = (code, self._request[1], _HEADER.size + len(body))
        signed = _HEADER.pack(*header, self._request[4:20]) + body
        body = body[:-16] + hmac.digest(SECRET, signed, "md5")
        reply = _HEADER.pack(*header, self._request[4:20]) + body
        authenticator = md5(reply + SECRET).digest()  # noqa: S324
        self._socket.sendto(_HEADER.pack(*header, authenticator) + body, self._from)


def _attributes(packet: bytes) -> list[tuple[int, bytes]]:
    found, at = [], _HEADER.size
    while at < len(packet):
        found.append((packet[at], packet[at + 2 : at + packet[at + 1]]))
        at += packet[at + 1]
    return found
