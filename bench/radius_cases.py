"""Logins by EAP, with a RADIUS server that takes its time: what is measured, and the settings of the gateway for it."""

from functools import cache

from attrs import frozen
from handshake_cases import ESP, GATEWAY_ADDRESS, GATEWAY_NAME, MODERN
from laboratory.settings import Tree

from ikegw.eap import mschap
from ikegw.eap.credentials import Passwords

SECRET = "a secret between the gateway and its RADIUS server"
STUB_ADDRESS = "10.9.0.9"
PASSWORD = "every client of this benchmark has the same password"
KEY = "ecdsa256"
"""The kind of the gateway's certificate."""


class _Everybody(dict[str, bytes]):
    """Whoever it is has the same password."""

    def get(self, name: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        return PASSWORD.encode()


PASSWORDS = Passwords(_Everybody())
mschap.nt_password_hash = cache(mschap.nt_password_hash)
"""For clients and server, which have one password for all; the gateway never knows any."""


@frozen
class EapCase:
    """One way to log in: the method, the milliseconds that the server takes for each answer, and the logins at a time.

    `patience`: when the gateway asks again. With a thousand logins at a time an answer waits long for its turn there.
    """

    method: str
    delay_ms: int
    in_flight: int
    patience: str = "30s"

    @property
    def name(self) -> str:
        """As it is shown, and told to the client's process."""
        return f"EAP-{self.method.upper()}, {self.delay_ms} ms, {self.in_flight} at a time"

    def settings(self) -> Tree:
        """The gateway's connection, realm and secret."""
        return {
            "connections": {
                "road": {
                    "local_addrs": [GATEWAY_ADDRESS],
                    "proposals": [MODERN],
                    "unique": "never",
                    "aaa": "bench",
                    "accounting": "none",
                    "local": {"auth": "pubkey", "id": GATEWAY_NAME, "certs": ["gateway.pem"]},
                    "remote": {"auth": "eap", "id": "*@bench.example"},
                    "children": {"net": {"local_ts": ["10.1.0.0/16"], "esp_proposals": [ESP]}},
                },
                "keyed": {
                    "local_addrs": [GATEWAY_ADDRESS],
                    "proposals": [MODERN],
                    "local": {"auth": "psk", "id": "keyed.bench.example"},
                    "remote": {"auth": "psk", "id": "*@keyed.example"},
                    "children": {"net": {"local_ts": ["10.1.0.0/16"], "esp_proposals": [ESP]}},
                },
            },
            "radius": {
                "servers": {
                    "stub": {
                        "address": STUB_ADDRESS,
                        "max_requests": 4096,
                        "retransmit_timeout": self.patience,
                    }
                },
                "realms": {"bench": {"servers": ["stub"]}},
            },
            "secrets": {
                "radius": {"stub": {"secret": SECRET}},
                "ike": {"keyed": {"id": [], "secret": PASSWORD}},
            },
        }


METHODS = ("md5", "mschapv2")
MANY, VERY_MANY = 300, 1000
"""Logins at a time: enough of them that the processors are never without work. 200 ms need more than `MANY`."""

CASES = tuple(
    EapCase(method, delay, in_flight)
    for method in METHODS
    for in_flight, delays in ((MANY, (0, 20)), (VERY_MANY, (0, 20, 200)))
    for delay in delays
)
