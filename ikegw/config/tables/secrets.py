"""What nobody else may know."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import listed
from ikegw.config.shape import Key, Table
from ikegw.config.tables.coa import COA_SECRET
from ikegw.config.tables.eap import EAP_SECRET
from ikegw.config.tables.pools import STORE_SECRET
from ikegw.config.tables.radius import RADIUS_SECRET

SHARED_KEY: Final = Table(
    "ike",
    "Shared keys. They belong in `secrets.d/`, in files that the world cannot read.",
    (
        Key(
            "id",
            listed(kinds.PATTERN, commas=False),
            [],
            "Whose it is: our identity, the peer's, or both; none: everybody's.",
        ),
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

PASSPHRASE: Final = Table(
    "private",
    "Passphrases of encrypted files in `private/`: PKCS#8 keys, and PKCS#12 (`.p12`, `.pfx`).",
    (
        Key("file", kinds.FILE_NAME, None, "The file's name.", required=True),
        Key("secret", kinds.SECRET, None, "Its passphrase.", required=True),
    ),
    named=True,
)

SECRETS: Final = Table(
    "secrets",
    "What nobody else may know.",
    (),
    (SHARED_KEY, PASSPHRASE, RADIUS_SECRET, COA_SECRET, EAP_SECRET, STORE_SECRET),
)
