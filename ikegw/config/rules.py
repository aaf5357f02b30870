"""What the values must be to each other: names that must exist, times that must follow each other, files that must be there."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from attrs import frozen

from ikegw.config.coa_rules import check_coa
from ikegw.config.credential_rules import check_credentials_of, check_passphrases
from ikegw.config.dhcp_rules import check_dhcp, check_dhcp_of, names_of
from ikegw.config.download_rules import check_authorities, check_revocation
from ikegw.config.eap_rules import check_eap
from ikegw.config.groups_rules import check_groups, check_groups_of
from ikegw.config.lending_rules import check_pools, check_pools_of, check_store
from ikegw.config.problems import Problem
from ikegw.config.radius_rules import check_radius, check_realms_of
from ikegw.config.reading import Section
from ikegw.config.rounds_rules import check_rounds, lets_in_by_eap
from ikegw.config.settings import Directories
from ikegw.config.shunt_rules import check_shunts
from ikegw.config.updown_rules import check_script
from ikegw.config.web_rules import check_web
from ikegw.policy.connections import AuthKind, StartAction
from ikegw.policy.selectors import Dynamic

Found = Iterator[Problem]
"""Problems, one after the other."""


@frozen
class Surroundings:
    """What a connection's keys may refer to. Incomplete: a file could not be read, so what is missing may be in there."""

    root: Section
    directories: Directories
    incomplete: bool


def check(root: Section, directories: Directories, incomplete: bool) -> Found:
    """Every problem that shows only when values are seen together."""
    around = Surroundings(root, directories, incomplete)
    yield from _listen(root.tables["listen"])
    yield from _limits(root.tables["limits"])
    yield from check_web(root.tables["web"])
    pools = root.named["pools"]
    yield from check_pools(pools, root.tables["secrets"].tables["store"], incomplete)
    yield from check_store(root.tables["store"])
    yield from _shared_keys(root.tables["secrets"].named["ike"])
    radius, radius_secrets = root.tables["radius"], root.tables["secrets"].named["radius"]
    yield from check_radius(radius, radius_secrets, directories, incomplete)
    yield from check_dhcp(root.named["dhcp"])
    yield from check_coa(root.tables["coa"], root.tables["secrets"].named["coa"], incomplete)
    yield from check_eap(root, directories, incomplete)
    yield from check_authorities(root.named["authorities"], directories)
    yield from check_shunts(root.named["shunts"])
    yield from check_passphrases(root.tables["secrets"].named["private"], directories.private_keys)
    providers = (*pools, *names_of(root.named["dhcp"]))
    yield from check_groups(root.named["groups"], providers, incomplete)
    for connection in root.named["connections"].values():
        yield from check_realms_of(connection, radius, incomplete)
        yield from check_revocation(connection)
        yield from check_credentials_of(connection, directories)
        yield from check_dhcp_of(connection, root.named["dhcp"])
        yield from check_rounds(connection)
        yield from check_groups_of(connection, root.named["groups"], incomplete)
        yield from check_pools_of(connection, providers, incomplete)
        for rule in _CONNECTION_RULES:
            yield from rule(connection, around)
        for child in connection.named["children"].values():
            yield from _child(child, connection)
            yield from check_script(child)


def _listen(listen: Section) -> Found:
    if listen["port"] and listen["port"] == listen["nat_t_port"]:
        yield listen.problem("nat_t_port", f"{listen['port']} is the port of IKE already; they must differ")
    if listen["addresses"] and listen["interfaces"]:
        yield listen.problem("interfaces", "give addresses or interfaces, not both")


def _limits(limits: Section) -> Found:
    if limits["cookie_threshold"] > limits["half_open"]:
        yield limits.problem(
            "cookie_threshold",
            "above half_open: nobody would ever be asked for a cookie; make it smaller",
        )
    if limits["cookie_threshold_ip"] > limits["block_threshold"]:
        yield limits.problem(
            "cookie_threshold_ip",
            "above block_threshold: no source would ever be asked for a cookie; make it smaller",
        )


def _shared_keys(keys: dict[str, Section]) -> Found:
    seen: dict[frozenset[str], Section] = {}
    for key in keys.values():
        if not key.whole("id"):
            continue
        identities = frozenset(str(pattern).lower() for pattern in key["id"])
        first = seen.setdefault(identities, key)
        if first is not key:
            yield key.problem(
                "id",
                f"{'.'.join(first.path)} ({first.where('id')}) is for the same identities; which one is right?",
            )


def _authentication(connection: Section, around: Surroundings) -> Found:
    for side in ("local", "remote"):
        section = connection.tables[side]
        if section["auth"] is AuthKind.PSK and section["certs"]:
            yield section.problem(
                "certs",
                'certificates mean nothing with auth = "psk"; leave them out, or use "pubkey"',
            )
    if connection.tables["remote"]["auth"] is AuthKind.PSK and connection.tables["remote"]["cacerts"]:
        yield connection.tables["remote"].problem(
            "cacerts",
            'authorities mean nothing with auth = "psk"; leave them out',
        )
    keys = around.root.tables["secrets"].named["ike"]
    for side in ("local", "remote"):
        section = connection.tables[side]
        if section["auth"] is AuthKind.PSK and not keys and not around.incomplete:
            yield section.problem(
                "auth",
                "there is no shared key: write [secrets.ike.NAME] with id and secret into a file in secrets.d/",
            )
            break


def _eap(connection: Section, _around: Surroundings) -> Found:
    local, remote = connection.tables["local"], connection.tables["remote"]
    kinds = (local["auth"], remote["auth"])
    all_kinds = (*kinds, connection.tables["local-2"]["auth"], connection.tables["remote-2"]["auth"])
    if set(kinds) == {AuthKind.PSK, AuthKind.EAP}:
        section = local if local["auth"] is AuthKind.PSK else remote
        yield section.problem(
            "auth",
            'who asks for an EAP login proves itself by certificate (RFC 7296 §2.16); write "pubkey"',
        )
    if AuthKind.EAP not in all_kinds:
        for section, name in ((connection, "aaa"), (local, "eap_id")):
            if section[name] is not None:
                yield section.problem(name, 'it means nothing where no side has auth = "eap"; leave it out')
    elif lets_in_by_eap(connection) and local["auth"] is not AuthKind.EAP and connection["aaa"] is None:
        yield connection.problem(
            "aaa",
            'who says whether an EAP login is good? Write aaa = "local", or the name of a RADIUS realm',
        )


def _children(connection: Section, around: Surroundings) -> Found:
    if not connection.named["children"] and connection.whole("children") and not around.incomplete:
        yield connection.problem(
            "children",
            f"no child, so no traffic could flow; write [{'.'.join(connection.path)}.children.NAME] with local_ts",
        )


def _addresses(connection: Section, around: Surroundings) -> Found:
    listening = around.root.tables["listen"]["addresses"]
    networks = connection["local_addrs"]
    if listening and connection.whole("local_addrs") and all(networks):
        flat = [network for given in networks for network in given]
        if not any(address in network for address in listening for network in flat):
            heard = ", ".join(map(str, listening))
            yield connection.problem(
                "local_addrs",
                f"none of these is listened on (listen.addresses: {heard}); nobody could reach it",
            )


def _times(connection: Section, _around: Surroundings) -> Found:
    yield from _early(connection, connection["rekey_time"] or connection["reauth_time"])


def _early(section: Section, renewed: float) -> Found:
    if (
        section.whole("rekey_time", "rand_time")
        and section["rand_time"]
        and 0 < renewed <= section["rand_time"]
    ):
        text = "not below rekey_time: keys would be renewed without end; make it smaller"
        yield section.problem("rand_time", text)


_CONNECTION_RULES: Final[tuple[Callable[[Section, Surroundings], Found], ...]] = (
    _authentication,
    _eap,
    _children,
    _addresses,
    _times,
)


def _child(child: Section, connection: Section) -> Found:
    for rekey, life in (
        ("rekey_time", "life_time"),
        ("rekey_bytes", "life_bytes"),
        ("rekey_packets", "life_packets"),
    ):
        if child.whole(rekey, life) and child[life] and child[life] <= child[rekey]:
            yield child.problem(
                life,
                f"not above {rekey}: it would end before its keys are renewed; make it larger or leave it out",
            )
    yield from _early(child, child["rekey_time"])
    if (
        child["start_action"] is not StartAction.NONE
        and connection.whole("remote_addrs")
        and not _one_host(connection["remote_addrs"])
    ):
        yield child.problem(
            "start_action",
            f"{child['start_action'].value!r} needs somebody to call: give {connection.key('remote_addrs')} exactly one address",
        )
    if child.whole("local_ts", "remote_ts"):
        ours, theirs = _families(child["local_ts"]), _families(child["remote_ts"])
        if ours and theirs and not ours & theirs:
            yield child.problem(
                "remote_ts", "one side has only IPv4, the other only IPv6: no packet could ever match"
            )


def _one_host(given: list[tuple[object, ...]]) -> bool:
    networks = [network for part in given for network in part]
    return len(networks) == 1 and getattr(networks[0], "num_addresses", 0) == 1


def _families(selectors: Iterable[object]) -> set[int]:
    """IP versions of these selectors; none if one is dynamic, which may be either."""
    found = set()
    for selector in selectors:
        if isinstance(selector, Dynamic):
            return set()
        found.add(selector.start.version)  # type: ignore[attr-defined]
    return found
