"""The sections of downloads and authorities: made into settings, and what their values must be to each other."""

from collections.abc import Iterator
from pathlib import Path

from ikegw.config.downloads import Authority, DownloadSettings
from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.config.settings import Directories
from ikegw.policy.authorities import AuthoritySources
from ikegw.policy.connections import AuthKind


def build_downloads(downloads: Section, state: Path) -> DownloadSettings:
    """The settings; the section must be whole. `state` is the directory of all that is kept."""
    return DownloadSettings(
        downloads["max_size"],
        downloads["timeout"],
        downloads["redirects"],
        downloads["at_once"],
        downloads["per_host"],
        downloads["retry_time"],
        tuple(downloads["networks"]),
        downloads["directory"] or state / "crls",
        downloads["refresh_time"],
        downloads["proxy"],
    )


def build_authority(authority: Section) -> Authority:
    """The settings of one; the section must be whole."""
    sources = AuthoritySources(
        tuple(authority["crl_uris"]), tuple(authority["ocsp_uris"]), authority["cert_uri_base"] or ""
    )
    return Authority(authority.path[-1], authority["cacert"], sources)


def check_authorities(authorities: dict[str, Section], directories: Directories) -> Iterator[Problem]:
    """Each has its file, and each file is of one."""
    places = (directories.authorities, directories.certificates)
    seen: dict[str, Section] = {}
    for authority in authorities.values():
        if not authority.whole("cacert"):
            continue
        file = authority["cacert"]
        first = seen.setdefault(file, authority)
        if first is not authority:
            where = f"{'.'.join(first.path)} ({first.where('cacert')})"
            yield authority.problem("cacert", f"{where} is for the same file; put both into one")
        elif not any((place / file).is_file() for place in places):
            text = f"there is no file {places[0] / file}; put it there, or correct the name"
            yield authority.problem("cacert", text)


def check_revocation(connection: Section) -> Iterator[Problem]:
    """What is asked of certificates means nothing where the peer has none."""
    remote = connection.tables["remote"]
    if remote["auth"] is AuthKind.PSK:
        for name in ("revocation", "hash_and_url"):
            if name in remote.places:
                yield remote.problem(name, 'certificates mean nothing with auth = "psk"; leave it out')
