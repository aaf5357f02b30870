"""What may be downloaded, from where, and at what cost; where authorities publish."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import integer, listed
from ikegw.config.shape import Key, Table

DOWNLOADS: Final = Table(
    "downloads",
    "CRLs, OCSP answers and certificates that are fetched while a peer logs in; nobody else waits for them.",
    (
        Key(
            "networks",
            listed(kinds.NETWORK),
            [],
            "Where URLs in peers' certificates may lead besides the public Internet: a CRL server of your site needs its network "
            "here. What `[authorities]` names may be anywhere.",
        ),
        Key(
            "timeout",
            kinds.POSITIVE_DURATION,
            "10s",
            "How long one may take in all, redirects and waiting included.",
        ),
        Key(
            "proxy",
            kinds.PROXY,
            None,
            "The HTTP proxy that is asked for http and https URLs. It decides where names lead; addresses in URLs are held to "
            "`networks` all the same.",
        ),
        Key("max_size", integer(1024, 1 << 30), 16 << 20, "The octets that one may bring."),
        Key("redirects", integer(0, 20), 3, "How many redirects are followed."),
        Key("at_once", integer(1, 10_000), 64, "How many run at the same time."),
        Key("per_host", integer(1, 10_000), 8, "How many of these from one server."),
        Key("retry_time", kinds.DURATION, "30s", "How long what failed is not tried again."),
        Key(
            "refresh_time",
            kinds.POSITIVE_DURATION,
            "1h",
            "While a session lasts, its certificates are asked about again after so long at the latest, however long a CRL says "
            "that it counts. One that was revoked ends the session.",
        ),
        Key(
            "directory",
            kinds.DIRECTORY,
            None,
            "Where downloaded CRLs are kept, for when ikegw is started anew; without it in `crls/` of `state.directory`.",
        ),
    ),
)

AUTHORITY: Final = Table(
    "authorities",
    "Where an authority publishes, besides what the certificates say that it issued. These URLs are asked first.",
    (
        Key(
            "cacert",
            kinds.FILE_NAME,
            None,
            "Its certificate: a file in `ca/`, or, of an intermediate, in `certs/`.",
            required=True,
        ),
        Key(
            "crl_uris",
            listed(kinds.LIST_URL, commas=False),
            [],
            "Where its CRL is: `http:`, `https:`, or a `file:` in `crl/`; the first that answers counts.",
        ),
        Key(
            "ocsp_uris",
            listed(kinds.URL, commas=False),
            [],
            "Where OCSP requests about its certificates are answered.",
        ),
        Key(
            "cert_uri_base",
            kinds.URL,
            None,
            "Where what it issued to us can be fetched, under its SHA-1 hash in hex: peers that know hash-and-URL are sent that "
            "instead of the certificate.",
        ),
    ),
    named=True,
)
