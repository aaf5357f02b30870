"""What the values of EAP must be to each other, and what logins need that connections speak of."""

from collections.abc import Iterator
from typing import Final

from ikegw.config.credential_rules import check_files
from ikegw.config.eap import LOCAL
from ikegw.config.eap_building import names_of
from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.config.rounds_rules import lets_in_by_eap
from ikegw.config.settings import Directories
from ikegw.policy.connections import AuthKind, EapMethod

_TUNNELLED: Final = frozenset((EapMethod.TTLS_MSCHAPV2, EapMethod.TTLS_PAP))
_SUFFIX: Final = "write [secrets.eap.NAME] with id and secret into a file in secrets.d/"

Found = Iterator[Problem]


def check_eap(root: Section, directories: Directories, incomplete: bool) -> Found:
    """Every problem of `[eap]`, `[secrets.eap]` and the connections that use them."""
    eap, secrets = root.tables["eap"], root.tables["secrets"].named["eap"]
    connections = root.named["connections"].values()
    yield from _secrets(secrets)
    yield from _authenticator(eap, directories)
    used = [each for each in connections if each["aaa"] == LOCAL and lets_in_by_eap(each)]
    if (
        used
        and eap.whole("methods")
        and EapMethod.TLS not in eap["methods"]
        and not secrets
        and not incomplete
    ):
        yield used[0].problem("aaa", f'there is no user whom "local" could let in; {_SUFFIX}')
    if not incomplete:
        known = {name for secret in secrets.values() if secret.whole("id") for name in names_of(secret)}
        for connection in connections:
            yield from _own_login(connection.tables["local"], known)
            yield from _own_login(connection.tables["local-2"], known)


def _secrets(secrets: dict[str, Section]) -> Found:
    owners: dict[str, Section] = {}
    for section in secrets.values():
        if section.whole("secret") and not _is_text(section["secret"]):
            yield section.problem("secret", "a password is text in UTF-8, which these octets are not")
        if not section.whole("id"):
            continue
        for name in names_of(section):
            first = owners.setdefault(name, section)
            if first is not section:
                where = f"{'.'.join(first.path)} ({first.where('id')})"
                yield section.problem("id", f"{where} is for {name!r} too; which one is right?")


def _is_text(secret: bytes) -> bool:
    try:
        secret.decode()
    except UnicodeDecodeError:
        return False
    return True


def _authenticator(eap: Section, directories: Directories) -> Found:
    if not eap.whole("methods", "certs", "cacerts"):
        return
    tunnelled = ", ".join(method.value for method in eap["methods"] if method in _TUNNELLED)
    if tunnelled:
        yield eap.problem(
            "methods",
            f"{tunnelled} is a method that we only log in with; to let clients in with it, use a RADIUS server",
        )
    if not eap["methods"]:
        yield eap.problem("methods", 'without a method nobody could log in; write ["mschapv2"]')
    for name, directory in (("certs", directories.certificates), ("cacerts", directories.authorities)):
        if EapMethod.TLS in eap["methods"] and not eap[name]:
            yield eap.problem(name, f'the method "tls" needs it: name a file in {directory}')
    yield from check_files(eap, "certs", directories.own_certificate)
    yield from check_files(eap, "cacerts", directories.authorities.joinpath)


def _own_login(local: Section, known: set[str]) -> Found:
    if local["auth"] is not AuthKind.EAP or not local.whole("id", "eap_id", "eap_methods", "certs"):
        return
    if local["id"] is None and local["eap_id"] is None:
        yield local.problem("eap_id", "as whom do we log in? Give eap_id, or id")
    elif local["eap_id"] is not None and not _is_known(local["eap_id"], known) and not local["certs"]:
        yield local.problem(
            "eap_id",
            f"there is neither a password for {local['eap_id']!r} nor a certificate; {_SUFFIX}",
        )


def _is_known(name: str, known: set[str]) -> bool:
    return name in known or name.rpartition("\\")[2] in known
