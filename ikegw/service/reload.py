"""Taking over a changed configuration while running: all of it or nothing, and only what changed is touched."""

from collections.abc import Iterator

from twisted.logger import Logger
from twisted.python.failure import Failure

from ikegw.auth.credentials import Credentials
from ikegw.config import Changes, changes
from ikegw.radius.dynamic_listener import CannotHear
from ikegw.service.assembly import (
    Assembled,
    accounting_realms,
    gate_limits,
    journal_settings,
    refresh_of,
    resolver_of,
    station,
)
from ikegw.service.preparation import Prepared

_LOG = Logger(namespace="ikegw")


def take_over(assembled: Assembled, prepared: Prepared) -> tuple[str, ...]:
    """Change what runs into what `prepared` says; give the lines that tell what was done.

    IKE SAs of connections that did not change stay, unless their peers are not authentic by the new credentials.
    """
    new = prepared.config
    found = changes(assembled.prepared.config, new)
    other_files = _files(prepared.credentials) != _files(assembled.prepared.credentials)
    assembled.authenticator.credentials = prepared.credentials
    assembled.eap.reload(prepared)
    assembled.downloads.settings = new.downloads
    assembled.authenticator.refresh = refresh_of(new)
    assembled.kept_lists.shelf.directory = new.downloads.directory
    assembled.addresses.config = new
    if found.pools or {"lending", "dhcp"}.intersection(found.applied):
        assembled.addresses.reload(new, prepared.pools).addErrback(_not_done)
    assembled.addresses.hear(assembled.plane.plane.device)
    assembled.capturing.configure(new.capture)
    if "limits" in found.applied:
        assembled.admission.limits = gate_limits(new.limits)
    if "logging" in found.applied:
        assembled.journal.configure(*journal_settings(new.logging))
    if "radius" in found.applied:
        assembled.radius.reload(new.radius)
        ours = station(new)
        assembled.logins.station = assembled.accounting.station = assembled.coa.authorization.station = ours
    assembled.naming.configure(resolver_of(new))
    if "shunts" in found.applied:
        assembled.shunting.configure(new.shunts).addErrback(_not_done)
    if found.connections or found.reordered:
        assembled.gateway.reload(new.connections)
    if other_files or "authorities" in found.applied:
        assembled.gateway.credentials_changed()
    assembled.accounting.configure(new.accounting, accounting_realms(new))
    assembled.prepared = prepared
    lines = [*_told(found, other_files), *_hear_others(assembled, found)]
    return tuple(lines) or ("reloaded: nothing changed",)


def _not_done(failure: Failure) -> None:
    _LOG.error("{why}", why=failure.getErrorMessage())


def _hear_others(assembled: Assembled, found: Changes) -> Iterator[str]:
    if "coa" in found.applied:
        try:
            assembled.coa.configure(assembled.prepared.config.coa)
        except CannotHear as error:
            yield f"not reloaded: {error}"


def _files(credentials: Credentials) -> tuple[object, ...]:
    """Give what the credential directories hold, in a form that compares; shared keys are the configuration's."""
    return (
        {
            name: [each.der for each in certificates]
            for name, certificates in credentials.certificates.items()
        },
        {name: [each.der for each in certificates] for name, certificates in credentials.authorities.items()},
        credentials.private_keys.keys(),
        [crl.der for crl in credentials.crls],
    )


def _told(found: Changes, other_files: bool) -> Iterator[str]:
    for what, difference in (
        ("connection", found.connections),
        ("pool", found.pools),
        ("shared key", found.shared_keys),
    ):
        for verb in ("added", "removed", "changed"):
            names = getattr(difference, verb)
            if names:
                yield f"reloaded: {what}{'s' if len(names) > 1 else ''} {verb}: {', '.join(names)}"
    if found.reordered:
        yield "reloaded: connections stand in another order"
    if other_files:
        yield "reloaded: certificates, authorities, revocation lists or private keys changed"
    for name in found.applied:
        yield f"reloaded: {name} changed"
    for name in found.restart:
        yield f"not reloaded: {name} changed, which takes effect when ikegw is started anew"
