"""`ikegwctl pki`: an authority of one's own, in a directory, without a daemon."""

import argparse
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ikegw.control.first_line import first_line
from ikegw.pki.book import REASONS, Entry, Role
from ikegw.pki.directory import ROOT, Pki, create, opened
from ikegw.pki.errors import Refused
from ikegw.pki.keys import KINDS
from ikegw.pki.pkcs12 import Form, require_password

DEFAULT_DIRECTORY: Final = Path("/etc/ikegw-pki")
KEY: Final = "rsa3072"
"""Every client can check it; Apple's refuse ECDSA in profiles."""
ROOT_DAYS: Final = 3650
GATEWAY_DAYS: Final = 820
APPLES_DAYS: Final = 824
"""Apple's systems take no server certificate that is good for longer than 825 days, and ours begin a day ago."""
CLIENT_DAYS: Final = 730
CRL_DAYS: Final = 90
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"


class Does(Protocol):
    """What a command does with an authority that is open."""

    def __call__(self, pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
        """Do it; lines for the operator."""
        ...


def add_pki(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Give `ikegwctl` the command and its own commands."""
    whole = commands.add_parser(
        "pki",
        help="an authority of your own: certificates for gateways and clients, and their revocation",
        description="Make an authority in a directory, and what it issues: a gateway's certificate that Windows, Apple and "
        "Android accept, clients' certificates with .p12 files, CRLs. No daemon is asked. It is best kept on another machine.",
    )
    whole.add_argument("--directory", type=Path, default=DEFAULT_DIRECTORY, help="default: %(default)s")
    whole.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="the passphrase of the authority's keys stands in its first line",
    )
    does = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_authorities(does)
    _add_certificates(does)
    _add_revocation(does)


def _add(
    does: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, run: Does
) -> argparse.ArgumentParser:
    parser = does.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=partial(_with_authority, run))
    return parser


def _add_key(parser: argparse.ArgumentParser, days: int) -> None:
    parser.add_argument("--key", choices=KINDS, default=KEY, help="kind of the key (default: %(default)s)")
    _add_days(parser, days)


def _add_days(parser: argparse.ArgumentParser, days: int) -> None:
    parser.add_argument(
        "--days", type=int, default=days, help="how long it is good for (default: %(default)s)"
    )


def _add_authorities(does: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    init = does.add_parser("init", help="make the authority", description="Make the authority.")
    init.add_argument("name", help="what clients will see: Example VPN CA")
    init.add_argument("--organization", default="", help="stands in every certificate")
    init.add_argument(
        "--crl-url",
        default="",
        metavar="URL",
        help="where the files of crl/ will be fetched: http://pki.example.org/",
    )
    _add_key(init, ROOT_DAYS)
    init.set_defaults(run=_init)
    below = _add(does, "intermediate", "make an authority below it that issues from now on", _intermediate)
    below.add_argument("name", help="Example VPN issuing CA")
    _add_key(below, ROOT_DAYS // 2)


def _add_certificates(does: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    gateway = _add(does, "gateway", "make a gateway's certificate, for certs/ and private/", _gateway)
    gateway.add_argument(
        "names", nargs="+", metavar="name", help="DNS names and addresses by which clients call it"
    )
    client = _add(does, "client", "make a client's certificate and its .p12 file", _client)
    client.add_argument("name", help="the client's identity: carol@example.org")
    for parser, days in ((gateway, GATEWAY_DAYS), (client, CLIENT_DAYS)):
        _add_key(parser, days)
        parser.add_argument("--renew", action="store_true", help="though there is one that still serves")
    again = _add(does, "p12", "write a client's .p12 file again, under another password", _p12)
    again.add_argument("name", help="the client's identity")
    for parser in (client, again):
        parser.add_argument(
            "--password-file",
            type=Path,
            metavar="FILE",
            help="the .p12's password stands in its first line, /dev/stdin is possible (default: one is made up and shown)",
        )
        parser.add_argument(
            "--form",
            choices=[form.value for form in Form],
            default=Form.COMPATIBLE.value,
            help="of the .p12: what everybody imports, or AES-256 and SHA-256 (default: %(default)s)",
        )
    _add(does, "list", "what was issued", _list)


def _add_revocation(does: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    revoke = _add(does, "revoke", "revoke certificates, and write the CRL", _revoke)
    revoke.add_argument("what", help="a name, or a serial number as in the list")
    revoke.add_argument("--reason", choices=REASONS, default="unspecified", help="default: %(default)s")
    crl = _add(does, "crl", "write the CRL anew, before the last one ends", _crl)
    for parser in (revoke, crl):
        _add_days(parser, CRL_DAYS)


# ---------------------------------------------------------------- doing


@contextmanager
def _telling() -> Iterator[list[int]]:
    """Gives a list with the exit status, which is 1 once something was refused."""
    status = [0]
    try:
        yield status
    except (Refused, OSError) as error:
        print(f"ikegwctl pki: {error}", file=sys.stderr)
        status[0] = 1


def _with_authority(does: Does, options: argparse.Namespace) -> int:
    with _telling() as status, opened(options.directory, _passphrase(options)) as pki:
        for line in does(pki, options, datetime.now(UTC)):
            print(line)
    return status[0]


def _init(options: argparse.Namespace) -> int:
    with _telling() as status:
        directory: Path = options.directory
        create(
            directory,
            options.name,
            options.key,
            options.days,
            datetime.now(UTC),
            organization=options.organization,
            crl_url=options.crl_url,
            passphrase=_passphrase(options),
        )
        file = directory / "ca" / f"{ROOT}.pem"
        print(
            f"The authority is made: {file}, for gateways (ca/) and clients. Its fingerprint, to compare by telephone:"
        )
        print(f"  SHA-256 {_fingerprint(file)}")
        print(
            f"Its key is {directory}/authority/{ROOT}.key: who has it can be anybody. Keep a copy where nobody else comes."
        )
    return status[0]


def _intermediate(pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
    entry = pki.add_intermediate(options.name, options.key, options.days, now)
    yield f"{entry.name} issues from now on. Until its certificate ends at {_day(entry)}, or root CRLs are due, take"
    yield f"{pki.directory}/authority/{ROOT}.key to a safe place: only a new intermediate or a CRL of the root needs it."


def _gateway(pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
    entry = pki.gateway(options.names, options.key, options.days, now, renew=options.renew)
    yield f"Issued until {_day(entry)}, serial {entry.serial:x}. The gateway's directories of the same names take"
    yield f"  {pki.directory}/certs/{entry.name}.pem"
    yield f"  {pki.directory}/private/{entry.name}.pem"
    if options.days > APPLES_DAYS:
        yield f"Apple's systems refuse it: they take what --days {APPLES_DAYS} makes, and nothing longer."
    if options.key.startswith("ed"):
        yield "Windows, Apple's and Android's own clients refuse its key: they take RSA or ECDSA."


def _client(pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
    password = _password(options)
    entry = pki.client(options.name, options.key, options.days, now, renew=options.renew)
    yield f"Issued until {_day(entry)}, serial {entry.serial:x}."
    yield from _packed(pki, options, password)


def _p12(pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
    yield from _packed(pki, options, _password(options))


def _packed(pki: Pki, options: argparse.Namespace, password: str) -> Iterator[str]:
    yield f"The client imports {pki.pack(options.name, password, Form(options.form))}"
    if options.password_file is None:
        yield f"  with the password {password} (shown this once; send it another way than the file)"


def _list(pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
    rows = [("name", "for", "issuer", "until", "", "serial")]
    rows += [
        (each.name, each.role.value, each.issuer, _day(each), _state(each, now), f"{each.serial:x}")
        for each in pki.book.entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _state(entry: Entry, now: datetime) -> str:
    if entry.revoked is not None:
        return f"revoked {entry.revoked.moment:%Y-%m-%d} ({entry.revoked.reason})"
    return "" if entry.serves(now) else "expired"


def _revoke(pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
    for entry in pki.revoke(options.what, options.reason, now):
        yield f"Revoked: {entry.name}, {entry.role.value}, serial {entry.serial:x}."
        if entry.role is Role.AUTHORITY:
            yield f"With it everything that {entry.name} has issued."
    yield from _crl(pki, options, now)


def _crl(pki: Pki, options: argparse.Namespace, now: datetime) -> Iterator[str]:
    written, absent = pki.write_crls(options.days, now)
    for file in written:
        yield f"{file} is good for {options.days} days: put it into the gateway's crl/ and reload, or where it is fetched."
    for name in absent:
        yield f"{pki.directory}/crl/{name}.crl is as it was: the key of {name} is not here."


# ---------------------------------------------------------------- small things


def _day(entry: Entry) -> str:
    return f"{entry.end:%Y-%m-%d}"


def _fingerprint(file: Path) -> str:
    return x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(SHA256()).hex(":").upper()


def _passphrase(options: argparse.Namespace) -> bytes | None:
    return None if options.passphrase_file is None else first_line(options.passphrase_file).encode()


def _password(options: argparse.Namespace) -> str:
    """The .p12's: given, or of 95 bits, without letters that look alike."""
    if options.password_file is not None:
        password = first_line(options.password_file)
        require_password(password)
        return password
    letters = [secrets.choice(_ALPHABET) for _ in range(19)]
    return "-".join("".join(letters[start : start + 5]) for start in range(0, 19, 5))
