"""The rounds of a connection's authentication, made into values; and what must be so for a second one (RFC 4739) to be of use."""

from collections.abc import Iterator

from ikegw.config.problems import Problem
from ikegw.config.reading import Section, default_of
from ikegw.config.shape import Table
from ikegw.config.tables.rounds import SECOND_LOCAL, SECOND_REMOTE
from ikegw.policy.connections import AuthKind, DpdAction, LocalAuth, RemoteAuth, StartAction


def build_local(local: Section, *, ocsp_replies: bool = True) -> LocalAuth:
    """`local`, or a `local-2` that is there."""
    return LocalAuth(
        local["auth"],
        local["id"],
        tuple(local["certs"]),
        local["eap_id"] or "",
        tuple(local["eap_methods"]),
        local["aaa_id"] or "",
        tuple(local["aaa_cacerts"]),
        ocsp_replies,
    )


def build_second_local(local: Section) -> LocalAuth | None:
    """`local-2`; None: there is none."""
    return None if local["auth"] is None else build_local(local)


def build_second_remote(remote: Section) -> RemoteAuth | None:
    """`remote-2`; None: there is none."""
    if remote["auth"] is None:
        return None
    return RemoteAuth(remote["auth"], remote["id"], eap_identity=remote["eap_identity"])


def lets_in_by_eap(connection: Section) -> bool:
    """Does the peer log in by EAP, in either round?"""
    return AuthKind.EAP in (
        connection.tables["remote"]["auth"],
        connection.tables["remote-2"]["auth"],
    )


def check_rounds(connection: Section) -> Iterator[Problem]:
    """Every problem of both second rounds."""
    for first, table in (("local", SECOND_LOCAL), ("remote", SECOND_REMOTE)):
        yield from _round(connection.tables[first], connection.tables[table.name], first, table)
    ours, theirs = connection.tables["local-2"], connection.tables["remote-2"]
    for second, other in ((ours, connection.tables["remote"]), (theirs, connection.tables["local"])):
        if second["auth"] is not None and other["auth"] is AuthKind.EAP:
            text = f'with {second.path[-1]} this side proves itself by key or certificate; write "pubkey" or "psk"'
            yield other.problem("auth", text)
    if ours["auth"] is not None and theirs["auth"] is not None:
        text = "who opens a connection logs in by EAP: we (local-2) or the peer (remote-2), not both; make two connections"
        yield theirs.problem("auth", text)
    elif theirs["auth"] is not None:
        yield from _begun_by_itself(connection)


def _round(first: Section, second: Section, name: str, table: Table) -> Iterator[Problem]:
    if second["auth"] is None and second.whole("auth"):
        for key in table.keys:
            if key.name in second.places and second[key.name] != default_of(key):
                text = 'it means nothing without auth; write auth = "eap" beside it'
                yield second.problem(key.name, text)
    elif second["auth"] not in (None, AuthKind.EAP):
        text = f'the second proof is an EAP login; write "eap", and what proves the same by itself into {name}.auth'
        yield second.problem("auth", text)
    elif second["auth"] is not None and first["auth"] is AuthKind.EAP:
        text = (
            f'an EAP login comes second, after a key or a certificate; write {name}.auth = "pubkey" or "psk"'
        )
        yield first.problem("auth", text)


_BY_ITSELF = (
    ("start_action", StartAction.NONE),
    ("close_action", StartAction.NONE),
    ("dpd_action", DpdAction.CLEAR),
)


def _begun_by_itself(connection: Section) -> Iterator[Problem]:
    for child in connection.named["children"].values():
        for name, idle in _BY_ITSELF:
            if child.whole(name) and child[name] is not idle:
                text = f"only who opens a connection can log in by EAP, and with remote-2 that is the peer; leave {name} out"
                yield child.problem(name, text)
