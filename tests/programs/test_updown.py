"""An operator's script and the tunnels that it is told of: real scripts, a modelled data plane."""

import os
from ipaddress import IPv4Address, IPv6Address

import pytest
from attrs import evolve
from programs import program, until
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from ikegw.dataplane.memory import MemoryPlane
from ikegw.policy.identities import parse_identity
from ikegw.policy.selectors import parse_selector
from ikegw.policy.updown import Script
from ikegw.ports import Announced, DataPlaneError
from ikegw.programs.turns import GivenUp
from ikegw.programs.updown import AnnouncingPlane
from ikegw.session import SaName
from ikegw.testing.plane_pair import LEFT_INNER, RIGHT_INNER, Namespace, Side, suite_named, tunnel

LEFT = Side(Namespace("left"), (IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")), LEFT_INNER)
RIGHT = Side(Namespace("right"), (IPv4Address("192.0.2.2"), IPv6Address("2001:db8::2")), RIGHT_INNER)


class Desk:
    """A script, what it wrote down, and a data plane that tells it of tunnels."""

    def __init__(self, directory):
        self.directory, self.log = directory, directory / "log"
        self.model = MemoryPlane(reactor, os.urandom)
        self.plane = AnnouncingPlane(self.model, reactor)
        self.plane.start(lambda event: None)

    def script(self, *lines, seconds=10.0, required=False):
        write = f'echo "$IKEGW_VERB $IKEGW_CHILD" >> {self.log}'
        return Script(program(self.directory, write, *lines), seconds, required)

    def tunnel(self, script, number=1, child="net", **changes):
        about = Announced(
            script,
            SaName("road", 7),
            child,
            parse_identity("gw.example.org"),
            parse_identity("alice@example.org"),
            "alice",
        )
        one, _ = tunnel(LEFT, RIGHT, suite_named("aes128gcm16"), number)
        return evolve(one, name=f"road[7].{child}", announced=about, **changes)

    @property
    def written(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    async def wrote(self, *lines):
        await until(lambda: len(self.written) >= len(lines))
        assert self.written == list(lines)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


UP, DOWN = "up-client net", "down-client net"


@ensureDeferred
async def test_up_and_down_once_for_a_tunnel_however_often_its_keys_are_renewed(desk):
    script = desk.script()
    one, two, three = (desk.tunnel(script, number, standby=number == 2) for number in (1, 2, 3))
    await desk.plane.install(one)
    await desk.plane.install(two)
    await desk.plane.remove(one.inbound_spi)
    await desk.plane.install(three)
    await desk.plane.remove(two.inbound_spi)
    await desk.wrote(UP)
    await desk.plane.remove(three.inbound_spi)
    await desk.plane.finish()
    await desk.wrote(UP, DOWN)


@ensureDeferred
async def test_a_tunnel_that_goes_at_once_and_comes_again_is_told_in_order(desk):
    script = desk.script("sleep 0.05")
    for _ in range(3):
        await desk.plane.install(desk.tunnel(script))
        await desk.plane.remove(desk.tunnel(script).inbound_spi)
    await desk.plane.finish()
    await desk.wrote(*[UP, DOWN] * 3)


@ensureDeferred
async def test_what_it_is_told(desk):
    script = Script(program(desk.directory, f"env | grep IKEGW_ | sort > {desk.log}"))
    hosts = (parse_selector("10.9.0.1/32"),)
    far = (parse_selector("10.2.0.0/16[tcp/443]"), parse_selector("10.3.0.1-10.3.0.2"))
    one = desk.tunnel(script, local_selectors=hosts, remote_selectors=far, virtual=(IPv4Address("10.9.0.1"),))
    odd = evolve(one.announced, user="eve\n\x1b[2J\0$(id)")
    await desk.plane.install(evolve(one, announced=odd))
    await desk.plane.remove(one.inbound_spi)
    await desk.plane.finish()
    assert desk.written == [
        "IKEGW_CHILD=net",
        "IKEGW_CONNECTION=road",
        "IKEGW_DEVICE=",
        "IKEGW_IN_UDP=yes",
        "IKEGW_LOCAL=192.0.2.1",
        "IKEGW_LOCAL_ID=gw.example.org",
        "IKEGW_LOCAL_PORT=4500",
        "IKEGW_LOCAL_TS=10.9.0.1/32",
        "IKEGW_MODE=tunnel",
        "IKEGW_NUMBER=7",
        "IKEGW_REMOTE=192.0.2.2",
        "IKEGW_REMOTE_ID=alice@example.org",
        "IKEGW_REMOTE_PORT=4500",
        "IKEGW_REMOTE_TS=10.2.0.0/16[6/443-443] 10.3.0.1/32 10.3.0.2/32",
        "IKEGW_USER=eve??[2J?$(id)",
        "IKEGW_VERB=down-host",
        "IKEGW_VIRTUAL=10.9.0.1",
    ]


@ensureDeferred
async def test_no_octet_of_a_key_is_in_what_it_is_told(desk):
    script = Script(program(desk.directory, f"tr '\\0' '\\n' < /proc/self/environ > {desk.log}"))
    one = desk.tunnel(script)
    await desk.plane.install(one)
    await desk.plane.finish()
    told = "\n".join(desk.written)
    for keys in (one.inbound_keys, one.outbound_keys):
        assert keys.encryption.hex() not in told
        assert repr(keys.encryption) not in told


@ensureDeferred
async def test_a_script_that_fails_is_told_and_the_tunnel_stands(desk):
    script = desk.script("exit 1")
    await desk.plane.install(desk.tunnel(script))
    await desk.wrote(UP)
    assert len(desk.model.installed) == 1
    await desk.plane.finish()


@ensureDeferred
async def test_a_required_script_that_fails_refuses_the_tunnel_and_is_told_of_its_end(desk):
    script = desk.script("exit 4", required=True)
    with pytest.raises(DataPlaneError, match=r"road\[7\]\.net: its updown script is required.*status 4"):
        await desk.plane.install(desk.tunnel(script))
    assert desk.model.installed == ()
    await desk.plane.finish()
    await desk.wrote(UP, DOWN)


@ensureDeferred
async def test_nobody_waits_for_a_script_unless_it_is_required(desk):
    up: list[str] = []
    quick = desk.plane.install(desk.tunnel(desk.script("sleep 0.3")))
    quick.addCallback(lambda _: up.append("quick"))
    required = desk.plane.install(desk.tunnel(desk.script("sleep 0.3", required=True), 2, child="two"))
    required.addCallback(lambda _: up.append("required"))
    assert up == ["quick"]
    await required
    assert up == ["quick", "required"]
    await desk.plane.finish()


@ensureDeferred
async def test_a_tunnel_that_nobody_wants_any_more_while_its_script_runs_is_removed(desk):
    waiting = desk.plane.install(desk.tunnel(desk.script("sleep 0.2", required=True)))
    waiting.addErrback(lambda _: None)
    waiting.cancel()
    assert desk.model.installed == ()
    await desk.plane.finish()
    await desk.wrote(UP, DOWN)


@ensureDeferred
async def test_at_the_end_all_that_stand_are_told_and_no_more_than_some_at_a_time(desk):
    counting = f"n=$(ls {desk.directory}/run.* 2>/dev/null | wc -l); [ $n -le 8 ] || echo crowd >> {desk.log}"
    script = desk.script(f": > {desk.directory}/run.$$", counting, f"rm {desk.directory}/run.$$")
    for number in range(1, 21):
        await desk.plane.install(desk.tunnel(script, number, child=f"c{number}"))
    await desk.plane.finish()
    assert sorted(desk.written) == sorted(
        f"{verb}-client c{n}" for n in range(1, 21) for verb in ("up", "down")
    )


@ensureDeferred
async def test_at_the_end_nobody_waits_longer_than_there_is_time(desk):
    script = desk.script("sleep 600", seconds=1000.0)
    for number in range(1, 12):
        await desk.plane.install(desk.tunnel(script, number, child=f"c{number}"))
    await until(lambda: len(desk.written) == 8)
    ending = desk.plane.finish()
    ending.cancel()
    with pytest.raises(GivenUp, match="8 were ended, 14 never begun"):
        await ending
    await desk.plane.finish()


@ensureDeferred
async def test_what_no_script_is_told_of_goes_as_ever(desk):
    one = evolve(desk.tunnel(desk.script()), announced=None)
    await desk.plane.install(one)
    await desk.plane.activate(one.inbound_spi)
    assert (await desk.plane.usage(one.inbound_spi)).outbound_packets == 0
    await desk.plane.move(one.inbound_spi, one.path)
    await desk.plane.remove(one.inbound_spi)
    await desk.plane.finish()
    assert desk.written == []
