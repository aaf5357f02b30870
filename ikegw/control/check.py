"""`ikegwctl check`: a configuration and its credentials, judged without a daemon and without touching one.

Problems keep ikegw from starting or a connection from ever working; warnings are for the operator to know.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from attrs import frozen
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikegw.auth.certificates import STRONG_RSA, X509, carries
from ikegw.auth.credentials import Credentials
from ikegw.auth.loading import Loaded, load_configured
from ikegw.config import Config, ConfigurationError, load
from ikegw.config.radius import RadiusTransport
from ikegw.control.timeouts import told_of_timeouts
from ikegw.policy.connections import AuthKind, Connection
from ikegw.policy.demands import PinOf
from ikegw.policy.identities import display

SOON: Final = timedelta(days=30)
EXAMPLE_SECRET: Final = b"replace-me"
"""What the secrets of the shipped example contain."""

_SHORT: Final = f"has an RSA key of less than {STRONG_RSA} bits, which can be broken"


@frozen
class Report:
    """What was found, a line for each thing."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    summary: str = ""


@frozen
class Finding:
    """One thing about the credentials."""

    serious: bool
    text: str


def check(path: Path, now: datetime) -> Report:
    """Read all files of the configuration `path` and judge them as of `now` (with a time zone)."""
    try:
        config = load(path)
    except ConfigurationError as error:
        return Report(tuple(map(str, error.problems)))
    return judge(config, load_configured(config), now)


def judge(config: Config, loaded: Loaded, now: datetime) -> Report:
    """As `check`, for what was read already: the gateway judges so what it is started with."""
    found = [*_findings(config, loaded.credentials, now), *_idle_keys(loaded)]
    problems = [*map(str, loaded.problems), *(finding.text for finding in found if finding.serious)]
    warnings = [finding.text for finding in found if not finding.serious]
    return Report(
        tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(warnings)), _summary(config, loaded.credentials)
    )


def _findings(config: Config, credentials: Credentials, now: datetime) -> Iterator[Finding]:
    for key in config.shared_keys:
        if EXAMPLE_SECRET in key.secret:
            text = f"secrets.ike.{key.name}: the secret of the shipped example, which everybody knows; replace it"
            yield Finding(False, text)
    yield from _revocation_lists(credentials, now)
    yield from _clock(credentials, now)
    yield from _authorities(credentials, now)
    yield from _radius(config, credentials, now)
    yield from (Finding(False, text) for text in told_of_timeouts(config))
    for connection in config.connections:
        if connection.local.kind is AuthKind.PUBKEY:
            yield from _own(connection, credentials, now)
        if connection.remote.kind is AuthKind.PUBKEY:
            yield from _peers(connection, credentials, now)


def _authorities(credentials: Credentials, now: datetime) -> Iterator[Finding]:
    for file, authorities in credentials.authorities.items():
        for each in authorities:
            yield from _validity(f"ca/{file}", each, now, serious=False)
            if each.has_short_key:
                yield Finding(
                    False, f'ca/{file}: {each.title} {_SHORT}; only with remote.weak = ["rsa1024"] it counts'
                )
    for own in credentials.own:
        if own.certificate.has_short_key:
            yield Finding(False, f"{own.place}: {own.certificate.title} {_SHORT}; most peers refuse it")


def _idle_keys(loaded: Loaded) -> Iterator[Finding]:
    """Private keys to which no certificate of ours belongs: forgotten, or the certificate is."""
    ours = {each.certificate.key_hash for each in loaded.credentials.own}
    for key_hash, file in loaded.keys.items():
        if key_hash not in ours:
            text = f"private/{file}: no certificate in certs/ belongs to this key; put it there, or remove the key"
            yield Finding(False, text)


def _radius(config: Config, credentials: Credentials, now: datetime) -> Iterator[Finding]:
    """What RADIUS over TLS needs: a certificate that we have the key of, and somebody to trust."""
    for server in config.radius.servers:
        if server.transport is not RadiusTransport.TLS:
            continue
        key = f"radius.servers.{server.name}"
        own = credentials.own_named((server.certificate,))
        if not own and server.certificate in credentials.certificates:
            text = f"{key}.cert: no key in private/ belongs to certs/{server.certificate}; put it there"
            yield Finding(True, text)
        for each in own:
            yield from _validity(each.place, each.certificate, now, serious=True)
        if not credentials.authorities:
            yield Finding(False, f"{key}: ca/ holds no authority, so the server could not be trusted")


def _clock(credentials: Credentials, now: datetime) -> Iterator[Finding]:
    """Certificates that all are of another time say that it is this host's that is wrong."""
    certificates = [
        first for file in (credentials.authorities, credentials.certificates) for first, *_ in file.values()
    ]
    if certificates and not any(each.valid_at(now) for each in certificates):
        yield Finding(
            False, f"no certificate here is valid now: is this host's clock right? It says {_moment(now)}"
        )


def _revocation_lists(credentials: Credentials, now: datetime) -> Iterator[Finding]:
    """Of each authority, one list that counts is enough."""
    counting = {crl.issuer_der for crl in credentials.crls if crl.fresh_at(now)}
    for crl in credentials.crls:
        if crl.issuer_der not in counting:
            text = f"crl/: the list of {crl.issuer} counts no longer, since {_moment(crl.next_update)}; put the newest there"
            yield Finding(False, text)


def _own(connection: Connection, credentials: Credentials, now: datetime) -> Iterator[Finding]:
    key, local = f"connections.{connection.name}.local", connection.local
    own = credentials.own_for(local)
    for file in local.certificates:
        if file in credentials.certificates and not any(each.file == file for each in own):
            title = credentials.certificates[file][0].title
            yield Finding(
                True, f"{key}.certs: no key in private/ belongs to certs/{file} ({title}); put it there"
            )
    if not own and not local.certificates:
        whose = f"for {display(local.identity)}" if local.identity else "at all"
        text = f"{key}: no certificate with a private key {whose}: put them into certs/ and private/, or nobody can connect"
        yield Finding(False, text)
    for each in own:
        yield from _validity(each.place, each.certificate, now, serious=bool(local.certificates))
        if connection.lets_in_by_eap and not _names_server(each.certificate):
            title = f"{each.place}: {each.certificate.title}"
            text = f"{title} is not for serverAuth (extendedKeyUsage): Windows and Apple's clients refuse it"
            yield Finding(False, text)
        if local.identity is not None and not carries(each.certificate.names, local.identity):
            yield Finding(
                True,
                f"{key}.id: {each.place} is not for {display(local.identity)}, it names {each.certificate.names_text()}; "
                "peers would refuse us",
            )


def _names_server(certificate: X509) -> bool:
    return (
        certificate.purposes is not None
        and ExtendedKeyUsageOID.SERVER_AUTH.dotted_string in certificate.purposes
    )


def _peers(connection: Connection, credentials: Credentials, now: datetime) -> Iterator[Finding]:
    key, remote = f"connections.{connection.name}.remote", connection.remote
    if not remote.pinned and not credentials.authorities:
        yield Finding(False, f"{key}: ca/ holds no authority, so no peer's certificate could be trusted")
    here = {pin for first, *_ in credentials.certificates.values() for pin in first.pins}
    if remote.identity.exact is None and not remote.authorities:
        for pin in remote.demands.pins:
            if pin.of is PinOf.KEY and pin not in here:
                text = f"{key}.pinned: {pin} is a key, which could stand in a certificate with any name"
                yield Finding(
                    True,
                    f"{text}: give {key}.id one identity, name cacerts, or put the certificate into certs/",
                )
    for file in remote.certificates:
        if file in credentials.certificates:
            yield from _validity(f"certs/{file}", credentials.certificates[file][0], now, serious=False)


def _validity(file: str, certificate: X509, now: datetime, serious: bool) -> Iterator[Finding]:
    if now > certificate.end:
        yield Finding(serious, f"{file}: {certificate.title} expired at {_moment(certificate.end)}; renew it")
    elif now < certificate.start:
        yield Finding(
            serious, f"{file}: {certificate.title} is not valid before {_moment(certificate.start)}"
        )
    elif certificate.end - now < SOON:
        yield Finding(
            False, f"{file}: {certificate.title} expires at {_moment(certificate.end)}; renew it in time"
        )


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _summary(config: Config, credentials: Credentials) -> str:
    connections = _count(len(config.connections), "connection", "connections")
    if config.connections:
        connections += f" ({', '.join(connection.name for connection in config.connections)})"
    return ", ".join(
        (
            connections,
            _count(len(config.pools), "pool", "pools"),
            _count(len(config.shared_keys), "shared key", "shared keys"),
            _count(len(credentials.own), "certificate of our own", "certificates of our own"),
            _count(len(credentials.authorities), "authority", "authorities"),
        )
    )


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number or 'no'} {many}"
