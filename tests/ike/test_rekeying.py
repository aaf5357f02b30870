"""Figures 6 and 8: SAs are replaced while they carry traffic, by either side, by both at once, with answers lost or late."""

from itertools import permutations

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred

from ikegw.events import ChildDown, ChildRekeyed, ChildUp, IkeDown, IkeRekeyed
from ikegw.ike.child import ChildSa
from ikegw.ike.child_requests import REDUNDANT
from ikegw.ike.sa import IkeSa
from ikegw.ike.slot import Intent
from ikegw.policy.proposals import parse_offer
from ikegw.ports import TunnelSa
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.traffic import Flow
from ikegw.testing.wire import Datagram, pass_on
from ikegw.testing.world import Host
from ikegw.wire.message import decode_header
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType


def connected(gateway=GATEWAY, client=CLIENT) -> Pair:
    pair = make_pair(gateway, client)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert pair.client.plane.installed
    return pair


def with_pfs(groups: str = "x25519") -> tuple:
    offers = parse_offer("esp", f"aes256gcm16-{groups}")
    return (
        evolve(GATEWAY, children=(evolve(GATEWAY.children[0], proposals=offers),)),
        evolve(CLIENT, children=(evolve(CLIENT.children[0], proposals=offers),)),
    )


def sa_of(host: Host) -> IkeSa:
    (sa,) = (
        one for one in host.gateway._by_spi.values() if one.successor is None and one.state != "SM_DYING"
    )
    return sa


def child_of(host: Host) -> ChildSa:
    (child,) = (one for one in sa_of(host).children.values() if one.successor is None)
    return child


def in_agreement(pair: Pair) -> None:
    """Both ends have one IKE SA and one CHILD SA, the same; nothing else is left anywhere."""
    pair.world.run(45.0, 0.25)
    if any(len(host.gateway._by_spi) > 1 for host in (pair.client, pair.gateway)):
        pair.world.run(130.0, 0.25)  # what only one side ever knew is removed by guard time and TIMEOUT
    for host in (pair.client, pair.gateway):
        assert len(host.gateway._by_spi) == 1, host.gateway.listing()
        assert len(sa_of(host).children) == 1, host.gateway.listing()
        assert len(host.plane.installed) == 1
        assert len(host.plane.spis.taken) == 1
        assert sa_of(host).state == "SM_MATURE"
        assert child_of(host).state == "SA_MATURE"
        assert not host.heard(IkeDown)
    mine, peers = pair.client.plane.installed[0], pair.gateway.plane.installed[0]
    assert (mine.inbound_spi, mine.outbound_spi) == (peers.outbound_spi, peers.inbound_spi)
    assert mine.inbound_keys == peers.outbound_keys
    assert not mine.standby
    assert not peers.standby
    assert sa_of(pair.client).spi_initiator == sa_of(pair.gateway).spi_initiator


def both_were_told_once(pair: Pair) -> None:
    """Whoever rekeyed: each end was told once, of the CHILD SA that survives."""
    for host in (pair.client, pair.gateway):
        (rekeyed,) = host.heard(ChildRekeyed)
        assert rekeyed.inbound_spi == child_of(host).tunnel.inbound_spi


SIDES = pytest.mark.parametrize("side", ["client", "gateway"])
PFS = pytest.mark.parametrize("pfs", [False, True], ids=["plain", "pfs"])

# ---------------------------------------------------------------- one side alone


@SIDES
@PFS
def test_C_20_C_21_C_23_C_30_a_child_is_rekeyed_and_no_packet_is_lost(side, pfs):
    """
    CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, [KEi], TSi, TSr } -->
    <-- CREATE_CHILD_SA { SA, Nr, [KEr], TSi, TSr }
    INFORMATIONAL { D } -->  <-- INFORMATIONAL { D }
    """
    pair = connected(*(with_pfs() if pfs else ()))
    flow = Flow(pair)
    old = child_of(getattr(pair, side)).tunnel.inbound_spi
    child_of(getattr(pair, side)).soft_expired()
    flow.run(1.0)
    in_agreement(pair)
    assert flow.lost == 0
    assert child_of(getattr(pair, side)).tunnel.inbound_spi != old
    (rekeyed,) = getattr(pair, side).heard(ChildRekeyed)
    assert rekeyed.old_inbound_spi == old
    both_were_told_once(pair)
    assert getattr(pair, side).states("child net")[1:4] == ["SA_REKEY", "SA_REKEY_WAIT", "SA_MATURE"]
    assert [down.reason for down in getattr(pair, side).heard(ChildDown)] == ["rekeyed"]
    if pfs:
        assert child_of(pair.client).tunnel.suite.group.name == "x25519"


@SIDES
def test_Q_01_Q_02_Q_03_P_07_an_ike_sa_is_rekeyed_and_takes_everything_along(side):
    """
    CREATE_CHILD_SA { SA, Ni, KEi } -->  <-- CREATE_CHILD_SA { SA, Nr, KEr }
    INFORMATIONAL { D(IKE) } -->  <-- INFORMATIONAL { }
    """
    pair = connected()
    host = getattr(pair, side)
    old, flow = sa_of(host), Flow(pair)
    host.gateway.rekey(old.number)
    flow.run(1.0)
    in_agreement(pair)
    assert flow.lost == 0
    new = sa_of(host)
    assert new is not old
    assert (new.number, new.initiator_of_session) == (old.number, old.initiator_of_session)
    assert new.asking.next_id + new.answering.expected < 4
    assert len(host.heard(IkeRekeyed)) == 1
    assert sa_of(pair.gateway).lease is not None
    assert "SM_REKEY_WAIT" in host.states("mature")
    pair.client.gateway.terminate(1)
    pair.world.run(10.0, 0.1)
    assert pair.is_empty


@SIDES
def test_timers_rekey_everything_for_a_day_and_nothing_piles_up(side):
    quick = {"rekey_seconds": 3600.0, "dpd_seconds": 60.0}
    child = {"rekey_seconds": 900.0}
    gateway, client = (
        evolve(one, **quick, children=(evolve(one.children[0], **child),)) for one in (GATEWAY, CLIENT)
    )
    idle = {"rekey_seconds": 0.0}
    if side == "client":
        gateway = evolve(
            gateway, **idle, children=(evolve(gateway.children[0], rekey_seconds=0.0, life_seconds=0.0),)
        )
    else:
        client = evolve(
            client, **idle, children=(evolve(client.children[0], rekey_seconds=0.0, life_seconds=0.0),)
        )
    pair = connected(gateway, client)
    pair.world.run(86_400.0, 0.5)
    in_agreement(pair)
    host = getattr(pair, side)
    assert 24 <= len(host.heard(IkeRekeyed)) <= 27
    assert 96 <= len(host.heard(ChildRekeyed)) <= 110


# ---------------------------------------------------------------- groups and refusals


@SIDES
def test_C_26_rekeying_a_child_with_another_group(side):
    gateway, client = with_pfs("x25519-ecp256")
    other = parse_offer("esp", "aes256gcm16-ecp256")
    if side == "client":
        gateway = evolve(gateway, children=(evolve(gateway.children[0], proposals=other),))
    else:
        client = evolve(client, children=(evolve(client.children[0], proposals=other),))
    pair = connected(gateway, client)
    child_of(getattr(pair, side)).soft_expired()
    in_agreement(pair)
    assert child_of(pair.client).tunnel.suite.group.name == "ecp256"


def test_Q_04_rekeying_an_ike_sa_with_another_group():
    pair = connected()
    only = evolve(GATEWAY, proposals=parse_offer("ike", "aes256gcm16-prfsha256-ecp384"))
    sa_of(pair.gateway).connection = only
    offers = (*CLIENT.proposals, *only.proposals)
    sa_of(pair.client).connection = evolve(CLIENT, proposals=offers)
    pair.client.gateway.rekey(1)
    in_agreement(pair)
    assert sa_of(pair.client).channel.suite.group.name == "ecp384"


def test_C_27_a_peer_that_will_not_have_its_child_rekeyed_keeps_it():
    """As Windows behind a NAT does."""
    pair = connected(*with_pfs())
    child_of(pair.gateway).policy = evolve(GATEWAY.children[0], proposals=parse_offer("esp", "aes128-sha1"))
    before = child_of(pair.client)
    before.soft_expired()
    in_agreement(pair)
    assert child_of(pair.client) is before


def test_C_25_a_child_that_the_peer_does_not_know_is_made_anew():
    pair = connected()
    lost = child_of(pair.gateway)
    lost.gone()
    child_of(pair.client).soft_expired()
    in_agreement(pair)
    assert pair.client.states("child net").count("SA_CREATE_WAIT") == 1


def test_K_03_rekeying_an_unknown_child_copies_protocol_and_spi():
    pair = connected()
    child_of(pair.gateway).gone()
    child_of(pair.client).soft_expired()
    sent = len(pair.world.wire.history)
    pair.world.run(1.0)
    answer = sa_of(pair.client).channel.open(pair.world.wire.history[sent].octets)
    (notify,) = answer.every(Notify)
    assert notify.type is NotifyType.CHILD_SA_NOT_FOUND
    assert notify.spi == pair.client.heard(ChildUp)[0].inbound_spi


@SIDES
def test_C_02_C_04_C_05_another_child_in_the_same_ike_sa(side):
    second = evolve(GATEWAY.children[0], name="again")
    pair = connected(
        evolve(GATEWAY, children=(*GATEWAY.children, second)),
        evolve(CLIENT, children=(*CLIENT.children, evolve(CLIENT.children[0], name="again"))),
    )
    made = []
    getattr(pair, side).gateway.create_child(1, "again").addCallback(made.append)
    pair.world.run(1.0)
    assert made
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 2


@SIDES
def test_C_33_C_34_C_35_a_child_is_removed_and_the_ike_sa_stands(side):
    pair = connected()
    child_of(getattr(pair, side)).remove("the operator removed it")
    pair.world.run(10.0, 0.1)
    assert not pair.client.plane.installed
    assert not pair.gateway.plane.installed
    assert sa_of(pair.client).state == sa_of(pair.gateway).state == "SM_MATURE"
    assert getattr(pair, side).states("child net")[-2:] == ["SA_REMOVE", "SA_DEAD"]


# ---------------------------------------------------------------- liveness


def test_Q_08_Q_09_Q_10_a_quiet_peer_is_asked_and_answers():
    pair = connected()
    sent = len(pair.world.wire.history)
    pair.world.run(200.0, 0.25)
    assert (
        2
        <= pair.client.states("mature").count("SM_DPD_WAIT")
        + pair.gateway.states("mature").count("SM_DPD_WAIT")
        <= 7
    )
    assert len(pair.world.wire.history) - sent <= 14
    in_agreement(pair)


def test_Q_25_a_peer_that_vanished_is_noticed_and_everything_of_it_goes():
    pair = connected()
    pair.world.wire.leave(pair.client.address)
    pair.world.run(400.0, 0.5)
    assert pair.gateway.is_empty
    (down,) = pair.gateway.heard(IkeDown)
    assert "no answer" in down.reason


def test_Q_08_esp_that_comes_in_is_as_good_as_an_answer():
    pair = connected()
    flow = Flow(pair)
    flow.run(200.0, every=1.0)
    assert "SM_DPD" not in pair.client.states("mature") + pair.gateway.states("mature")
    assert flow.lost == 0


# ---------------------------------------------------------------- both at once: every order of delivery


class Mail:
    """Holds back every datagram until the test says which one arrives."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.held = pair, []
        pair.world.wire.tap = self._hold

    def _hold(self, datagram):
        self.held.append(datagram)
        return []

    def release(self) -> None:
        """All that is held goes, in order, and from now on nothing is."""
        held, self.held = self.held, []
        self.pair.world.wire.tap = lambda datagram: [datagram]
        for datagram in held:
            self.pair.world.wire.deliver(datagram)


ORDERS = pytest.mark.parametrize(
    "order", list(permutations(range(4))), ids=lambda order: "".join(map(str, order))
)


def collide(pair: Pair, start, order) -> None:
    """Both start; two requests and two answers are delivered in the order wanted, as far as each exists by then."""
    mail = Mail(pair)
    start(pair.client)
    start(pair.gateway)
    delivered = 0
    for wanted in order:
        if mail.held:
            pair.world.wire.deliver(mail.held.pop(wanted % len(mail.held)))
            delivered += 1
    mail.release()
    pair.world.run(5.0)


def rekey_child(host: Host) -> None:
    child_of(host).soft_expired()


def rekey_ike(host: Host) -> None:
    host.gateway.rekey(1)


@ORDERS
@PFS
def test_K_02_K_09_both_rekey_the_same_child(order, pfs):
    pair = connected(*(with_pfs() if pfs else ()))
    flow = Flow(pair)
    collide(pair, rekey_child, order)
    flow.run(1.0)
    in_agreement(pair)
    assert flow.lost == 0
    both_were_told_once(pair)


def slow(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data plane takes a while for each CHILD SA, as a process or a kernel does."""
    install = type(host.plane).install

    def later(plane, sa: TunnelSa) -> Deferred[None]:
        if plane is not host.plane:
            return install(plane, sa)
        installed: Deferred[None] = Deferred()
        host.gateway.clock.callLater(0.2, lambda: install(plane, sa).chainDeferred(installed))
        return installed

    monkeypatch.setattr(type(host.plane), "install", later)


@ORDERS
@SIDES
def test_K_09_both_rekey_and_agree_which_survives_though_a_data_plane_is_slow(order, side, monkeypatch):
    """Our answer came while what the peer had asked for was being installed, and was judged as if nobody had asked."""
    pair = connected()
    slow(getattr(pair, side), monkeypatch)
    flow = Flow(pair)
    collide(pair, rekey_child, order)
    flow.run(1.0)
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 1, (
        "at once, not by guard time"
    )
    in_agreement(pair)
    assert flow.lost == 0
    both_were_told_once(pair)


@pytest.mark.parametrize("asked", ["create", "rekey"])
def test_C_31_the_peer_deletes_a_child_of_ours_while_our_data_plane_installs_it(asked, monkeypatch):
    """Its DELETE came after the answer and before the child, and was forgotten: we had a child that nobody else had."""
    pair = connected()
    slow(pair.client, monkeypatch)
    before = set(sa_of(pair.gateway).children)
    if asked == "create":
        pair.client.gateway.create_child(1, "net").addErrback(lambda _: None)
    else:
        rekey_child(pair.client)
    pair.world.run(0.05, 0.01)
    (made,) = set(sa_of(pair.gateway).children) - before
    sa_of(pair.gateway).children[made].remove("its hard limit was reached")
    pair.world.run(60.0, 0.1)
    ends = [
        {frozenset((sa.inbound_spi, sa.outbound_spi)) for sa in host.plane.installed}
        for host in (pair.client, pair.gateway)
    ]
    assert ends[0] == ends[1]
    assert len(ends[0]) == (1 if asked == "create" else 0)


@SIDES
def test_C_30_a_child_removed_while_its_successor_is_installed(side, monkeypatch):
    pair = connected()
    host, peer = (pair.client, pair.gateway) if side == "client" else (pair.gateway, pair.client)
    slow(host, monkeypatch)
    rekey_child(peer)
    pair.world.run(0.1, 0.01)
    child_of(host).remove("the operator removed it")
    in_agreement(pair)


def test_K_05_the_child_that_the_peer_rekeys_is_closed_by_us_while_its_successor_is_installed(monkeypatch):
    """The successor waited for the old child to hand over the sending, which was gone already, and sent nothing for ever."""
    pair = connected()
    slow(pair.gateway, monkeypatch)
    rekey_child(pair.client)
    pair.world.run(0.05, 0.01)
    child_of(pair.gateway).remove("its hard limit was reached")
    pair.world.run(1.0, 0.01)
    flow = Flow(pair)
    flow.run(0.5)
    assert flow.lost == 0
    in_agreement(pair)


def test_K_09_the_peer_s_redundant_child_is_not_rekeyed_and_not_kept_for_ever():
    """It lived on as if it were a tunnel of its own, unless the peer deleted it."""
    pair = connected()
    mail = Mail(pair)
    rekey_child(pair.client)
    rekey_child(pair.gateway)
    for _ in range(4):  # two requests, two answers; the DELETEs stay held
        pair.world.wire.deliver(mail.held.pop(0))
    ((winner, rival),) = [
        (host, child)
        for host in (pair.client, pair.gateway)
        for child in sa_of(host).children.values()
        if child.ending == REDUNDANT and child.state == "SA_MATURE"
    ]
    rival.soft_expired()
    assert rival.state == "SA_MATURE"
    assert rival.successor is not None
    assert rival._timer is not None
    mail.release()
    in_agreement(pair)
    assert REDUNDANT in [down.reason for down in winner.heard(ChildDown)]


def test_C_25_the_peer_never_heard_of_its_successor_so_the_old_child_is_kept_and_rekeyed():
    """It was removed when its guard time was over, and no tunnel was left."""
    pair = connected()
    mail = Mail(pair)
    old = child_of(pair.client)
    rekey_child(pair.gateway)
    pair.world.wire.deliver(mail.held.pop(0))
    unheard = old.successor
    assert unheard is not None
    unheard.soft_expired()
    assert unheard.state == "SA_REKEY_WAIT"
    unheard.machine.not_found()
    assert unheard.state == "SA_DEAD"
    assert old.state == "SA_REKEY"
    assert old.successor is None
    assert old._timer is None


def test_K_09_a_redundant_child_is_not_reprieved_when_the_survivor_ends():
    """It stayed for ever if the peer, which had never heard of it, could not delete it."""
    pair = connected()
    mail = Mail(pair)
    rekey_child(pair.client)
    rekey_child(pair.gateway)
    for _ in range(4):
        pair.world.wire.deliver(mail.held.pop(0))
    (rival,) = (
        child
        for host in (pair.client, pair.gateway)
        for child in sa_of(host).children.values()
        if child.ending == REDUNDANT and child.state == "SA_MATURE"
    )
    survivor = rival.successor
    assert survivor is not None
    survivor.peer_deleted()
    assert rival.successor is survivor
    assert rival._timer is not None


@ORDERS
def test_K_10_both_rekey_the_ike_sa(order):
    pair = connected()
    flow = Flow(pair)
    collide(pair, rekey_ike, order)
    flow.run(1.0)
    in_agreement(pair)
    assert flow.lost == 0


@ORDERS
@SIDES
def test_K_07_K_08_one_rekeys_the_child_the_other_the_ike_sa(order, side):
    pair = connected()
    flow = Flow(pair)

    def start(host: Host) -> None:
        (rekey_child if host is getattr(pair, side) else rekey_ike)(host)

    collide(pair, start, order)
    flow.run(1.0)
    in_agreement(pair)
    assert flow.lost == 0
    assert sum(len(host.heard(IkeRekeyed)) for host in (pair.client, pair.gateway)) >= 2


@ORDERS
@SIDES
def test_K_01_K_05_one_removes_the_child_the_other_rekeys_it(order, side):
    pair = connected()

    def start(host: Host) -> None:
        if host is getattr(pair, side):
            child_of(host).remove("the operator removed it")
        else:
            rekey_child(host)

    collide(pair, start, order)
    pair.world.run(60.0, 0.25)
    for host in (pair.client, pair.gateway):
        assert len(host.gateway._by_spi) == 1
        assert len(host.plane.installed) == len(sa_of(host).children) <= 1
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed)


@ORDERS
def test_K_04_both_remove_the_child(order):
    pair = connected()
    collide(pair, lambda host: child_of(host).remove("the operator removed it"), order)
    pair.world.run(30.0, 0.25)
    assert not pair.client.plane.installed
    assert not pair.gateway.plane.installed
    assert sa_of(pair.client).state == sa_of(pair.gateway).state == "SM_MATURE"


@ORDERS
def test_K_12_both_delete_the_ike_sa(order):
    pair = connected()
    collide(pair, lambda host: host.gateway.terminate(1), order)
    pair.world.run(30.0, 0.25)
    assert pair.is_empty


@ORDERS
@SIDES
def test_K_11_K_13_one_deletes_the_ike_sa_the_other_rekeys_it(order, side):
    pair = connected()

    def start(host: Host) -> None:
        if host is getattr(pair, side):
            host.gateway.terminate(1)
        else:
            rekey_ike(host)

    collide(pair, start, order)
    pair.world.run(60.0, 0.25)
    assert pair.is_empty


# ---------------------------------------------------------------- lost datagrams


@pytest.mark.parametrize("start", [rekey_child, rekey_ike], ids=["child", "ike"])
@pytest.mark.parametrize("lost", range(8))
def test_K_15_K_16_both_rekey_and_one_datagram_is_lost(start, lost):
    pair = connected()
    count = iter(range(1000))
    pair.world.wire.tap = lambda datagram: [] if next(count) == lost else [datagram]
    flow = Flow(pair)
    start(pair.client)
    start(pair.gateway)
    flow.run(20.0, every=0.05)
    in_agreement(pair)
    assert flow.lost == 0


@SIDES
@pytest.mark.parametrize("start", [rekey_child, rekey_ike], ids=["child", "ike"])
@pytest.mark.parametrize("lost", range(4))
def test_one_rekeys_and_one_datagram_is_lost(side, start, lost):
    pair = connected()
    count = iter(range(1000))
    pair.world.wire.tap = lambda datagram: [] if next(count) == lost else [datagram]
    flow = Flow(pair)
    start(getattr(pair, side))
    flow.run(20.0, every=0.05)
    in_agreement(pair)
    assert flow.lost == 0


def test_K_16_the_peer_goes_on_with_its_new_ike_sa_before_it_deletes_the_old_one():
    """
    Client: CREATE_CHILD_SA { SA, Ni, KEi } --> lost, again and again; <-- the gateway's own, answered.
    <-- CREATE_CHILD_SA { N(REKEY_SA), … } over the new IKE SA, which overtakes <-- INFORMATIONAL { D(IKE) }
    The children still stood with the old one, so the client knew of none: CHILD_SA_NOT_FOUND, and each end had another pair.
    """
    pair = connected()
    old = sa_of(pair.client)

    def tap(datagram: Datagram) -> list[Datagram]:
        header = decode_header(datagram.octets)[0]
        of_old = (
            header.initiator_spi == old.spi_initiator and datagram.path.local.address == pair.client.address
        )
        rekeys = header.exchange is ExchangeType.CREATE_CHILD_SA and not header.is_response
        deletes = header.exchange is ExchangeType.INFORMATIONAL and header.initiator_spi == old.spi_initiator
        return [] if (of_old and rekeys) or deletes else [datagram]

    pair.world.wire.tap = tap
    pair.client.gateway.rekey(old.number)
    pair.gateway.gateway.rekey(sa_of(pair.gateway).number)
    pair.world.run(0.1, 0.01)
    assert old.state == "SM_REKEY_WAIT"
    rekey_child(pair.gateway)
    pair.world.run(0.1, 0.01)
    assert child_of(pair.client).tunnel.outbound_spi == child_of(pair.gateway).tunnel.inbound_spi
    pair.world.wire.tap = pass_on
    pair.world.run(60.0, 0.1)
    in_agreement(pair)
    assert len(pair.client.heard(ChildRekeyed)) == len(pair.gateway.heard(ChildRekeyed)) == 1


def test_no_doubles_in_the_queue():
    pair = connected()
    slot = sa_of(pair.client).phase.slot
    slot.hold()
    for _ in range(3):
        slot.post(Intent.REKEY)
        slot.post(Intent.DPD)
    assert slot.queue == [Intent.REKEY, Intent.DPD]
    slot.release()
    in_agreement(pair)
    assert len(pair.client.heard(IkeRekeyed)) == 1


# ---------------------------------------------------------------- told to end while an IKE SA is being rekeyed


def nothing_is_left(pair: Pair, seconds: float = 5.0) -> None:
    """No end goes on as if nothing had happened, and each is told once that it is over.

    Of two that were made at once, one that the other end has never known is removed by guard time and TIMEOUT.
    """
    pair.world.run(seconds, 0.05)
    for host in (pair.client, pair.gateway):
        assert not [row for row in host.gateway.listing() if row.children and row.state != "SM_DYING"]
    if not pair.is_empty:
        pair.world.run(150.0, 0.5)
    assert pair.is_empty
    for host in (pair.client, pair.gateway):
        assert len(host.heard(IkeDown)) == 1
        assert len(host.heard(ChildDown)) == 1


@SIDES
@pytest.mark.parametrize("ender", ["client", "gateway"])
@pytest.mark.parametrize("is_lost", [False, True], ids=["late", "lost"])
def test_Q_24_the_ike_sa_that_was_being_made_ends_too(side, ender, is_lost):
    """
    CREATE_CHILD_SA { SA, Ni, KEi } -->  <-- CREATE_CHILD_SA { SA, Nr, KEr }, and meanwhile MSG_IKE_TERMINATE.
    The peer has all that was ours in the new IKE SA: a DELETE of the old one alone would leave it there.
    """
    pair = connected()
    host, mail = getattr(pair, side), Mail(pair)
    rekey_ike(host)
    pair.world.wire.deliver(mail.held.pop())
    pair.world.run(0.01)
    assert sa_of(host).state == "SM_REKEY_WAIT"
    if is_lost:
        mail.held.clear()
    getattr(pair, ender).gateway.terminate(1)
    mail.release()
    nothing_is_left(pair, 20.0 if is_lost else 5.0)


@ORDERS
@pytest.mark.parametrize("ender", ["client", "gateway"])
@pytest.mark.parametrize("after", range(5))
def test_Q_24_so_do_both_that_were_being_made(order, ender, after):
    pair = connected()
    mail = Mail(pair)
    rekey_ike(pair.client)
    rekey_ike(pair.gateway)
    for number, wanted in enumerate((*order, 0)):
        if number == after:
            getattr(pair, ender).gateway.terminate(1)
        if mail.held:
            pair.world.wire.deliver(mail.held.pop(wanted % len(mail.held)))
    mail.release()
    nothing_is_left(pair)


@SIDES
def test_Q_24_a_gateway_that_stops_takes_what_is_being_made_along(side):
    pair = connected()
    host, mail = getattr(pair, side), Mail(pair)
    rekey_ike(host)
    pair.world.wire.deliver(mail.held.pop())
    stopped = []
    host.gateway.shutdown().addCallback(stopped.append)
    mail.release()
    pair.world.run(1.0, 0.05)
    assert stopped
    nothing_is_left(pair)


def test_Q_24_what_was_asked_of_it_meanwhile_is_not_asked_of_the_other():
    """It was told to end, then to authenticate anew: that would bring up a session that nobody ends."""
    pair = connected()
    mail = Mail(pair)
    rekey_ike(pair.client)
    pair.world.wire.deliver(mail.held.pop())
    pair.client.gateway.terminate(1)
    pair.client.gateway.authenticate_anew(1)
    mail.release()
    nothing_is_left(pair)
