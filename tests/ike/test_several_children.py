"""A connection with several children has one IKE SA, however it begins: at the start, after a dead peer, at re-authentication."""

from attrs import evolve

from ikegw.events import ChildUp, IkeUp
from ikegw.ike.sa import GIVE_WAY_SECONDS
from ikegw.policy.connections import Connection, DpdAction, StartAction
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.wire import Datagram
from ikegw.testing.world import Host
from ikegw.wire.message import decode_header
from ikegw.wire.registry import ExchangeType


def with_two(connection: Connection, **child: object) -> Connection:
    one = evolve(connection.children[0], **child)
    return evolve(connection, children=(one, evolve(one, name="other")))


def started(client: Connection) -> Pair:
    pair = make_pair(with_two(GATEWAY), client)
    pair.world.run(1.0)
    return pair


def names(host: Host) -> list[str]:
    return sorted(child[0] for row in host.gateway.listing() for child in row.children)


def have_one_ike_sa_with_both(pair: Pair) -> None:
    for host in (pair.client, pair.gateway):
        assert len(host.gateway.listing()) == 1
        assert len(host.plane.installed) == 2
    assert names(pair.client) == ["net", "other"]


def test_all_children_that_start_come_up_in_one_IKE_SA():
    """Each in an IKE SA of its own, they would replace one another at a peer that keeps one IKE SA for an identity."""
    pair = started(with_two(CLIENT, start=StartAction.START))
    have_one_ike_sa_with_both(pair)
    assert len(pair.client.heard(IkeUp)) == 1


def test_Q_25_all_children_that_restart_come_back_in_one_IKE_SA():
    pair = started(with_two(CLIENT, start=StartAction.START, dpd=DpdAction.RESTART))
    for sa in tuple(pair.gateway.gateway._by_spi.values()):
        sa.end()
    pair.world.run(400.0, 0.5)
    have_one_ike_sa_with_both(pair)
    assert len(pair.client.heard(IkeUp)) == 2


def lose_first(pair: Pair, exchange: ExchangeType) -> None:
    """The wire loses the first message of such an exchange, and no other."""
    lost: list[Datagram] = []

    def tap(datagram: Datagram) -> list[Datagram]:
        if not lost and decode_header(datagram.octets)[0].exchange is exchange:
            lost.append(datagram)
            return []
        return [datagram]

    pair.world.wire.tap = tap


def test_Q_17_the_old_ike_sa_stands_until_all_children_are_made_anew():
    """The gateway ended it once the new one was up (`unique`), while the client had made only the first child there."""
    pair = started(with_two(CLIENT, start=StartAction.START))
    (sa,) = pair.client.gateway._by_spi.values()
    lose_first(pair, ExchangeType.CREATE_CHILD_SA)
    pair.client.gateway._table.reauthenticate(sa)
    while len(pair.client.heard(ChildUp)) < 4:
        assert set(names(pair.client)) == {"net", "other"}
        assert len(pair.gateway.plane.installed) >= 2
        pair.world.run(0.001, 0.001)
    pair.world.run(60.0, 0.25)
    have_one_ike_sa_with_both(pair)


def test_a_client_that_never_deletes_the_ike_sa_that_it_replaced_has_one_all_the_same():
    pair = started(with_two(CLIENT, start=StartAction.START))
    (sa,) = pair.client.gateway._by_spi.values()
    pair.client.gateway._beginning.call(sa.connection, sa.connection.children[0])
    pair.world.run(GIVE_WAY_SECONDS / 2, 0.25)
    assert len(pair.gateway.gateway.listing()) == 2
    pair.gateway.gateway.rekey(1)
    pair.world.run(GIVE_WAY_SECONDS * 2, 0.25)
    assert len(pair.gateway.gateway.listing()) == 1


def test_Q_16_re_authentication_takes_all_children_along():
    pair = started(with_two(CLIENT, start=StartAction.START))
    (sa,) = pair.client.gateway._by_spi.values()
    pair.client.gateway._table.reauthenticate(sa)
    pair.world.run(60.0, 0.25)
    have_one_ike_sa_with_both(pair)
    assert [up.child for up in pair.client.heard(ChildUp)] == ["net", "other"] * 2
