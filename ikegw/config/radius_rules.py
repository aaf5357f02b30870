"""What the values of RADIUS must be to each other."""

from collections.abc import Iterator

from ikegw.config.credential_rules import check_files
from ikegw.config.problems import Problem
from ikegw.config.radius import RadiusTransport
from ikegw.config.reading import Section
from ikegw.config.settings import Directories

Found = Iterator[Problem]


def check_radius(
    radius: Section, secrets: dict[str, Section], directories: Directories, incomplete: bool
) -> Found:
    """Every problem of servers, realms and their secrets. Incomplete: what is missing may be in a file that could not be read."""
    servers = radius.named["servers"]
    for server in servers.values():
        if server["transport"] is RadiusTransport.TLS:
            yield from _tls(server, directories)
        elif server["transport"] is RadiusTransport.UDP:
            yield from _udp(server, secrets, incomplete)
        yield from _server(server)
    for realm in radius.named["realms"].values():
        yield from _realm(realm, servers, incomplete)
    for name, secret in secrets.items():
        if name not in servers and not incomplete:
            yield secret.problem("secret", f"there is no server {name!r}: {_known(servers)}")


def check_realms_of(connection: Section, radius: Section, incomplete: bool) -> Found:
    """A connection's `aaa` and `accounting` are realms that there are, or this gateway itself and nobody."""
    realms = radius.named["realms"]
    for key, other in (("aaa", "local"), ("accounting", "none")):
        named = connection[key]
        if named in (None, other) or named in realms or incomplete or not connection.whole(key):
            continue
        text = f"there is no realm {named!r}: {_known(realms)}; write [radius.realms.{named}] with servers"
        yield connection.problem(key, text)


def _known(sections: dict[str, Section]) -> str:
    return f"known are {', '.join(sorted(sections))}" if sections else "there are none at all"


def _udp(server: Section, secrets: dict[str, Section], incomplete: bool) -> Found:
    name = server.path[-1]
    if name not in secrets and not incomplete:
        text = f"it has no secret: write [secrets.radius.{name}] with secret into a file in secrets.d/"
        yield server.problem("address", text)
    for key in ("server_name", "cacerts", "cert"):
        if server.whole(key) and server[key]:
            yield server.problem(key, 'it means nothing without transport = "tls"; leave it out')


def _tls(server: Section, directories: Directories) -> Found:
    if server["acct_port"] is not None:
        yield server.problem("acct_port", "with TLS everything goes to auth_port; leave it out")
    if server.whole("cert") and server["cert"] is None:
        text = "TLS to a RADIUS server needs a certificate of ours: name a file in certs/"
        yield server.problem("cert", text)
    yield from check_files(server, "cert", directories.own_certificate)
    yield from check_files(server, "cacerts", directories.authorities.joinpath)


def _server(server: Section) -> Found:
    if server.whole("retransmit_timeout") and not server["retransmit_timeout"]:
        yield server.problem("retransmit_timeout", "no answer could come in time; make it larger")
    if server.whole("probe_interval") and server["probe_interval"] < 1:
        yield server.problem("probe_interval", "below a second; make it larger")
    address, source = server["address"], server["source"]
    if address is not None and source is not None and source.version != address.version:
        yield server.problem("source", "not of the same kind as address: one is IPv4, the other IPv6")


def _realm(realm: Section, servers: dict[str, Section], incomplete: bool) -> Found:
    if not realm.whole("servers"):
        return
    if not realm["servers"]:
        yield realm.problem("servers", "no servers: nobody could log in")
    seen = set()
    for name, place in zip(realm["servers"], realm.items.get("servers", ()), strict=False):
        if name in seen:
            yield realm.problem("servers", f"{name!r} stands here twice", place)
        elif name not in servers and not incomplete:
            yield realm.problem("servers", f"there is no server {name!r}: {_known(servers)}", place)
        seen.add(name)
