"""The embedded authenticator, and the passwords of EAP logins."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import integer, listed, one_of
from ikegw.config.shape import Key, Table
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.connections import EapMethod

EAP: Final = Table(
    "eap",
    'How this gateway itself lets EAP clients in, where a connection says `aaa = "local"`. Its users stand in `secrets.eap`.',
    (
        Key(
            "methods",
            listed(one_of(EapMethod, EapMethod.TTLS_MSCHAPV2, EapMethod.TTLS_PAP)),
            ["mschapv2"],
            "The methods proposed to a client, in this order; it may decline one and name another.",
        ),
        Key(
            "certs",
            listed(kinds.FILE_NAME),
            [],
            "Our certificate for `tls`, files in `certs/`; the key is found in `private/` by itself.",
        ),
        Key(
            "cacerts",
            listed(kinds.FILE_NAME),
            [],
            "Authorities whose clients `tls` lets in, files in `ca/`. No default: each certificate of theirs opens the door.",
        ),
        Key(
            "revocation",
            one_of(RevocationPolicy),
            "if-available",
            "Whether clients' certificates were revoked: a CRL (from `crl/`, or downloaded) or OCSP must say that they were not "
            "(`strict`), is asked for but may be silent (`if-available`), or is not asked for (`off`).",
        ),
        Key(
            "user_failures",
            integer(0, 1_000_000),
            10,
            "So many logins under one name may fail within `failure_time`; then it is refused unheard. 0: any number.",
        ),
        Key(
            "address_failures",
            integer(0, 1_000_000),
            30,
            "The same for all logins from one address (of IPv6, one /64).",
        ),
        Key(
            "failure_time",
            kinds.DURATION,
            "10m",
            "How long failed logins count, each a little less by and by.",
        ),
    ),
)

EAP_SECRET: Final = Table(
    "eap",
    "Passwords of EAP logins: of users who log in here, and our own where we log in. They belong in `secrets.d/`.",
    (
        Key(
            "id",
            listed(kinds.TEXT, commas=False),
            [],
            "The names it belongs to, as they are sent in EAP; none: the name of this table.",
        ),
        Key(
            "secret",
            kinds.SECRET,
            None,
            'The password: `"text"`, `"0x…"` in hex or `"0s…"` in base64.',
            required=True,
        ),
    ),
    named=True,
)
