"""Who may connect, or to whom we connect, and the tunnels of each."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import integer, listed, number, one_of
from ikegw.config.shape import Key, Table
from ikegw.config.tables.rounds import SECOND_LOCAL, SECOND_REMOTE
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.carriage import Mode, Offload
from ikegw.policy.connections import (
    AuthKind,
    DpdAction,
    EapIdentity,
    EapMethod,
    OcspUse,
    SendCertificate,
    StartAction,
    Unique,
)
from ikegw.policy.demands import Weakness

LOCAL: Final = Table(
    "local",
    "How we prove who we are.",
    (
        Key(
            "auth",
            one_of(AuthKind),
            "pubkey",
            "Shared key (`psk`), certificate (`pubkey`), or with name and password, token or the like (`eap`).",
        ),
        Key(
            "id",
            kinds.IDENTITY,
            None,
            "Our identity; without it, what the peer asks us to be, else our address.",
        ),
        Key(
            "certs",
            listed(kinds.FILE_NAME),
            [],
            "Our certificate, files in `certs/`; the key is found in `private/` by itself.",
        ),
        Key(
            "eap_id",
            kinds.TEXT,
            None,
            "The name under which we log in by EAP; without it, `id`.",
        ),
        Key(
            "eap_methods",
            listed(one_of(EapMethod)),
            ["tls", "ttls-mschapv2", "mschapv2"],
            "The EAP methods that we take part in, if we have what they need: a certificate, or a password in `secrets.eap`.",
        ),
        Key(
            "aaa_id",
            kinds.TEXT,
            None,
            "The DNS name or address in the EAP server's certificate (`tls`, `ttls-…`); without it, the gateway's identity.",
        ),
        Key(
            "aaa_cacerts",
            listed(kinds.FILE_NAME),
            [],
            "Authorities that may vouch for the EAP server, files in `ca/`; none: all that are there.",
        ),
    ),
)

REMOTE: Final = Table(
    "remote",
    "How the peer must prove who it is.",
    (
        Key(
            "auth",
            one_of(AuthKind),
            "pubkey",
            "Shared key (`psk`), certificate (`pubkey`), or an EAP login that `aaa` finds good (`eap`).",
        ),
        Key("id", kinds.PATTERN, "%any", "Which identities are welcome."),
        Key(
            "cacerts",
            listed(kinds.FILE_NAME),
            [],
            "Authorities that count here, files in `ca/`; none: all that are there.",
        ),
        Key(
            "certs",
            listed(kinds.FILE_NAME),
            [],
            "The peer's own certificates, files in `certs/`; none: any that an authority signed.",
        ),
        Key(
            "eap_identity",
            one_of(EapIdentity),
            "auto",
            "The name of an EAP login: the peer's identity (`idi`), one asked for (`ask`), or asked unless it is a mail address.",
        ),
        Key(
            "pinned",
            listed(kinds.PIN),
            [],
            "The peer's certificates or public keys, trusted by themselves, by SHA-256: `sha256:` as `openssl x509 -fingerprint "
            "-sha256` shows it, or `key-sha256:`, which survives a renewal (`ikegwctl certs --json` has both). As with `certs`, "
            "authorities count only if named. Who has a pinned key can write any name beside it: `id` must then be exact, unless "
            "the certificate is in `certs/` or under an authority.",
        ),
        Key(
            "cert_policy",
            listed(kinds.CERTIFICATE_POLICY),
            [],
            "Certificate policies, by object identifier (RFC 5280 §4.2.1.4), of which its path must be good for one; none: any.",
        ),
        Key(
            "weak",
            listed(one_of(Weakness)),
            [],
            "What passes all the same, for old clients: its signature with `sha1` (Windows with a certificate does no better), "
            "certificates signed with SHA-1 (`sha1-certs`), RSA keys of less than 2048 bits (`rsa1024`).",
        ),
        Key(
            "revocation",
            one_of(RevocationPolicy),
            "if-available",
            "Whether its certificates were revoked: a CRL (from `crl/`, or downloaded) or OCSP must say that they were not "
            "(`strict`), is asked for but may be silent (`if-available`), or is not asked for (`off`). A session whose "
            "certificate is revoked ends.",
        ),
        Key(
            "hash_and_url",
            kinds.BOOLEAN,
            False,
            "Let it name certificates by hash and URL (RFC 7296 §3.6), which are downloaded before anything is known of it.",
        ),
    ),
)

CHILD: Final = Table(
    "children",
    "The tunnels (CHILD SAs) of a connection.",
    (
        Key(
            "local_ts",
            listed(kinds.SELECTOR),
            ["dynamic"],
            "What is reachable on our side. `dynamic`: our own tunnel address.",
        ),
        Key(
            "remote_ts",
            listed(kinds.SELECTOR),
            ["dynamic"],
            "What is reachable on the peer's side. `dynamic`: the address it was lent.",
        ),
        Key(
            "esp_proposals",
            listed(kinds.ESP_PROPOSAL),
            ["default"],
            "Algorithms, the preferred first; a group in it gives forward secrecy.",
        ),
        Key(
            "start_action",
            one_of(StartAction),
            "none",
            "When loaded: wait for the peer, connect at once, or when traffic comes (`trap`).",
        ),
        Key("close_action", one_of(StartAction), "none", "The same when the peer closed it."),
        Key(
            "dpd_action",
            one_of(DpdAction),
            "clear",
            "When the peer no longer answers: forget it, connect anew, or when traffic comes (`trap`).",
        ),
        Key("rekey_time", kinds.DURATION, "1h", "When its keys are renewed; 0 for never."),
        Key(
            "life_time",
            kinds.DURATION,
            None,
            "When it ends if they were not; default 10 % after `rekey_time`.",
        ),
        Key(
            "rand_time",
            kinds.DURATION,
            None,
            "How much earlier at most, at random, keys are renewed; default 10 % of `rekey_time`.",
        ),
        Key(
            "rekey_bytes",
            kinds.OCTETS,
            0,
            "Renew the keys after so many octets in one direction; 0: without limit.",
        ),
        Key("life_bytes", kinds.OCTETS, None, "End after so many; default 10 % above `rekey_bytes`."),
        Key(
            "rekey_packets",
            kinds.COUNT,
            0,
            "Renew the keys after so many packets in one direction; 0: without limit.",
        ),
        Key("life_packets", kinds.COUNT, None, "End after so many; default 10 % above `rekey_packets`."),
        Key(
            "replay_window",
            integer(0, 32768),
            1024,
            "Packets that may arrive out of order; 0 turns replay protection off.",
        ),
        Key(
            "mode",
            one_of(Mode),
            "tunnel",
            "Whole packets, or only what the two hosts say to each other (`transport`), if the peer agrees and there is no NAT. "
            "All but `tunnel` and the keys below are the kernel's alone.",
        ),
        Key(
            "if_id",
            integer(0, 0xFFFFFFFF),
            0,
            "Packets go by your own xfrm interface of this number, and routes into it are yours; 0: by ikegw's, with routes.",
        ),
        Key("mark", kinds.MARK, None, "Only for packets with this firewall mark."),
        Key(
            "set_mark_out",
            kinds.MARK,
            None,
            "The mark of its ESP packets; default 0x494b, by which they pass ikegw's own rules by.",
        ),
        Key(
            "tfc_padding",
            integer(0, 65535),
            0,
            "Pad packets to so many octets, so that their length tells nothing (RFC 4303 §2.7); 0: not.",
        ),
        Key(
            "hw_offload",
            one_of(Offload),
            "no",
            "Let the network card encipher (`crypto`), or do all of ESP (`packet`).",
        ),
        Key(
            "updown",
            kinds.PATH,
            None,
            "A program that is run, without a shell, when the tunnel has come up and when it is gone; docs/hooks.md says what "
            "it is told. Its output goes to the log.",
        ),
        Key("updown_timeout", kinds.DURATION, "10s", "How long it may take before it is killed."),
        Key(
            "updown_required",
            kinds.BOOLEAN,
            False,
            "The tunnel is refused if the program fails for `up`; else that is only logged, and nobody waits for it.",
        ),
    ),
    named=True,
)

CONNECTION: Final = Table(
    "connections",
    "Who may connect, or to whom we connect. The name is yours, and is what the log calls it.",
    (
        Key(
            "local_addrs",
            listed(kinds.PEER),
            ["%any"],
            "Our addresses on which it is offered, or from which it is opened.",
        ),
        Key(
            "remote_addrs",
            listed(kinds.PEER),
            ["%any"],
            "Where the peer may come from; to open it ourselves, exactly one address.",
        ),
        Key("remote_port", kinds.PORT, 500, "The peer's port when we open it."),
        Key("remote_nat_t_port", kinds.PORT, 4500, "The peer's NAT-T port when we open it."),
        Key("proposals", listed(kinds.IKE_PROPOSAL), ["default"], "Algorithms of IKE, the preferred first."),
        Key(
            "pools",
            listed(kinds.POOL_NAME),
            [],
            "Who lends the peer its addresses, tried in this order, for IPv4 and IPv6 apart: names of pools, `dhcp:NAME`, "
            "or `radius` for what the AAA server decided (an address, or the name of a pool).",
        ),
        Key(
            "aaa",
            kinds.TEXT,
            None,
            "Who says whether an EAP login is good: `local` (this gateway itself), or the name of a RADIUS realm.",
        ),
        Key(
            "accounting",
            kinds.TEXT,
            None,
            "The RADIUS realm that is told of the peer's sessions, `none` for nobody; default that of `aaa`.",
        ),
        Key(
            "groups",
            listed(kinds.TEXT),
            [],
            "Users of one of these `[groups.NAME]` alone are let in, and get what the first that they are in says.",
        ),
        Key(
            "domains",
            listed(kinds.DOMAIN),
            [],
            "Domains whose names peers are to look up at the DNS servers that they are told, besides those of `pools` "
            "(split DNS, RFC 8598).",
        ),
        Key(
            "vips",
            listed(kinds.ADDRESS),
            [],
            "Addresses to ask of the peer; `0.0.0.0` and `::` for whichever it lends.",
        ),
        Key(
            "address_expiry",
            kinds.BOOLEAN,
            False,
            "Ask also for how long they are lent, and ask for them again before that is over: for old gateways (RFC 4306) that "
            "lend addresses for a time and expect it.",
        ),
        Key(
            "nat_traversal",
            kinds.BOOLEAN,
            True,
            "Find NATs between the peers and pass them by UDP (RFC 7296 §2.23).",
        ),
        Key("encap", kinds.BOOLEAN, False, "Carry ESP in UDP though there is no NAT."),
        Key(
            "mobike",
            kinds.BOOLEAN,
            True,
            "Let who opened it move to another address, and go to port 4500 at once (RFC 4555).",
        ),
        Key(
            "return_routability",
            kinds.BOOLEAN,
            True,
            "Ask a peer that moved at its new address before traffic is sent there (RFC 4555 §3.7).",
        ),
        Key("fragmentation", kinds.BOOLEAN, True, "Cut large messages within IKE (RFC 7383)."),
        Key(
            "unique",
            one_of(Unique),
            "replace",
            "When the same peer (by EAP: the same user) connects again: replace its IKE SA, keep both, refuse it, or never look.",
        ),
        Key(
            "send_cert",
            one_of(SendCertificate),
            "always",
            "When we send our certificate; `ifasked`: to a peer that asks for one, which some clients never do.",
        ),
        Key(
            "ocsp",
            one_of(OcspUse),
            "reply",
            "OCSP answers that go along with certificates (RFC 4806): a peer that asks gets ours (`reply`), we ask the peer "
            "(`request`), `both`, or `never`.",
        ),
        Key("keep_ike", kinds.BOOLEAN, False, "Keep the IKE SA though its first tunnel could not be had."),
        Key(
            "keyingtries",
            integer(0, 1_000_000),
            1,
            "How often what starts by itself is begun before it is given up, with growing pauses; 0: for ever.",
        ),
        Key(
            "retransmit_timeout",
            kinds.DURATION,
            "2s",
            "How long to wait for an answer before a request is sent again.",
        ),
        Key("retransmit_base", number(1, 10), 1.8, "Each wait is so many times the last."),
        Key(
            "retransmit_tries",
            integer(0, 100),
            5,
            "How often a request is sent again before the peer counts as gone.",
        ),
        Key("retransmit_jitter", number(0, 0.9), 0.1, "The part of a wait that may be taken off at random."),
        Key("retransmit_limit", kinds.DURATION, "60s", "The longest wait."),
        Key(
            "half_open_timeout",
            kinds.DURATION,
            None,
            "How long a peer may take to prove itself; default `limits.half_open_timeout`.",
        ),
        Key(
            "window",
            kinds.integer(1, 64),
            1,
            "How many requests the peer may have under way at once (RFC 7296 §2.3); we ask one at a time.",
        ),
        Key(
            "dpd_delay",
            kinds.DURATION,
            "60s",
            "Ask whether the peer is alive after so long without a word of it; 0: never.",
        ),
        Key(
            "keep_alive",
            kinds.DURATION,
            "20s",
            "Keep the NAT in front of us open with a packet this often; 0: never.",
        ),
        Key("rekey_time", kinds.DURATION, "4h", "When the keys of IKE are renewed; 0 for never."),
        Key(
            "over_time",
            kinds.DURATION,
            None,
            "How long after that it ends if they were not; default 10 % of it.",
        ),
        Key(
            "rand_time",
            kinds.DURATION,
            None,
            "How much earlier at most, at random, they are renewed; default 10 %.",
        ),
        Key(
            "reauth_time",
            kinds.DURATION,
            "0",
            "When the peers prove themselves anew; 0 for never.",
        ),
    ),
    (LOCAL, SECOND_LOCAL, REMOTE, SECOND_REMOTE, CHILD),
    named=True,
)
