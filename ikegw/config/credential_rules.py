"""Files of certificates and keys that the configuration names: each is there, and means something where it stands."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.config.settings import Directories
from ikegw.policy.connections import AuthKind

Found = Iterator[Problem]


def check_files(section: Section, name: str, where: Callable[[str], Path]) -> Found:
    """Each file that the key names, one or a list of them, is `where` it belongs."""
    if not section.whole(name) or section[name] is None:
        return
    files = section[name] if isinstance(section[name], list) else [section[name]]
    places = section.items.get(name) or [section.where(name)] * len(files)
    for file, place in zip(files, places, strict=False):
        if not where(file).is_file():
            yield section.problem(
                name, f"there is no file {where(file)}; put it there, or correct the name", place
            )


def check_credentials_of(connection: Section, directories: Directories) -> Found:
    """The files of both sides, and that nothing is asked of a certificate which is never shown."""
    remote = connection.tables["remote"]
    for local in (connection.tables["local"], connection.tables["local-2"]):
        if local["auth"] is not AuthKind.PSK:
            yield from check_files(local, "certs", directories.own_certificate)
    if remote["auth"] is not AuthKind.PSK:
        yield from check_files(remote, "certs", directories.certificates.joinpath)
        yield from check_files(remote, "cacerts", directories.authorities.joinpath)
    if remote["auth"] is AuthKind.PUBKEY:
        return
    for name in ("pinned", "cert_policy", "weak"):
        if name in remote.places:
            text = f'certificates of IKE mean nothing with auth = "{remote["auth"].value}"; leave it out'
            yield remote.problem(name, text)


def check_passphrases(passphrases: dict[str, Section], directory: Path) -> Found:
    """Each has its file in `directory`, and each file has one."""
    seen: dict[str, Section] = {}
    for section in passphrases.values():
        yield from check_files(section, "file", directory.joinpath)
        if not section.whole("file"):
            continue
        first = seen.setdefault(section["file"], section)
        if first is not section:
            where = f"{'.'.join(first.path)} ({first.where('file')})"
            yield section.problem("file", f"{where} is for the same file; which one is right?")
