"""Tunnels that traffic brings up: the first packet that meets a trap, and whatever ends them, the next one."""

from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest
from attrs import evolve
from twisted.internet.defer import succeed
from twisted.logger import globalLogPublisher

from ikegw.dataplane.matching import InnerPacket
from ikegw.events import ChildUp, IkeUp
from ikegw.ike.living import Living
from ikegw.policy.connections import DpdAction, Retransmit, StartAction, Unique
from ikegw.policy.selectors import DYNAMIC, from_network, parse_selector
from ikegw.testing.pair import CLIENT, GATEWAY, LAN, Pair, make_pair
from ikegw.wire.message import Message
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder

BRANCH = IPv4Network("10.2.0.0/24")
NET = CLIENT.children[0]
TRAPPED = evolve(
    NET,
    start=StartAction.TRAP,
    local_selectors=(from_network(BRANCH),),
    remote_selectors=(from_network(LAN),),
)
HASTY = Retransmit(first=0.2, tries=2, jitter=0.0)
SITE = evolve(CLIENT, virtual=(), children=(TRAPPED,), retransmit=HASTY, dpd_seconds=5.0)
ANSWERING = evolve(
    GATEWAY,
    pools=(),
    children=(
        evolve(
            GATEWAY.children[0],
            local_selectors=(from_network(LAN),),
            remote_selectors=(from_network(BRANCH),),
        ),
    ),
)


def packet(to: str = "10.1.0.9", source: str = "10.2.0.3", port: int = 5000) -> InnerPacket:
    return InnerPacket(ip_address(source), ip_address(to), 17, (port, port + 1))


def sites(client=SITE, gateway=ANSWERING) -> Pair:
    return make_pair(gateway, client)


def send(pair: Pair, *packets: InnerPacket, seconds: float = 0.2) -> list[bool]:
    """Which of these packets arrived at once; then time passes."""
    arrived = [
        pair.gateway.plane.receive(pair.client.plane.send(each)) is not None
        for each in packets or (packet(),)
    ]
    pair.world.run(seconds)
    return arrived


def counts(pair: Pair) -> tuple[int, int]:
    """IKE SAs and CHILD SAs that came up at the client, ever."""
    return len(pair.client.heard(IkeUp)), len(pair.client.heard(ChildUp))


@pytest.fixture
def said():
    """What the log was told, as sentences."""
    lines = []

    def observe(event):
        lines.append((event.get("log_format") or "").format(**event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_I_01_C_03_the_first_packet_brings_the_tunnel_up_and_the_next_travel():
    pair = sites()
    assert pair.client.plane.traps == {"home.net"}
    pair.world.run(1.0)
    assert counts(pair) == (0, 0)
    assert send(pair, packet(), packet(), packet()) == [False] * 3
    assert counts(pair) == (1, 1)
    assert send(pair) == [True]
    pair.client.gateway.shutdown()
    pair.world.run(1.0)
    assert not pair.client.plane.traps
    assert pair.is_empty


def test_I_02_no_packet_begins_what_no_trap_selects():
    pair = sites()
    assert send(pair, packet(to="10.9.0.1"), packet(source="10.8.0.1")) == [False] * 2
    assert counts(pair) == (0, 0)
    pair.client.gateway.initiate("home")
    pair.world.run(0.2)
    assert counts(pair) == (1, 1)


def test_the_packets_own_selectors_go_first_and_the_tunnel_is_as_wide_as_policy(monkeypatch):
    """RFC 7296 §2.9: what the packet needs comes first, in IKE_AUTH as in CREATE_CHILD_SA."""
    asked = []
    need = Message.need

    def needed(message, kind):
        payload = need(message, kind)
        if kind in (SelectorsInitiator, SelectorsResponder) and not message.header.is_response:
            asked.append(payload.selectors)
        return payload

    monkeypatch.setattr(Message, "need", needed)
    pair = sites()
    send(pair)
    delete_child(pair)
    send(pair, seconds=2.5)
    send(pair)
    assert counts(pair) == (1, 2)
    wide = {from_network(BRANCH), from_network(LAN)}
    assert len(asked) >= 4
    for own, policy in asked:
        assert (own.start, own.protocol, own.start_port) in {
            (IPv4Address("10.2.0.3"), 17, 5000),
            (IPv4Address("10.1.0.9"), 17, 5001),
        }
        assert policy in wide
    (tunnel,) = pair.client.plane.installed
    assert {*tunnel.local_selectors, *tunnel.remote_selectors} == wide


def delete_child(pair: Pair) -> None:
    """The gateway deletes the CHILD SA."""
    (sa,) = pair.gateway.gateway._by_spi.values()
    (child,) = sa.children.values()
    child.remove("the test wants it gone")
    pair.world.run(0.2)
    assert not pair.client.plane.installed


def test_C_02_a_child_that_is_gone_is_made_anew_in_the_IKE_SA_that_there_is():
    pair = sites()
    send(pair)
    delete_child(pair)
    pair.world.run(2.5)
    assert send(pair) == [False]
    assert counts(pair) == (1, 2)
    assert send(pair) == [True]


def test_an_IKE_SA_that_the_peer_deleted_comes_back_with_traffic():
    pair = sites()
    send(pair)
    pair.gateway.gateway.terminate(1)
    pair.world.run(3.0)
    assert pair.is_empty
    assert send(pair) == [False]
    assert send(pair) == [True]
    assert counts(pair) == (2, 2)


@pytest.mark.parametrize("start", [StartAction.TRAP, StartAction.START])
def test_Q_25_a_dead_peer_is_kept_for_on_demand(start):
    child = evolve(TRAPPED, start=start, dpd=DpdAction.TRAP)
    pair = sites(evolve(SITE, children=(child,)))
    send(pair, seconds=0.5)
    assert send(pair) == [True]
    assert pair.client.plane.traps == ({"home.net"} if start is StartAction.TRAP else set())
    pair.world.wire.leave(pair.gateway.address)
    pair.world.run(30.0, 0.05)
    assert pair.client.is_empty
    assert pair.client.plane.traps == {"home.net"}
    pair.world.wire.join(pair.gateway.address, pair.gateway.gateway.datagram_received)
    send(pair, seconds=1.0)
    assert send(pair) == [True]


def test_close_action_trap_waits_for_traffic_when_the_peer_closed():
    child = evolve(TRAPPED, start=StartAction.START, close=StartAction.TRAP)
    pair = sites(evolve(SITE, children=(child,)))
    pair.world.run(0.2)
    assert not pair.client.plane.traps
    pair.gateway.gateway.terminate(1)
    pair.world.run(0.5)
    assert pair.client.plane.traps == {"home.net"}
    send(pair)
    assert send(pair) == [True]


def test_while_one_attempt_is_under_way_there_is_no_other_and_failures_are_told_more_and_more_rarely(said):
    pair = sites()
    pair.world.wire.leave(pair.gateway.address)
    begun = 0
    for _ in range(2000):
        send(pair, seconds=0.05)
        begun = max(begun, len(pair.client.gateway.listing()))
    assert begun == 1
    failures = [line for line in said if "the next try in" in line]
    assert [line.split("next try in ")[1].split(" s")[0] for line in failures] == [
        "5",
        "10",
        "20",
        "40",
        "60",
    ]
    pair.world.wire.join(pair.gateway.address, pair.gateway.gateway.datagram_received)
    for _ in range(150):
        send(pair, seconds=0.5)
    assert send(pair) == [True]
    assert counts(pair) == (1, 1)


def test_two_traps_of_one_connection_share_one_IKE_SA():
    other = evolve(TRAPPED, name="other", remote_selectors=(parse_selector("10.7.0.0/24"),))
    theirs = evolve(ANSWERING.children[0], name="other", local_selectors=(parse_selector("10.7.0.0/24"),))
    pair = sites(
        evolve(SITE, children=(TRAPPED, other)),
        evolve(ANSWERING, children=(*ANSWERING.children, theirs), unique=Unique.REPLACE),
    )
    both = packet(), packet(to="10.7.0.1")
    send(pair, *both, seconds=2.5)
    send(pair, *both)
    assert send(pair, *both) == [True, True]
    assert counts(pair) == (1, 2)


def test_a_peer_that_narrows_the_packet_away_gets_no_heap_of_children(said):
    wide = evolve(TRAPPED, remote_selectors=(parse_selector("10.0.0.0/8"),))
    pair = sites(evolve(SITE, children=(wide,)))
    send(pair, packet())
    assert send(pair) == [True]
    for _ in range(60):
        send(pair, packet(to="10.77.0.1"), seconds=0.5)
    assert len(pair.client.plane.installed) == 1
    assert len(pair.gateway.plane.installed) == 1
    assert 1 < counts(pair)[1] < 6
    assert any("does not carry the packet" in line for line in said)


def test_a_clients_trap_is_met_by_any_of_its_addresses_and_the_lent_one_carries_it():
    child = evolve(NET, start=StartAction.TRAP)
    pair = make_pair(GATEWAY, evolve(CLIENT, children=(child,)))
    send(pair, packet(source="192.0.2.2"))
    (lent, *_) = sorted(pair.client.plane.addresses, key=lambda address: address.version)
    assert send(pair, packet(source=str(lent))) == [True]
    send(pair, packet(source="192.0.2.2"), seconds=3.0)
    send(pair, packet(source="192.0.2.2"))
    assert counts(pair) == (1, 1), "another child would not carry it either"
    delete_child(pair)
    pair.world.run(2.5)
    send(pair, packet(source="192.0.2.2"))
    assert lent in pair.client.plane.addresses, "the new child has the address of the IKE SA"
    assert send(pair, packet(source=str(lent))) == [True]


def test_a_reload_lays_and_takes_away():
    pair = sites()
    idle = evolve(SITE, children=(evolve(TRAPPED, start=StartAction.NONE),))
    pair.client.gateway.reload((idle,))
    assert not pair.client.plane.traps
    pair.client.gateway.reload((SITE, evolve(SITE, name="again")))
    assert pair.client.plane.traps == {"home.net", "again.net"}
    pair.client.gateway.reload((SITE,))
    send(pair)
    assert send(pair) == [True]


def test_a_trap_whose_connection_changes_gives_way_without_a_gap(monkeypatch):
    pair = sites()
    away = []
    monkeypatch.setattr(pair.client.plane, "untrap", lambda name: succeed(away.append(name)))
    pair.client.gateway.reload((evolve(SITE, rekey_seconds=77.0),))
    assert not away
    send(pair)
    assert send(pair) == [True]
    pair.client.gateway.reload(())
    assert away == ["home.net"]


def test_a_trap_follows_our_own_address():
    dynamic = evolve(TRAPPED, local_selectors=(DYNAMIC,))
    theirs = evolve(ANSWERING.children[0], remote_selectors=(DYNAMIC,))
    pair = sites(evolve(SITE, children=(dynamic,)), evolve(ANSWERING, children=(theirs,)))
    transport = pair.client.gateway.transport
    received = pair.client.gateway.datagram_received
    elsewhere = IPv4Address("192.0.2.77")
    send(pair, packet(source="192.0.2.77"))
    assert counts(pair) == (0, 0)
    transport.have((elsewhere,), received)
    pair.client.gateway.addresses_changed()
    send(pair, packet(source="192.0.2.2"), packet(source="192.0.2.77"))
    assert send(pair, packet(source="192.0.2.77")) == [True]
    assert counts(pair) == (1, 1)


def test_close_action_trap_when_the_peer_closed_the_child_alone():
    child = evolve(TRAPPED, start=StartAction.START, close=StartAction.TRAP)
    pair = sites(evolve(SITE, children=(child,)))
    pair.world.run(0.2)
    delete_child(pair)
    assert pair.client.plane.traps == {"home.net"}
    send(pair)
    assert send(pair) == [True]
    assert counts(pair) == (1, 2)


def test_a_trap_for_nobody_or_that_the_data_plane_refuses_is_told(said):
    pair = sites(evolve(SITE, remote_addresses=()))
    assert not pair.client.plane.traps
    assert any("nobody to call" in line for line in said)
    pair.client.gateway.reload((evolve(SITE, children=(evolve(TRAPPED, local_selectors=()),)),))
    assert any("a trap needs local and remote selectors" in line for line in said)


def test_a_peer_that_refuses_further_children_is_asked_for_none(said):
    pair = sites()
    send(pair)
    delete_child(pair)
    (sa,) = pair.client.gateway._by_spi.values()
    assert isinstance(sa.phase, Living)
    sa.takes_no_more_children = True
    pair.world.run(2.5)
    send(pair)
    assert counts(pair) == (1, 1)
    assert any("takes no more children" in line for line in said)
