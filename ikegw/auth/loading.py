"""Credentials out of directories: `certs/`, `ca/`, `crl/`, `private/`, every problem told at once with its file's name.

A file is PEM or DER, by its content. PEM in `certs/` may hold a chain, the end entity first; in `ca/` any number of authorities.
Private keys are PKCS#8, PKCS#1 or SEC1. Hidden files, `README*` and backups (`*~`) are left alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from ikegw.auth.certificates import X509, BadCertificate, key_hash, read
from ikegw.auth.credentials import Credentials
from ikegw.auth.crls import BadCrl, Crl
from ikegw.auth.own import PrivateKey
from ikegw.auth.shared_keys import SharedKey
from ikegw.policy.authorities import AuthoritySources
from ikegw.policy.identities import IdentityPattern

PEM_MARK = b"-----BEGIN "
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
    """What could be loaded, and every problem with the rest."""

    credentials: Credentials
    problems: tuple[Problem, ...]


def load_credentials(
    certs_directory: Path | None = None,
    ca_directory: Path | None = None,
    private_directory: Path | None = None,
    shared_keys: Iterable[tuple[tuple[IdentityPattern, ...], bytes]] = (),
    crl_directory: Path | None = None,
    sources: Mapping[str, AuthoritySources] = MappingProxyType({}),
) -> Loaded:
    """Read the directories; one that does not exist is empty. Raises nothing for what it finds there."""
    problems: list[Problem] = []
    certificates = dict(_load(certs_directory, _certificates, problems))
    authorities = dict(_load(ca_directory, _authorities, problems))
    keys = [key for _, key in _load(private_directory, _private_key, problems, secret=True)]
    crls = tuple(crl for _, crl in _load(crl_directory, Crl.parse, problems, largest=LARGEST_LIST))
    credentials = Credentials(
        tuple(SharedKey(patterns, secret) for patterns, secret in shared_keys),
        certificates,
        authorities,
        {_hash_of(key): key for key in keys},
        crls,
        sources,
    )
    return Loaded(credentials, tuple(problems))


class _UnusableFile(Exception):
    """Why; the text never quotes the file."""


T = TypeVar("T")


def _load(
    directory: Path | None,
    read: Callable[[bytes], T],
    problems: list[Problem],
    secret: bool = False,
    largest: int = LARGEST_FILE,
) -> Iterator[tuple[str, T]]:
    for file in _files(directory, problems):
        try:
            if secret and file.stat().st_mode & READABLE_BY_ALL:
                raise _UnusableFile("everybody on this host can read it: chmod 0600")
            if file.stat().st_size > largest:
                raise _UnusableFile("too large to be what belongs here")
            yield file.name, read(file.read_bytes())
        except OSError as error:
            problems.append(Problem(file, f"cannot be read: {error.strerror}"))
        except (_UnusableFile, BadCertificate, BadCrl) as error:
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


def _private_key(octets: bytes) -> PrivateKey:
    load = load_pem_private_key if PEM_MARK in octets else load_der_private_key
    try:
        key = load(octets, password=None)
    except TypeError:
        raise _UnusableFile("the private key is encrypted; store it without a passphrase") from None
    except (
        ValueError,
        UnsupportedAlgorithm,
        InternalError,
    ):  # the last for a key of another length than its kind's
        raise _UnusableFile(
            "not a private key that can be read (PKCS#8, PKCS#1 or SEC1 in PEM or DER)"
        ) from None
    if not isinstance(
        key,
        rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey,
    ):
        raise _UnusableFile(
            "a private key of a kind that cannot sign here; usable are RSA, ECDSA, Ed25519 and Ed448"
        )
    return key


def _hash_of(key: PrivateKey) -> bytes:
    return key_hash(key.public_key())
