"""Every key that there is, as data: from this table files are read, problems are told, and the reference is written.

Names are swanctl's where swanctl has one.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from ikegw.config import kinds
from ikegw.config.kinds import Kind, integer, listed, number, one_of
from ikegw.config.settings import DataPlaneChoice, LogLevel
from ikegw.policy.connections import AuthKind, DpdAction, SendCertificate, StartAction, Unique


@frozen
class Key:
    """One key: its default is written as in a file; None means that there is none, and `doc` says what follows.

    `later`: it is read and checked, but has no effect in this version.
    """

    name: str
    kind: Kind
    default: object
    doc: str
    required: bool = False
    later: bool = False


@frozen
class Table:
    """A table of keys and tables. `named`: it holds tables of this form, by names that the operator gives."""

    name: str
    doc: str
    keys: tuple[Key, ...] = ()
    tables: tuple["Table", ...] = ()
    named: bool = False

    def key(self, name: str) -> Key | None:
        """The key of that name."""
        return next((key for key in self.keys if key.name == name), None)

    def table(self, name: str) -> "Table | None":
        """The table of that name."""
        return next((table for table in self.tables if table.name == name), None)

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Table"]]:
        """This table and all within, with their paths; a name that the operator gives is `NAME`."""
        yield path, self
        for table in self.tables:
            yield from table.walk((*path, table.name, "NAME") if table.named else (*path, table.name))


LISTEN: Final = Table(
    "listen",
    "Where IKE is heard.",
    (
        Key(
            "addresses", listed(kinds.ADDRESS), [], "Local addresses to listen on; none: all of this host's."
        ),
        Key("interfaces", listed(kinds.INTERFACE), [], "Listen only on the addresses of these devices."),
        Key("port", kinds.PORT, 500, "UDP port of IKE."),
        Key(
            "nat_t_port",
            kinds.PORT,
            4500,
            "UDP port of IKE and ESP when there is a NAT between the peers (RFC 3948).",
        ),
    ),
)

DATA_PLANE: Final = Table(
    "data_plane",
    "Who carries the traffic (ESP).",
    (
        Key(
            "kind",
            one_of(DataPlaneChoice),
            "auto",
            "The Linux kernel, or a process of ikegw with a TUN device; `auto` prefers the kernel where it can do the work.",
        ),
        Key("tun", kinds.INTERFACE, "ikegw%d", "Name of the TUN device; the kernel puts a number for `%d`."),
        Key(
            "mtu",
            integer(576, 65535),
            1400,
            "MTU of the TUN device, so that a packet still fits the path once it is ESP.",
        ),
    ),
)

LIMITS: Final = Table(
    "limits",
    "How much of the gateway strangers may occupy. A half-open IKE SA is one whose peer has not proved who it is.",
    (
        Key(
            "cookie_threshold",
            integer(0, 1_000_000),
            30,
            "Half-open IKE SAs in all above which a peer must return a cookie.",
        ),
        Key(
            "cookie_threshold_ip",
            integer(0, 1_000_000),
            3,
            "The same for one source (an IPv4 address, an IPv6 /64).",
        ),
        Key(
            "block_threshold",
            integer(1, 1_000_000),
            5,
            "Half-open IKE SAs of one source above which it is not heard.",
        ),
        Key(
            "half_open",
            integer(1, 1_000_000),
            1000,
            "Half-open IKE SAs in all above which nobody new is heard.",
        ),
        Key(
            "half_open_timeout",
            kinds.DURATION,
            "30s",
            "Life of a half-open IKE SA, for every connection that says nothing else.",
        ),
    ),
)

LOG: Final = Table(
    "log",
    "What is logged.",
    (
        Key("level", one_of(LogLevel), "info", "The least severe level that is logged."),
        Key("states", kinds.BOOLEAN, True, "Log each state that a machine enters."),
    ),
)

CONTROL: Final = Table(
    "control",
    "The socket that `ikegwctl` speaks to.",
    (Key("socket", kinds.SOCKET, "/run/ikegw/control.sock", 'Its path; `""` for no socket.', later=True),),
)

LOCAL: Final = Table(
    "local",
    "How we prove who we are.",
    (
        Key(
            "auth", one_of(AuthKind, AuthKind.EAP), "pubkey", "Shared key (`psk`) or certificate (`pubkey`)."
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
    ),
)

REMOTE: Final = Table(
    "remote",
    "How the peer must prove who it is.",
    (
        Key(
            "auth", one_of(AuthKind, AuthKind.EAP), "pubkey", "Shared key (`psk`) or certificate (`pubkey`)."
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
            "Pools that lend the peer its addresses, tried in this order.",
        ),
        Key(
            "vips",
            listed(kinds.ADDRESS),
            [],
            "Addresses to ask of the peer; `0.0.0.0` and `::` for whichever it lends.",
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
            "When the same identity connects again: replace the old IKE SA, keep both, refuse the new one, or never look.",
        ),
        Key(
            "send_cert",
            one_of(SendCertificate),
            "always",
            "When we send our certificate; `ifasked`: to a peer that asks for one, which some clients never do.",
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
    (LOCAL, REMOTE, CHILD),
    named=True,
)

POOL: Final = Table(
    "pools",
    "Addresses to lend to peers.",
    (
        Key(
            "addrs",
            listed(kinds.RANGE),
            None,
            "The addresses: networks or ranges, IPv4 and IPv6 as you like.",
            required=True,
        ),
        Key("dns", listed(kinds.ADDRESS), [], "DNS servers that clients are told."),
        Key(
            "subnet",
            listed(kinds.NETWORK),
            [],
            "Networks that clients are told to send through the tunnel, in place of the tunnel's `local_ts`.",
        ),
    ),
    named=True,
)

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

SECRETS: Final = Table("secrets", "What nobody else may know.", (), (SHARED_KEY,))

SCHEMA: Final = Table("", "", (), (LISTEN, DATA_PLANE, LIMITS, LOG, CONTROL, CONNECTION, POOL, SECRETS))

NOT_OURS: Final = {
    "local_port": "our port is listen.port; leave it out",
    "version": "ikegw speaks IKEv2 only; leave it out",
    "aggressive": "that is IKEv1; leave it out",
    "mode": "ikegw makes tunnels only; leave it out",
    "updown": "ikegw runs no scripts; routes and policies are its own doing",
    "file": "keys and certificates are found in their directories by themselves",
    "ipcomp": "compression is not supported; leave it out",
    "hostaccess": "firewall rules are yours to make; leave it out",
}
"""What operators know from elsewhere, and what to do about it here."""
