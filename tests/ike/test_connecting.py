"""An initiator and a responder of ours, from the first datagram to the last: Figures 2, 4 and 6 on their good days."""

from ipaddress import IPv4Address, IPv4Network

from attrs import evolve

from ikegw.events import AddressLeased, AddressReleased, ChildDown, ChildUp, IkeDown, IkeUp
from ikegw.gate.limits import Limits
from ikegw.ike.beginning import Beginning
from ikegw.policy.proposals import parse_offer
from ikegw.testing.pair import CLIENT, GATEWAY, make_pair
from ikegw.wire.message import decode_header, decode_message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType


def exchanges(pair):
    """(message ID, exchange, is it a response) of everything that went over the wire, in order."""
    headers = [decode_header(datagram.octets)[0] for datagram in pair.world.wire.history]
    return [(h.message_id, h.exchange.name, "response" if h.is_response else "request") for h in headers]


def connect(pair, name="home"):
    came_up, failed = [], []
    pair.client.gateway.initiate(name).addCallbacks(came_up.append, failed.append)
    pair.world.run()
    assert not failed, failed[0].getErrorMessage()
    return came_up[0]


def test_I_01_I_05_I_06_and_R_01_R_04_R_17_shared_key_address_and_child(pair):
    """
    IKE_SA_INIT { SA, KE, Ni, N(NAT-D)… } -->
    <-- IKE_SA_INIT { SA, KE, Nr, N(NAT-D)… }
    IKE_AUTH { IDi, IDr, AUTH, CP(CFG_REQUEST), SA, TSi, TSr } -->
    <-- IKE_AUTH { IDr, AUTH, CP(CFG_REPLY), SA, TSi, TSr }
    """
    assert str(connect(pair)) == "home[1]"
    assert exchanges(pair) == [
        (0, "IKE_SA_INIT", "request"),
        (0, "IKE_SA_INIT", "response"),
        (1, "IKE_AUTH", "request"),
        (1, "IKE_AUTH", "response"),
    ]
    assert pair.client.states("initiator") == ["SMI_AUTH", "SMI_AUTH_WAIT", "SM_MATURE"]
    assert pair.gateway.states("responder") == ["SMR_AUTH", "SMR_AUTH_FINALIZE", "SM_MATURE"]
    assert pair.client.states("child net") == pair.gateway.states("child net") == ["SA_MATURE"]
    (ours,), (theirs,) = pair.client.heard(IkeUp), pair.gateway.heard(IkeUp)
    assert (ours.spi_initiator, ours.spi_responder) == (theirs.spi_initiator, theirs.spi_responder)
    assert ours.suite == theirs.suite
    assert pair.gateway.gateway.half_open_total == 0


def test_C_01_both_ends_install_the_same_child(pair):
    connect(pair)
    (lease,) = pair.gateway.heard(AddressLeased)
    assert [str(address.ip) for address in lease.addresses] == ["10.3.0.1", "fd00:3::1"]
    (mine,), (peers) = pair.client.plane.installed, pair.gateway.plane.installed
    assert [str(address) for address in mine.virtual] == ["10.3.0.1", "fd00:3::1"]
    assert mine.inbound_spi == peers[0].outbound_spi
    assert mine.outbound_spi == peers[0].inbound_spi
    assert mine.inbound_keys == peers[0].outbound_keys
    assert mine.outbound_keys == peers[0].inbound_keys
    assert mine.local_selectors == peers[0].remote_selectors
    assert not mine.udp_encapsulated


def test_P_01_the_client_leaves_and_nothing_stays(pair):
    """INFORMATIONAL { D(IKE) } -->  <-- INFORMATIONAL { }"""
    connect(pair)
    gone = []
    pair.client.gateway.terminate(1).addCallback(gone.append)
    pair.world.run()
    assert gone
    assert pair.is_empty
    assert pair.client.states("mature") == ["SM_TERMINATE", "SM_DYING", "SM_DEAD"]
    assert pair.gateway.states("mature") == ["SM_DEAD"]
    assert len(pair.gateway.heard(AddressReleased)) == 1
    (down,) = pair.gateway.heard(IkeDown)
    assert (down.reason, down.was_up) == ("the peer deleted it", True)
    assert len(pair.gateway.heard(ChildDown)) == len(pair.client.heard(ChildDown)) == 1


def test_Q_26_the_gateway_shuts_down_in_order(pair):
    connect(pair)
    stopped = []
    pair.gateway.gateway.shutdown().addCallback(stopped.append)
    pair.world.run()
    assert stopped
    assert pair.is_empty
    assert pair.client.heard(IkeDown)[0].reason == "the peer deleted it"


def test_Q_27_a_shutdown_does_not_wait_for_a_dead_peer(pair):
    connect(pair)
    pair.world.wire.leave(pair.client.address)
    stopped = []
    pair.gateway.gateway.shutdown().addCallback(stopped.append)
    pair.world.run(3.0, 0.1)
    assert not stopped
    pair.world.run(2.0, 0.1)
    assert stopped
    assert pair.gateway.is_empty


def test_D_02_D_03_I_03_a_gateway_under_load_wants_its_cookie_back():
    """
    IKE_SA_INIT { SA, KE, Ni } -->
    <-- IKE_SA_INIT { N(COOKIE) }
    IKE_SA_INIT { N(COOKIE), SA, KE, Ni } -->
    """
    pair = make_pair(limits=Limits(cookie_total=0))
    connect(pair)
    assert pair.client.states("initiator")[:4] == ["SMI_AUTH", "IKE_SMI_COOKIE", "SMI_AUTH", "SMI_AUTH_WAIT"]
    first, challenge, second = (decode_message(d.octets) for d in pair.world.wire.history[:3])
    assert challenge.notify(NotifyType.COOKIE) == second.payloads[0]
    assert second.payloads[1:] == first.payloads
    assert first.header.initiator_spi == second.header.initiator_spi


def test_R_02_I_04_the_gateway_wants_another_group_and_gets_the_cookie_again():
    """RFC 7296 §2.6.1: a cookie and INVALID_KE_PAYLOAD in one opening."""
    client = evolve(CLIENT, proposals=parse_offer("ike", "aes256gcm16-prfsha256-ecp256-x25519"))
    gateway = evolve(GATEWAY, proposals=parse_offer("ike", "aes256gcm16-prfsha256-x25519"))
    pair = make_pair(gateway, client, limits=Limits(cookie_total=0))
    connect(pair)
    assert pair.client.states("initiator") == [
        "SMI_AUTH",
        "IKE_SMI_COOKIE",
        "SMI_AUTH",
        "IKE_SMI_INVALIDKE",
        "SMI_AUTH",
        "SMI_AUTH_WAIT",
        "SM_MATURE",
    ]
    assert pair.gateway.states("responder")[0] == "SM_DEAD"
    final = decode_message(pair.world.wire.history[4].octets)
    assert isinstance(final.payloads[0], Notify)
    assert final.payloads[0].type is NotifyType.COOKIE


def test_I_05_behind_a_forced_nat_all_goes_over_4500():
    pair = make_pair(client=evolve(CLIENT, force_encapsulation=True))
    connect(pair)
    ports = [(d.path.local.port, d.path.remote.port) for d in pair.world.wire.history]
    assert ports == [(500, 500), (500, 500), (4500, 4500), (4500, 4500)]
    assert pair.client.plane.installed[0].udp_encapsulated
    assert pair.gateway.plane.installed[0].udp_encapsulated
    assert pair.gateway.plane.installed[0].path.remote.port == 4500


def test_a_peer_without_nat_traversal_is_served_without():
    pair = make_pair(client=evolve(CLIENT, nat_traversal=False))
    connect(pair)
    assert not any(
        notify.type in (NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP)
        for datagram in pair.world.wire.history[:2]
        for notify in decode_message(datagram.octets).every(Notify)
    )


def test_two_children_policies_the_one_whose_selectors_meet_is_taken():
    first = evolve(GATEWAY.children[0], name="other", local_selectors=())
    pair = make_pair(evolve(GATEWAY, children=(first, *GATEWAY.children)))
    connect(pair)
    assert [up.child for up in pair.gateway.heard(ChildUp)] == ["net"]


def test_narrowing_the_client_gets_only_what_the_gateway_allows():
    wide = evolve(
        CLIENT.children[0],
        remote_selectors=tuple(
            s for s in (*GATEWAY.children[0].local_selectors, *GATEWAY.children[0].local_selectors)
        ),
    )
    pair = make_pair(client=evolve(CLIENT, children=(wide,), virtual=(IPv4Address("0.0.0.0"),)))
    connect(pair)
    (up,) = pair.client.heard(ChildUp)
    assert up.remote_selectors == GATEWAY.children[0].local_selectors
    assert [str(s.start) for s in up.local_selectors] == ["10.3.0.1"]


def test_initial_contact_replaces_the_session_of_a_client_that_came_back_and_gets_its_address_again(pair):
    connect(pair)
    before = pair.client.plane.installed[0].virtual
    returned = pair.world.host(
        "192.0.2.2", pair.client.gateway.connections, pair.client.gateway.authenticator.credentials
    )
    returned.gateway.initiate("home")
    pair.world.run()
    assert [row.state for row in pair.gateway.gateway.listing()] == ["SM_MATURE"]
    assert "INITIAL_CONTACT" in pair.gateway.heard(IkeDown)[0].reason
    assert len(pair.gateway.plane.installed) == 1
    assert returned.plane.installed[0].virtual == before, "the address that it had"


def test_replace_deletes_the_older_session_of_the_same_identity(pair, monkeypatch):
    connect(pair)
    other = pair.world.host(
        "192.0.2.3",
        (evolve(CLIENT, remote_addresses=(IPv4Network("192.0.2.1/32"),)),),
        pair.client.gateway.authenticator.credentials,
    )
    monkeypatch.setattr(Beginning, "_first_contact", lambda self, connection: False)
    other.gateway.initiate("home")
    pair.world.run()
    assert len(pair.gateway.gateway.listing()) == 1
    assert not pair.client.gateway.listing()
    assert other.plane.installed


def test_reload_closes_what_changed_and_leaves_the_rest(pair):
    connect(pair)
    pair.gateway.gateway.reload((GATEWAY, evolve(GATEWAY, name="another")))
    pair.world.run()
    assert len(pair.gateway.gateway.listing()) == 1
    pair.gateway.gateway.reload((evolve(GATEWAY, dpd_seconds=1.0),))
    pair.world.run()
    assert pair.is_empty


def test_the_table_of_sas_says_who_and_what(pair):
    connect(pair)
    (row,) = pair.gateway.gateway.listing()
    assert (str(row.name), row.state, row.initiator) == ("road[1]", "SM_MATURE", False)
    assert row.remote == "carol@test"
    assert row.addresses == ("10.3.0.1", "fd00:3::1")
    ((name, state, *_rest),) = row.children
    assert (name, state) == ("net", "SA_MATURE")


def test_liveness_P_02_an_empty_request_gets_an_empty_answer(pair):
    """INFORMATIONAL { } -->  <-- INFORMATIONAL { }"""
    connect(pair)
    (sa,) = pair.client.gateway._by_spi.values()
    answers = []
    sa.phase.send(ExchangeType.INFORMATIONAL, (), answers.append)
    pair.world.run()
    assert [message.payloads for message in answers] == [()]
    assert answers[0].header.exchange is ExchangeType.INFORMATIONAL
    assert pair.gateway.gateway.listing()[0].state == "SM_MATURE"
