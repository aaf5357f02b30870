"""DNS servers that were lent to us: what resolvectl and resolvconf are told, recorded by programs of those names."""

import os
from ipaddress import ip_address
from pathlib import Path

import pytest
from attrs import evolve
from programs import program
from pytest_twisted import ensureDeferred
from test_updown import LEFT, RIGHT
from twisted.internet import reactor

from ikegw.config.resolver import ResolverKind
from ikegw.dataplane.memory import MemoryPlane
from ikegw.ports import NameServers
from ikegw.programs.naming import NamingPlane
from ikegw.programs.resolvers import Resolvconf, Resolved, find, usable
from ikegw.testing.plane_pair import suite_named, tunnel


def names(*servers, domains=()):
    return NameServers(tuple(map(ip_address, servers)), domains)


class Host:
    """A host with some programs, which write down what they were told."""

    def __init__(self, directory, *programs, ending="exit 0"):
        self.directory, self.log = directory, directory / "log"
        (directory / "bin").mkdir(exist_ok=True)
        for name in programs:
            lines = (f'echo "{name} $*" >> {self.log}', f"[ -t 0 ] || cat >> {self.log}", ending)
            program(directory / "bin", *lines, name=name)
        model = MemoryPlane(reactor, os.urandom)
        model.device = "ikegw0"
        self.plane = NamingPlane(model, reactor, self.found())
        self.plane.start(lambda event: None)

    def found(self, kind=ResolverKind.AUTO):
        def which(name):
            return str(path) if (path := self.directory / "bin" / name).exists() else None

        return find(kind, "ikegw%d", which, self.directory / "resolved")

    def tunnel(self, number, lent):
        one, _ = tunnel(LEFT, RIGHT, suite_named("aes128gcm16"), number)
        return evolve(one, names=lent)

    async def told(self):
        """What the programs were told since the last time."""
        await self.plane._turns.idle()
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def resolved(tmp_path):
    (tmp_path / "resolved").mkdir()
    return Host(tmp_path, "resolvectl")


@pytest.fixture
def resolvconf(tmp_path):
    return Host(tmp_path, "resolvconf")


CORP = names("10.1.0.53", "fd00:1::53", domains=("corp.example.org", "lab.example"))


@ensureDeferred
async def test_systemd_resolved_asks_about_the_gateways_domains_alone(resolved):
    one = resolved.tunnel(1, CORP)
    await resolved.plane.install(one)
    assert await resolved.told() == [
        "resolvectl dns ikegw0 10.1.0.53 fd00:1::53",
        "resolvectl domain ikegw0 ~corp.example.org ~lab.example",
    ]
    await resolved.plane.remove(one.inbound_spi)
    assert await resolved.told() == ["resolvectl revert ikegw0"]


@ensureDeferred
async def test_without_domains_every_name_is_asked_through_the_tunnel(resolved):
    await resolved.plane.install(resolved.tunnel(1, names("10.1.0.53")))
    assert (await resolved.told())[1] == "resolvectl domain ikegw0 ~."


@ensureDeferred
async def test_resolvconf_is_given_what_it_takes(resolvconf):
    resolvconf.plane.clean()
    assert await resolvconf.told() == ["resolvconf -d tun.ikegw"]
    one = resolvconf.tunnel(1, CORP)
    await resolvconf.plane.install(one)
    assert await resolvconf.told() == [
        "resolvconf -a tun.ikegw",
        "nameserver 10.1.0.53",
        "nameserver fd00:1::53",
        "search corp.example.org lab.example",
    ]
    await resolvconf.plane.finish()
    assert await resolvconf.told() == ["resolvconf -d tun.ikegw"]


@ensureDeferred
async def test_nothing_changes_while_keys_are_renewed_or_the_peer_is_called_anew(resolved):
    one, two = resolved.tunnel(1, CORP), resolved.tunnel(2, CORP)
    await resolved.plane.install(one)
    await resolved.told()
    await resolved.plane.install(two)
    await resolved.plane.remove(one.inbound_spi)
    assert await resolved.told() == []
    await resolved.plane.remove(two.inbound_spi, 0.0)
    assert await resolved.told() == ["resolvectl revert ikegw0"]


@ensureDeferred
async def test_two_gateways_servers_are_used_together(resolved):
    await resolved.plane.install(resolved.tunnel(1, CORP))
    await resolved.told()
    other = resolved.tunnel(2, names("10.9.0.53", domains=("other.example",)))
    await resolved.plane.install(other)
    assert await resolved.told() == [
        "resolvectl dns ikegw0 10.1.0.53 fd00:1::53 10.9.0.53",
        "resolvectl domain ikegw0 ~corp.example.org ~lab.example ~other.example",
    ]
    await resolved.plane.remove(other.inbound_spi)
    assert (await resolved.told())[0] == "resolvectl dns ikegw0 10.1.0.53 fd00:1::53"
    await resolved.plane.install(resolved.tunnel(3, names("10.9.0.53")))
    assert (await resolved.told())[1] == "resolvectl domain ikegw0 ~."


@ensureDeferred
async def test_a_tunnel_without_servers_and_a_host_without_resolver_change_nothing(tmp_path):
    host = Host(tmp_path)
    await host.plane.install(host.tunnel(1, CORP))
    await host.plane.install(host.tunnel(2, None))
    await host.plane.remove(host.tunnel(1, CORP).inbound_spi)
    await host.plane.finish()
    assert await host.told() == []


@ensureDeferred
async def test_another_resolver_by_a_reload_takes_over(resolved):
    await resolved.plane.install(resolved.tunnel(1, CORP))
    await resolved.told()
    resolved.plane.configure(resolved.found(ResolverKind.NONE))
    assert await resolved.told() == ["resolvectl revert ikegw0"]
    resolved.plane.configure(resolved.found())
    resolved.plane.configure(resolved.found())
    assert len(await resolved.told()) == 2


@ensureDeferred
async def test_a_resolver_that_says_no_is_told_in_the_log_and_keeps_nobody(tmp_path):
    host = Host(tmp_path, "resolvconf", ending="exit 1")
    await host.plane.install(host.tunnel(1, CORP))
    await host.plane.finish()
    assert (await host.told())[-1] == "resolvconf -d tun.ikegw"


def test_who_is_told(tmp_path):
    host = Host(tmp_path, "resolvectl", "resolvconf")
    assert isinstance(host.found(), Resolvconf)
    assert isinstance(host.found(ResolverKind.RESOLVED), Resolved)
    (tmp_path / "resolved").mkdir()
    assert isinstance(host.found(), Resolved)
    assert isinstance(host.found(ResolverKind.RESOLVCONF), Resolvconf)
    assert host.found(ResolverKind.NONE) is None
    (Path(host.found().program)).unlink()
    assert host.found(ResolverKind.RESOLVED) is None


@pytest.mark.parametrize(
    "domain", ["-rf", "a b", "a\nnameserver 6.6.6.6", "~.", "", "x" * 300, "é.example", "a;b"]
)
def test_what_is_no_domain_is_told_to_nobody(domain):
    assert usable((domain, "corp.example")) == ("corp.example",)
    assert usable(("corp.example.", "_tcp.example", "a")) == ("corp.example.", "_tcp.example", "a")
