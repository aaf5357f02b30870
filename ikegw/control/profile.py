"""`ikegwctl profile`: what a person installs to connect, read from the configuration, without a daemon."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from attrs import evolve
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ikegw.auth.certificates import carries
from ikegw.auth.credentials import Credentials
from ikegw.auth.loading import load_configured
from ikegw.auth.own import OwnCertificate
from ikegw.config import Config, ConfigurationError, load
from ikegw.control.first_line import first_line
from ikegw.pki.errors import Refused
from ikegw.pki.files import PRIVATE, PUBLIC, write
from ikegw.policy.connections import Connection
from ikegw.policy.identities import parse_identity
from ikegw.profiles import android, apple, networkmanager, strongswan, windows
from ikegw.profiles.describing import describe
from ikegw.profiles.wanted import NotPossible, Profile, Root, Wanted

CLIENTS: Final[Mapping[str, Callable[[Wanted], Profile]]] = {
    "windows": windows.profile,
    "apple": apple.profile,
    "android": android.profile,
    "strongswan": strongswan.profile,
    "networkmanager": networkmanager.profile,
}
LARGEST_CONTAINER: Final = 1 << 20


def add_profile(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", configuration: Path) -> None:
    """Give `ikegwctl` the command; `configuration` is where it is read from by default."""
    parser = commands.add_parser(
        "profile",
        help="write what a person installs to connect: for Windows, Apple, Android, strongSwan, NetworkManager",
        description="Write a profile that matches a connection: where to call, whom to expect there, its authority, algorithms "
        "and networks. It is read from the configuration; no daemon is asked. See docs/clients.md.",
    )
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("connection", help="its name")
    parser.add_argument("user", help="the person's identity or user name: carol@example.org")
    parser.add_argument(
        "--server", default="", help="where to call, if local.id does not say it: a DNS name or an address"
    )
    parser.add_argument(
        "--p12",
        type=Path,
        metavar="FILE",
        help="the person's key and certificate, to go along (with EAP: EAP-TLS)",
    )
    parser.add_argument(
        "--key", default="rsa", help="kind of that key: rsa, ecdsa256, ecdsa384 (default: %(default)s)"
    )
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="the EAP password stands in its first line and goes along, in the clear (default: the client asks for it)",
    )
    parser.add_argument(
        "--config", type=Path, default=configuration, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(), metavar="DIRECTORY", help="default: the current one"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        config = load(options.config)
        described = describe(
            config,
            options.connection,
            options.user,
            options.server,
            has_certificate=options.p12 is not None,
        )
        wanted = _completed(described, config, options)
        made = CLIENTS[options.client](wanted)
        for file in made.files:
            write(options.output / file.name, file.octets, PRIVATE if file.secret else PUBLIC)
    except ConfigurationError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 1
    except (NotPossible, Refused, OSError) as error:
        print(f"ikegwctl profile: {error}", file=sys.stderr)
        return 1
    for file in made.files:
        print(f"{options.output / file.name}{' (mode 0600)' if file.secret else ''}")
    for step in made.steps:
        print(f"  {step}")
    if wanted.root is None:
        print("  the authority of the gateway's certificate is not in ca/: clients must trust it already")
    return 0


def _completed(wanted: Wanted, config: Config, options: argparse.Namespace) -> Wanted:
    connection = config.connection(options.connection)
    assert connection is not None  # noqa: S101 — it was described
    own = _own(load_configured(config).credentials, connection, wanted)
    return evolve(
        wanted,
        issuer=_issuer(own),
        root=_root(own),
        container=None if options.p12 is None else _container(options.p12),
        key=options.key,
        password=None if options.password_file is None else first_line(options.password_file),
    )


def _own(credentials: Credentials, connection: Connection, wanted: Wanted) -> OwnCertificate:
    """The certificate that the client will see, which must be for the name by which it calls."""
    mine = credentials.own_for(connection.local)
    if not mine:
        raise NotPossible(
            f"there is no certificate with its key for connections.{connection.name}.local: see ikegwctl check, and ikegwctl pki "
            "gateway to make one"
        )
    server = parse_identity(wanted.server)
    for own in mine:
        if carries(own.certificate.names, server):
            return own
    raise NotPossible(
        f"{mine[0].place} is not for {wanted.server}, but for {mine[0].certificate.names_text()}: clients would refuse the "
        "gateway; give --server one of these names, or make another certificate"
    )


def _root(own: OwnCertificate) -> Root | None:
    top = own.chain[-1] if own.chain else own.certificate
    if not top.self_issued:
        return None
    return Root(top.der, top.certificate.public_bytes(Encoding.PEM), len(own.chain) == 1)


def _issuer(own: OwnCertificate) -> str:
    names = own.certificate.certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _container(file: Path) -> bytes:
    octets = file.read_bytes()
    if not octets.startswith(b"\x30") or len(octets) > LARGEST_CONTAINER:
        raise NotPossible(f"{file} is no PKCS#12 file")
    return octets
