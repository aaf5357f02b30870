"""Clients with addresses that the gateway lent them: behind one NAT, and with what it takes on their own host."""

import re

import pytest
from attrs import evolve
from plane_harness import UserspaceHarness, between
from pytest_twisted import inlineCallbacks

from ikegw.paths import Endpoint, Path
from ikegw.testing.plane_pair import client_tunnel, suite_named

SUITE = suite_named("aes128gcm16")


class RoadWarriors:
    """The left side is a gateway of 10.1.0.0/24, the right one its clients."""

    make = None

    @pytest.fixture
    def pair(self):
        return self.make()

    @between
    @inlineCallbacks
    def test_two_behind_one_NAT_are_told_apart(self, pair):
        """Seen from the gateway both have the NAT's address, and ports of their own."""
        gateway, clients = pair.sides[0], pair.sides[1].namespace
        clients.run("nft", "add table ip t; add chain ip t in { type filter hook prerouting priority -300; }")
        ends = []
        for number, (port, virtual) in enumerate(((4500, "10.3.0.7"), (4501, "10.3.0.8")), 1):
            clients.run("nft", f"add rule ip t in udp dport {port} counter")
            one, other = client_tunnel(*pair.sides, SUITE, number, virtual)
            outside = Endpoint(one.path.remote.address, port)
            one = evolve(one, path=Path(one.path.local, outside))
            yield pair.planes[0].install(one)
            yield pair.planes[1].install(evolve(other, path=Path(outside, one.path.local)))
            ends.append((one, virtual, pair.open(1, virtual, 7778)))
        server = pair.open(0, str(gateway.inner[0]), 7779)
        for _, virtual, client in ends:
            assert (yield pair.passes(client, server, (str(gateway.inner[0]), 7779)))
            assert (yield pair.passes(server, client, (virtual, 7778)))
        for one, _, _ in ends:
            usage = yield pair.planes[0].usage(one.inbound_spi)
            assert (usage.inbound_packets, usage.outbound_packets) == (1, 1)
        assert (yield pair.heard(0, 0)) == [], "each came from its own port"
        counted = re.findall(r"dport (\d+) counter packets (\d+)", clients.run("nft", "list ruleset"))
        assert counted == [("4500", "1"), ("4501", "1")]

    @between
    @inlineCallbacks
    def test_a_client_sends_from_its_address_and_gives_all_back(self, pair):
        """A program that asks for no source gets the address that was lent; routes and rules are in our own tables."""
        gateway, client = client_tunnel(*pair.sides, SUITE, 1, "10.3.0.7")
        here = pair.sides[1].namespace

        def ways():
            return here.run("ip", "rule") + here.run("ip", "-4", "route", "show", "table", "all")

        before = ways()
        yield pair.planes[0].install(gateway)
        yield pair.planes[1].install(client)
        server, program = pair.open(0, "10.1.0.1", 7779), pair.open(1)
        program.connect(("10.1.0.1", 7779))
        assert program.getsockname()[0] == "10.3.0.7"
        assert (yield pair.passes(program, server, ("10.1.0.1", 7779)))
        assert "10.1.0.0/24 dev ikegw0" in here.run("ip", "route", "show", "table", "45024")
        assert "10.1.0.0/24" not in here.run("ip", "route", "show", "table", "main")
        assert re.search(r"not from all fwmark 0x494b lookup 45024", here.run("ip", "rule"))
        yield pair.planes[1].remove(client.inbound_spi)
        assert ways() == before


@pytest.mark.peers
class TestUserspace(RoadWarriors):
    make = UserspaceHarness
