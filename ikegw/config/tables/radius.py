"""RADIUS: how we call ourselves, servers, and the realms that they serve."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import integer, listed, one_of
from ikegw.config.radius import RadiusTransport, Strategy
from ikegw.config.shape import Key, Table

SERVER: Final = Table(
    "servers",
    "RADIUS servers. The secret stands in `[secrets.radius.NAME]`, with the server's name.",
    (
        Key("address", kinds.ADDRESS, None, "Its address.", required=True),
        Key("transport", one_of(RadiusTransport), "udp", "Datagrams, or TLS (RadSec, RFC 6614)."),
        Key(
            "auth_port",
            kinds.PORT,
            None,
            "Its port for logins; without it 1812, with TLS 2083 for everything.",
        ),
        Key("acct_port", kinds.PORT, None, "Its UDP port for accounting; without it 1813."),
        Key(
            "source",
            kinds.ADDRESS,
            None,
            "Our address towards it; without it the one that the route prefers.",
        ),
        Key(
            "old",
            kinds.BOOLEAN,
            False,
            "Take answers without Message-Authenticator (CVE-2024-3596): only for servers that cannot be updated, on a way that "
            "nobody else can write to.",
        ),
        Key(
            "status_server",
            kinds.BOOLEAN,
            True,
            "When it is silent, ask with Status-Server whether it lives (RFC 5997); without, logins find out.",
        ),
        Key("probe_interval", kinds.DURATION, "10s", "How often a dead server is looked for."),
        Key("retransmit_timeout", kinds.DURATION, "2s", "Wait for an answer; the wait doubles each time."),
        Key("retransmit_limit", kinds.DURATION, "16s", "The longest wait."),
        Key("retransmit_tries", integer(0, 20), 2, "How often a request is sent again."),
        Key("max_requests", integer(1, 65536), 1024, "Requests in flight at a time; more wait their turn."),
        Key("max_waiting", integer(0, 1_000_000), 8192, "Requests that wait their turn; more fail at once."),
        Key(
            "server_name",
            kinds.TEXT,
            None,
            "The name that its certificate must have, with TLS; without it, the certificate must have its address.",
        ),
        Key(
            "cacerts",
            listed(kinds.FILE_NAME),
            [],
            "Who may have issued its certificate, with TLS: files in `ca/`; none: any of them.",
        ),
        Key(
            "cert",
            kinds.FILE_NAME,
            None,
            "Our certificate, with TLS: a file in `certs/`; the key is found in `private/` by itself.",
        ),
    ),
    named=True,
)

REALM: Final = Table(
    "realms",
    "Servers that know the same users. A connection names its realm in `aaa`.",
    (
        Key("servers", listed(kinds.TEXT), None, "The names of its servers.", required=True),
        Key(
            "strategy",
            one_of(Strategy),
            "ordered",
            "Ask the first server that lives, or each in turn. A login stays where it began.",
        ),
    ),
    named=True,
)

RADIUS: Final = Table(
    "radius",
    "What every RADIUS server is told.",
    (
        Key("nas_identifier", kinds.TEXT, None, "NAS-Identifier; without it this host's name."),
        Key(
            "station_id_with_port",
            kinds.BOOLEAN,
            False,
            "Called- and Calling-Station-Id with the UDP port, `192.0.2.1[4500]`, not the address alone.",
        ),
        Key(
            "framed_mtu",
            integer(256, 4096),
            1400,
            "Framed-MTU: the largest EAP packet that servers are to send; IKE cuts longer ones into fragments.",
        ),
    ),
    (SERVER, REALM),
)

RADIUS_SECRET: Final = Table(
    "radius",
    "Secrets of RADIUS servers, by their names. With TLS there is none.",
    (
        Key(
            "secret",
            kinds.SECRET,
            None,
            'The key: `"text"`, `"0x…"` in hex or `"0s…"` in base64.',
            required=True,
        ),
    ),
    named=True,
)
