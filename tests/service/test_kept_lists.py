"""A gateway that starts anew knows the CRLs that it had downloaded."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_twisted
from gateway_and_client import GATEWAY

from ikegw.auth.certificates import X509
from ikegw.auth.crls import Crl
from ikegw.testing.pki import Authority, Period

Story = Generator[Any, Any, None]


@pytest_twisted.inlineCallbacks
def test_what_was_downloaded_is_there_after_a_restart_if_it_still_counts(
    place: Callable[[str, str], Any], log: Any
) -> Story:
    now = datetime.now(UTC)
    root, old = (Authority.root(name, "ecdsa256", Period.around(now)) for name in ("Root", "Old"))
    issuer, old_issuer = X509.of(root.certificate), X509.of(old.certificate)
    gateway = place("gateway", "127.0.0.1")
    gateway.write(GATEWAY)
    first = gateway.make()
    ready = log.line("ready: ")
    first.startService()
    yield ready
    lists = first.assembled.kept_lists
    lists.archive.put_crl(Crl.parse(root.crl(number=7)), issuer, now)
    lists.archive.put_crl(Crl.parse(old.crl(period=old.period.past())), old_issuer, now)
    yield first.stopService()
    yield lists.shelf.put("rubbish", b"rubbish")
    assert len(list((gateway.directory / "crls").iterdir())) == 3

    second = gateway.make()
    ready = log.line("ready: ")
    second.startService()
    yield ready
    archive = second.assembled.kept_lists.archive
    (kept,) = archive.crls(issuer)
    assert kept.crl.number == 7
    assert abs(kept.obtained - now) < timedelta(minutes=1)
    assert not archive.crls(old_issuer)
    assert len(list((gateway.directory / "crls").iterdir())) == 1
