"""What is compared: ways to log in, each with the settings of a gateway, in the words that swanctl and ikegw share."""

from attrs import frozen
from laboratory.settings import Setting, Tree

GATEWAY_ADDRESS = "10.9.0.1"
GATEWAY_NAME = "gw.bench.example"
SECRET = "every client of this benchmark has the same shared key"
CERTIFICATES = 8
"""How many clients there are with certificates; they log in again and again."""

MODERN = "aes128gcm16-prfsha256-x25519"
ESP = "aes128gcm16"


def client_name(number: int) -> str:
    """A client's identity."""
    return f"client{number}@bench.example"


@frozen
class Case:
    """One way to log in. `key`: the kind of certificate on both sides, None for a shared key; `lends`: an address from a pool.

    `listed`: a CRL that is at hand must say that the client's certificate was not revoked.
    """

    name: str
    proposal: str = MODERN
    key: str | None = None
    lends: bool = False
    listed: bool = False

    def settings(self) -> Tree:
        """The gateway's connection, pool and secret."""
        auth = "psk" if self.key is None else "pubkey"
        ours: dict[str, Setting] = {"auth": auth, "id": GATEWAY_NAME}
        theirs: dict[str, Setting] = {"auth": auth, "id": "*@bench.example"}
        connection: dict[str, Setting] = {
            "local_addrs": [GATEWAY_ADDRESS],
            "proposals": [self.proposal],
            "unique": "replace" if self.key is None else "never",
            "local": ours,
            "remote": theirs,
            "children": {"net": {"local_ts": ["10.1.0.0/16"], "esp_proposals": [ESP]}},
        }
        if self.key is not None:
            ours["certs"], theirs["cacerts"] = "gateway.pem", "ca.pem"
        if self.listed:
            theirs["revocation"] = "strict"
        if self.lends:
            connection["pools"] = ["road"]
        pools: Tree = {"pools": {"road": {"addrs": "10.64.0.0/12"}}} if self.lends else {}
        return {
            "connections": {"road": connection},
            "secrets": {"ike": {"everybody": {"id": [], "secret": SECRET}}},
            **pools,
        }


CASES = (
    Case("PSK, x25519"),
    Case("PSK, x25519, address from a pool", lends=True),
    Case("PSK, modp2048", proposal="aes128gcm16-prfsha256-modp2048"),
    Case("certificates RSA-2048, x25519", key="rsa2048"),
    Case("certificates ECDSA P-256, x25519", key="ecdsa256"),
    Case("certificates RSA-2048, CRL", key="rsa2048", listed=True),
    Case("certificates ECDSA P-256, CRL", key="ecdsa256", listed=True),
)
