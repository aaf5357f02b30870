"""Credentials out of directories: `certs/`, `ca/`, `crl/`, `private/`, every problem told at once with its file's name.

A file is PEM or DER, by its content. PEM in `certs/` may hold a chain, the end entity first; in `ca/` any number of authorities.
What `private/` may hold: `private_files`. Hidden files, `README*` and backups (`*~`) are left alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from attrs import field, frozen
from cryptography import x509

from ikegw.auth.certificates import X509, BadCertificate, key_hash, read
from ikegw.auth.credentials import Credentials
from ikegw.auth.crls import BadCrl, Crl
from ikegw.auth.private_files import PEM_MARK, BadPrivateFile, PrivateFile, read_private
from ikegw.auth.shared_keys import SharedKey
from ikegw.config import Config
from ikegw.policy.authorities import AuthoritySources
from ikegw.policy.identities import IdentityPattern

LARGEST_FILE = 1 << 20
LARGEST_LIST = 64 << 20
READABLE_BY_ALL = 0o004


@frozen
class Problem:
    """What is wrong with one file."""

    file: Path
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


@frozen
class Loaded:
    """What could be loaded, and every problem with the rest. `keys`: by its hash, in which file of `private/` a key was."""

    credentials: Credentials
    problems: tuple[Problem, ...]
    keys: Mapping[bytes, str] = field(factory=dict)


def load_configured(config: Config) -> Loaded:
    """Everything that a configuration names and that lies beside it; raises nothing for what it finds there."""
    directories = config.directories
    return load_credentials(
        directories.certificates,
        directories.authorities,
        directories.private_keys,
        [(key.identities, key.secret) for key in config.shared_keys],
        directories.crls,
        {each.file: each.sources for each in config.authorities},
        {each.file: each.secret for each in config.passphrases},
    )


def load_credentials(
    certs_directory: Path | None = None,
    ca_directory: Path | None = None,
    private_directory: Path | None = None,
    shared_keys: Iterable[tuple[tuple[IdentityPattern, ...], bytes]] = (),
    crl_directory: Path | None = None,
    sources: Mapping[str, AuthoritySources] = MappingProxyType({}),
    passphrases: Mapping[str, bytes] = MappingProxyType({}),
) -> Loaded:
    """Read the directories; one that does not exist is empty. Raises nothing for what it finds there."""
    problems: list[Problem] = []
    certificates = dict(_load(certs_directory, lambda _, octets: _certificates(octets), problems))
    authorities = dict(_load(ca_directory, lambda _, octets: _authorities(octets), problems))

    def open_private(name: str, octets: bytes) -> PrivateFile:
        return read_private(name, octets, passphrases.get(name))

    private = dict(_load(private_directory, open_private, problems, secret=True))
    crls = _load(crl_directory, lambda _, octets: Crl.parse(octets), problems, largest=LARGEST_LIST)
    for name, file in private.items():
        if file.certificates and certificates.setdefault(name, file.certificates) is not file.certificates:
            text = f"certs/ has a file {name} too; rename one of them, since a connection could mean either"
            problems.append(Problem((private_directory or Path()) / name, text))
    credentials = Credentials(
        tuple(SharedKey(patterns, secret) for patterns, secret in shared_keys),
        certificates,
        authorities,
        {_hash_of(file): file.key for file in private.values()},
        tuple(crl for _, crl in crls),
        sources,
    )
    return Loaded(credentials, tuple(problems), {_hash_of(file): name for name, file in private.items()})


T = TypeVar("T")


def _load(
    directory: Path | None,
    read: Callable[[str, bytes], T],
    problems: list[Problem],
    secret: bool = False,
    largest: int = LARGEST_FILE,
) -> Iterator[tuple[str, T]]:
    for file in _files(directory, problems):
        try:
            if secret and file.stat().st_mode & READABLE_BY_ALL:
                raise BadPrivateFile("everybody on this host can read it: chmod 0600")
            if file.stat().st_size > largest:
                raise BadPrivateFile("too large to be what belongs here")
            yield file.name, read(file.name, file.read_bytes())
        except OSError as error:
            problems.append(Problem(file, f"cannot be read: {error.strerror}"))
        except (BadPrivateFile, BadCertificate, BadCrl) as error:
            problems.append(Problem(file, str(error)))


def _files(directory: Path | None, problems: list[Problem]) -> list[Path]:
    if directory is None:
        return []
    try:
        names = sorted(directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(Problem(directory, f"cannot be listed: {error.strerror}"))
        return []
    return [
        file
        for file in names
        if not file.name.startswith((".", "README")) and not file.name.endswith("~") and not file.is_dir()
    ]


def _certificates(octets: bytes) -> tuple[X509, ...]:
    if PEM_MARK not in octets:
        return (X509.parse(octets),)
    return read(lambda: x509.load_pem_x509_certificates(octets))


def _authorities(octets: bytes) -> tuple[X509, ...]:
    authorities = _certificates(octets)
    for authority in authorities:
        if not authority.is_authority:
            raise BadCertificate(
                f"{authority.title} is no authority (basicConstraints); a peer's belongs into certs/"
            )
    return authorities


def _hash_of(file: PrivateFile) -> bytes:
    return key_hash(file.key.public_key())
