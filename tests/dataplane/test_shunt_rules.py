"""Shunts as the kernel's routing understands them: asked of it in a namespace of its own, where there is a LAN and a tunnel."""

import os
import subprocess
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest

from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.routing import Routing
from ikegw.dataplane.rtnetlink import Netlink
from ikegw.dataplane.shunts import Shunts, check_shunt
from ikegw.policy.selectors import from_network, parse_selector
from ikegw.policy.shunts import Fate, Shunt
from ikegw.ports import DataPlaneError
from ikegw.testing.plane_pair import Namespace

ANY = ("0.0.0.0/0", "::/0")


def shunt(fate, *far, near=ANY, name="one"):
    return Shunt(name, fate, tuple(map(parse_selector, near)), tuple(map(parse_selector, far)))


class Town:
    """192.0.2.0/24 is the LAN, the default route leaves by it, and a tunnel takes all but what main knows better."""

    def __init__(self, name):
        self.namespace = Namespace(name)
        subprocess.run(["ip", "netns", "add", name], check=True)
        lines = (
            "link add lan type veth peer name far",
            "link add tun type veth peer name far2",
            *(f"link set {device} up" for device in ("lo", "lan", "far", "tun", "far2")),
            "addr add 192.0.2.1/24 dev lan",
            "addr add 2001:db8::1/64 dev lan nodad",
            "route add default via 192.0.2.254",
            "route add ::/0 via 2001:db8::fe",
        )
        subprocess.run(
            ["ip", "-n", name, "-batch", "-"], check=True, text=True, input="\n".join(lines) + "\n"
        )
        with self.namespace.inside():
            self.netlink = Netlink()
        self.index = int(self.namespace.run("cat", "/sys/class/net/tun/ifindex"))
        self.routing = Routing(self.netlink, self.index)

    def tunnel(self, *networks):
        remote = [Selector.like(from_network(ip_network(one))) for one in networks]
        local = [Selector.like(from_network(ip_network(one))) for one in ANY]
        return self.routing.lead(local, remote)

    def way(self, to, *more):
        """Where a packet goes: the device, or the kernel's refusal."""
        done = subprocess.run(
            self.namespace.command("ip", "route", "get", to, *more),
            check=False,
            text=True,
            capture_output=True,
        )
        words = done.stdout.split()
        return words[words.index("dev") + 1] if done.returncode == 0 else done.stderr.split(": ")[-1].strip()

    def rules(self):
        return self.namespace.run("ip", "rule") + self.namespace.run("ip", "-6", "rule")

    def close(self):
        self.netlink.close()
        subprocess.run(["ip", "netns", "del", self.namespace.name], check=True)


@pytest.fixture
def town():
    made = Town(f"sh{os.getpid()}")
    before = made.rules()
    try:
        yield made
        made.routing.clear()
        assert made.rules() == before
    finally:
        made.close()


DENIED = "Permission denied"


@pytest.mark.peers
class TestRouting:
    def test_nothing_of_the_main_table_saves_a_packet_from_being_dropped(self, town):
        town.routing.shunts.lay(shunt(Fate.DROP, *ANY))
        for to in ("192.0.2.9", "198.51.100.1", "2001:db8::9", "2001:db8:5::1"):
            assert town.way(to) == DENIED
        assert town.way("192.0.2.1") == "lo"
        town.tunnel(*ANY, "10.1.0.0/16")
        assert (town.way("198.51.100.1"), town.way("2001:db8:5::1")) == ("tun", "tun")
        assert town.way("192.0.2.9") == "tun"
        town.routing.shunts.lay(shunt(Fate.PASS, "192.0.2.0/24", "2001:db8::/64", name="lan"))
        assert (town.way("192.0.2.9"), town.way("2001:db8::9"), town.way("10.1.0.1")) == ("lan", "lan", "tun")

    def test_what_the_gateway_itself_sends_to_its_peers_is_never_dropped(self, town):
        town.routing.shunts.lay(shunt(Fate.DROP, *ANY))
        assert town.way("198.51.100.1", "mark", "0x494b") == "lan"

    def test_tunnels_that_come_after_a_drop_and_go_again_are_heeded(self, town):
        town.routing.shunts.lay(shunt(Fate.DROP, "10.0.0.0/8"))
        town.routing.shunts.lay(shunt(Fate.DROP, "10.0.0.0/9", name="two"))
        lead = town.tunnel("10.1.0.0/16")
        assert (town.way("10.1.0.1"), town.way("10.2.0.1")) == ("tun", DENIED)
        town.routing.shunts.lift("two")
        assert (town.way("10.1.0.1"), town.way("10.2.0.1")) == ("tun", DENIED)
        lead.undo()
        assert town.way("10.1.0.1") == DENIED
        town.routing.shunts.lift("one")
        assert town.way("10.1.0.1") == "lan"

    def test_a_packet_whose_source_is_left_open_is_dropped_with_those_of_any_source(self, town):
        town.routing.shunts.lay(
            shunt(Fate.DROP, "10.2.0.0/16", "fd00:2::/32", near=("192.0.2.1", "2001:db8::1"))
        )
        for to, source in (("10.2.0.1", "192.0.2.1"), ("fd00:2::1", "2001:db8::1")):
            assert town.way(to) == DENIED
            assert town.way(to, "from", source) == DENIED
        assert town.way("10.2.0.1", "from", "192.0.2.7", "iif", "lan") != DENIED

    def test_a_passing_source_is_heeded(self, town):
        town.tunnel(*ANY)
        town.routing.shunts.lay(shunt(Fate.PASS, "10.2.0.0/16", near=("192.0.2.1",)))
        assert town.way("10.2.0.1") == "tun"
        assert town.way("10.2.0.1", "from", "192.0.2.1") == "lan"

    def test_what_is_not_forwarded_is_told_as_prohibited(self, town):
        town.namespace.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        town.routing.shunts.lay(shunt(Fate.DROP, "10.2.0.0/16[tcp/25]"))
        asked = ("from", "192.0.2.7", "iif", "lan", "ipproto", "tcp", "dport")
        assert town.way("10.2.0.1", *asked, "25") == DENIED
        assert town.way("10.2.0.1", *asked, "26") == "lan"

    def test_what_a_killed_gateway_left_is_removed_and_nothing_else(self, town):
        before = town.rules()
        town.namespace.run("ip", "rule", "add", "pref", "18500", "to", "10.5.0.0/16", "prohibit")
        others = town.rules()
        Shunts(town.netlink).lay(shunt(Fate.DROP, *ANY))
        town.netlink.delete_rules()
        assert town.rules() == others
        town.namespace.run("ip", "rule", "del", "pref", "18500")
        assert town.rules() == before


class Kernel:
    """Keeps rules, until the number that is to fail."""

    def __init__(self, fails_at=None):
        self.rules, self.fails_at, self.asked = set(), fails_at, 0

    def rule(self, add, rule):
        self.asked += add
        if add and self.asked == self.fails_at:
            raise OSError("no more room")
        (self.rules.add if add else self.rules.remove)(rule)


@pytest.mark.parametrize("number", range(1, 12))
def test_a_shunt_that_the_kernel_refuses_leaves_all_as_it_was(number):
    kernel = Kernel()
    shunts = Shunts(kernel)
    shunts.length_comes(4, 16)
    shunts.lay(shunt(Fate.DROP, "10.1.0.0/16", near=("10.0.0.0/24",)))
    before, kernel.fails_at, kernel.asked = set(kernel.rules), number, 0
    wanted = shunt(Fate.DROP, "10.2.0.0/16", "10.3.0.0/16", near=("10.0.0.0/24", "::/0", "fd00::/8"))
    wanted = Shunt(
        "one", Fate.DROP, wanted.local_selectors, (*wanted.remote_selectors, parse_selector("::/0"))
    )
    with pytest.raises(OSError, match="room"):
        shunts.lay(wanted)
    assert kernel.rules == before
    kernel.fails_at = None
    shunts.lay(wanted)
    shunts.length_goes(4, 16)
    shunts.clear()
    assert not kernel.rules


def test_addresses_in_ranges_are_cut_into_networks_up_to_a_number():
    check_shunt(shunt(Fate.PASS, "10.0.0.1-10.255.255.254"))
    kinds = tuple(from_network(IPv4Address(f"10.0.0.{n}")) for n in range(17))
    with pytest.raises(DataPlaneError, match="289 pairs of networks, of 256 at most"):
        check_shunt(Shunt("one", Fate.PASS, kinds, kinds))
    both = (from_network(IPv4Address("10.0.0.1")), from_network(IPv6Address("fd00::1")))
    check_shunt(Shunt("one", Fate.PASS, both, both))
