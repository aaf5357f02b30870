"""The reference of every key, written from the schema: `python -m ikegw.config.reference > docs/configuration.md`."""

import json
import sys
from collections.abc import Iterator
from typing import Final

from ikegw.config.schema import SCHEMA
from ikegw.config.shape import Key

INTRODUCTION: Final = """\
# Configuration

<!-- Written by `python -m ikegw.config.reference`; change ikegw/config/tables/ or reference.py, not this file. -->

`twistd ikegw --config /etc/ikegw/ikegw.toml` reads, in [TOML](https://toml.io):

1. `ikegw.toml`,
2. `conf.d/*.toml` beside it, in the order of their names: one file for each connection is a good habit,
3. `secrets.d/*.toml` beside it, which the world must not be able to read (mode 0640 or 0600).

Tables of all files are merged. A key that is given twice is an error, which names both places.

Credentials are files in directories beside `ikegw.toml`, PEM or DER, found by their content:

| directory | holds |
| --- | --- |
| `certs/` | our certificates, with their intermediates; and certificates of peers that are trusted by themselves |
| `ca/` | the authorities that we trust |
| `crl/` | revocation lists (CRLs) of these authorities, besides those that are downloaded |
| `private/` | our private keys, readable by nobody else, or PKCS#12 (`.p12`, `.pfx`); `secrets.private` opens what is encrypted |

`ikegwctl check /etc/ikegw/ikegw.toml` tells every problem at once, each with its file and line, and touches nothing that runs:

```
conf.d/roadwarriors.toml:24: connections.roadwarriors.children.net.rekey_tiem: unknown key; did you mean rekey_time?
```

## How values are written

* A **list** may be one value without brackets: `pools = "clients"`. Where no comma can be part of a value, a text may hold
  several: `local_ts = "10.1.0.0/16, 10.2.0.0/16"`.
* A **duration** has a unit: `"500ms"`, `"30s"`, `"10m"`, `"4h"`, `"1d"`, `"1h30m"`; `0` turns a timer off.
* An **identity** is written as in swanctl: `192.0.2.1`, `2001:db8::1`, `gw.example.org` (FQDN), `user@example.org` (RFC822),
  `"C=CH, O=Example, CN=gw"` (distinguished name, in the order of the certificate), `@#6b6579` (KEY_ID in hex). `@name` is an
  FQDN whatever it looks like, `@@user@host` an RFC822 address. A prefix says the type outright: `fqdn:`, `rfc822:`, `ipv4:`,
  `ipv6:`, `asn1dn:`, `keyid:`.
* An **identity pattern** is an identity, `%any`, `*@example.org`, `*.example.org`, `"C=CH, O=Example, CN=*"` or a network of
  addresses. Letter case means nothing. Of several connections the one with the best match serves: exact before pattern before
  `%any`, then the first.
* A **selector** is a network, an address or a range, `10.1.0.0/16`, `10.1.0.1-10.1.0.9`, and may name a protocol and ports:
  `10.1.0.1[tcp/443]`, `10.1.0.0/16[udp/1024-2047]`, `0.0.0.0/0[icmp]`. `dynamic` is the address that a client was lent, or the
  tunnel's own.
* A **proposal** is written as in swanctl: `aes256gcm16-prfsha256-x25519`, `aes128-sha256-modp2048`. `default` stands for ikegw's
  own.
* A **secret** is a text, `0x…` in hex or `0s…` in base64.

A minimal gateway for road warriors:

```toml
[connections.roadwarriors]
pools = ["clients"]
local = { auth = "pubkey", id = "gw.example.org", certs = ["gw.pem"] }
remote = { auth = "pubkey", id = "*@example.org" }

[connections.roadwarriors.children.net]
local_ts = ["10.1.0.0/16"]

[pools.clients]
addrs = ["10.3.0.0/24", "fd00:3::/64"]
dns = ["10.1.0.53"]
```

## Every key
"""


def markdown() -> str:
    """The whole page."""
    return INTRODUCTION + "".join(_sections())


def _sections() -> Iterator[str]:
    for path, table in SCHEMA.walk():
        if not path:
            continue
        yield f"\n### [{'.'.join(path)}]\n\n{table.doc}\n"
        if table.keys:
            yield "\n| key | value | default | |\n| --- | --- | --- | --- |\n"
            yield from (_row(key) for key in table.keys)


def _row(key: Key) -> str:
    value = ("list of: " if key.kind.listed else "") + key.kind.expected.replace("*", r"\*")
    cells = (f"`{key.name}`", value, _default(key), key.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(key: Key) -> str:
    text = default_text(key)
    return {"none": "", "required": "**required**"}.get(text, f"`{text}`")


def default_text(key: Key) -> str:
    """A default as a file has it, `none`, or `required`."""
    if key.required:
        return "required"
    return "none" if key.default is None or key.default == [] else json.dumps(key.default)


if __name__ == "__main__":
    sys.stdout.write(markdown())
