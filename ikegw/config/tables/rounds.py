"""What a side proves itself by besides: the second round of RFC 4739, swanctl's `local-2` and `remote-2`."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import listed, one_of
from ikegw.config.shape import Key, Table
from ikegw.policy.connections import AuthKind, EapIdentity, EapMethod

SECOND_LOCAL: Final = Table(
    "local-2",
    "How we prove who we are once more, after `local`, if we open the connection.",
    (
        Key(
            "auth",
            one_of(AuthKind, AuthKind.PSK, AuthKind.PUBKEY),
            None,
            "With name and password, token or the like (`eap`); without it, `local` is all.",
        ),
        Key("id", kinds.IDENTITY, None, "Our identity in this round; without it, that of `local`."),
        Key("eap_id", kinds.TEXT, None, "The name under which we log in by EAP; without it, `id`."),
        Key(
            "eap_methods",
            listed(one_of(EapMethod)),
            ["tls", "ttls-mschapv2", "mschapv2"],
            "The EAP methods that we take part in, as in `local`.",
        ),
        Key("certs", listed(kinds.FILE_NAME), [], "Our certificate for EAP, files in `certs/`."),
        Key(
            "aaa_id",
            kinds.TEXT,
            None,
            "The DNS name or address in the EAP server's certificate; without it, the gateway's identity.",
        ),
        Key(
            "aaa_cacerts",
            listed(kinds.FILE_NAME),
            [],
            "Authorities that may vouch for the EAP server, files in `ca/`; none: all that are there.",
        ),
    ),
)

SECOND_REMOTE: Final = Table(
    "remote-2",
    "How the peer must prove who it is once more, after `remote` (RFC 4739). Nobody is let in by the first proof alone.",
    (
        Key(
            "auth",
            one_of(AuthKind, AuthKind.PSK, AuthKind.PUBKEY),
            None,
            "An EAP login that `aaa` finds good (`eap`); without it, `remote` is all.",
        ),
        Key(
            "id",
            kinds.PATTERN,
            "%any",
            "Which identities are welcome in this round. Of connections with the same `local` and `remote`, but for `remote.id`, "
            "it decides which one serves.",
        ),
        Key(
            "eap_identity",
            one_of(EapIdentity),
            "auto",
            "The name of the EAP login: this `id` (`idi`), one asked for (`ask`), or asked unless it is a mail address.",
        ),
    ),
)
