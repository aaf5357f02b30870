"""Rows of Figures 6 and 7 that a good day does not show: refusals, later tries, re-authentication, the end from anywhere."""

import pytest
from attrs import evolve

from ikegw.events import IkeDown, IkeRekeyed, IkeUp, Refused
from ikegw.ike.living import Living
from ikegw.ike.sa import IkeSa
from ikegw.ike.slot import Intent
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.puppet import Puppet
from ikegw.testing.traffic import Flow
from ikegw.testing.world import Host
from ikegw.wire.configuration import ConfigAttribute, Configuration
from ikegw.wire.delete import Delete
from ikegw.wire.message import Message, decode_header
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ConfigAttributeType, ConfigType, ExchangeType, NotifyType, ProtocolId


def connected(gateway=GATEWAY, client=CLIENT) -> Pair:
    pair = make_pair(gateway, client)
    pair.client.gateway.initiate("home")
    pair.world.run(0.1)
    assert pair.client.plane.installed
    return pair


def sa_of(host: Host) -> IkeSa:
    (sa,) = (one for one in host.gateway._by_spi.values() if one.successor is None)
    return sa


def living(host: Host) -> Living:
    phase = sa_of(host).phase
    assert isinstance(phase, Living)
    return phase


def says(*payloads):
    """A peer that answers every CREATE_CHILD_SA with these, and all else with nothing inside."""
    return lambda message: payloads if message.header.exchange is ExchangeType.CREATE_CHILD_SA else ()


def is_opening(datagram) -> bool:
    return decode_header(datagram.octets)[0].exchange is ExchangeType.IKE_SA_INIT


# ---------------------------------------------------------------- rekeying


def test_Q_05_told_to_wait_it_asks_again_later_and_not_for_ever():
    pair = connected()
    puppet = Puppet(pair, pair.gateway, says(Notify(NotifyType.TEMPORARY_FAILURE)))
    pair.client.gateway.rekey(1)
    pair.world.run(0.3)
    assert pair.client.states("mature") == ["SM_REKEY", "SM_REKEY_WAIT", "SM_MATURE"]
    assert len(puppet.heard) == 1
    pair.world.run(30.0, 0.1)
    assert 3 <= len(puppet.heard) <= 8
    pair.world.run(400.0, 0.1)
    assert "out of step" in pair.client.heard(IkeDown)[0].reason
    assert pair.client.is_empty


def test_Q_06_refused_it_authenticates_anew_instead():
    pair = connected()
    old = sa_of(pair.gateway).connection
    sa_of(pair.gateway).connection = evolve(old, proposals=())
    flow = Flow(pair)
    pair.client.gateway.rekey(1)
    flow.run(2.0)
    assert pair.client.heard(Refused)[0].notify == "NO_PROPOSAL_CHOSEN"
    assert [str(up.sa) for up in pair.client.heard(IkeUp)] == ["home[1]", "home[2]"]
    assert pair.client.heard(IkeDown)[0].reason == "re-authenticated"
    assert not pair.client.heard(IkeRekeyed)
    assert len(pair.gateway.gateway.listing()) == 1


def test_Q_07_K_10_both_rekey_and_one_of_the_two_goes():
    pair = connected()
    for host in (pair.client, pair.gateway):
        host.gateway.rekey(1)
    pair.world.run(60.0, 0.1)
    for host in (pair.client, pair.gateway):
        assert len(host.gateway._by_spi) == 1
        assert len(host.heard(IkeRekeyed)) == 1
        assert sa_of(host).state == "SM_MATURE"
        assert not host.heard(IkeDown)
    assert sa_of(pair.client).spi_initiator == sa_of(pair.gateway).spi_initiator


# ---------------------------------------------------------------- re-authentication


def test_Q_16_Q_17_it_authenticates_anew_before_it_ends_the_old():
    pair = connected(client=evolve(CLIENT, reauth_seconds=100.0))
    flow = Flow(pair)
    flow.run(105.0, every=0.05)
    assert [str(up.sa) for up in pair.client.heard(IkeUp)] == ["home[1]", "home[2]"]
    assert pair.client.heard(IkeDown)[0].reason == "re-authenticated"
    order = [type(event).__name__ for event in pair.client.events if isinstance(event, IkeUp | IkeDown)]
    assert order == ["IkeUp", "IkeUp", "IkeDown"]
    assert len(pair.gateway.gateway.listing()) == len(pair.gateway.plane.installed) == 1
    assert "SM_REAUTH" in pair.client.states("mature")


def test_Q_18_what_came_to_nothing_is_tried_again():
    pair = connected(client=evolve(CLIENT, reauth_seconds=100.0, over_seconds=1000.0))
    pair.world.wire.tap = lambda datagram: [] if is_opening(datagram) else [datagram]
    pair.world.run(250.0, 0.1)
    states = pair.client.states("mature")
    assert states.count("SM_REAUTH") >= 1
    assert not [down for down in pair.client.heard(IkeDown) if down.was_up]
    assert len(pair.client.plane.installed) == 1
    pair.world.wire.tap = lambda datagram: [datagram]
    pair.world.run(120.0, 0.1)
    assert len(pair.client.heard(IkeUp)) >= 2
    assert len(pair.client.plane.installed) == len(pair.gateway.plane.installed) == 1


def test_Q_19_a_gateway_tells_the_time_and_the_client_authenticates_anew():
    """<-- INFORMATIONAL { N(AUTH_LIFETIME) }"""
    pair = connected(evolve(GATEWAY, reauth_seconds=1000.0, jitter_seconds=0.0, over_seconds=100.0))
    pair.world.run(1105.0, 0.5)
    assert len(pair.client.heard(IkeUp)) == 2
    assert pair.client.heard(IkeDown)[0].reason == "re-authenticated"
    assert len(pair.gateway.gateway.listing()) == 1


def test_Q_19_a_client_that_does_not_heed_it_is_ended():
    pair = connected(evolve(GATEWAY, reauth_seconds=1000.0, jitter_seconds=0.0, over_seconds=100.0))
    puppet = Puppet(pair, pair.client, lambda message: ())
    pair.world.run(1005.0, 0.5)
    (told,) = [notify for message in puppet.heard for notify in message.every(Notify)]
    assert (told.type, int.from_bytes(told.data, "big")) == (NotifyType.AUTH_LIFETIME, 100)
    assert pair.gateway.gateway.listing()
    pair.world.run(105.0, 0.5)
    assert pair.gateway.is_empty
    assert any(delete.protocol is ProtocolId.IKE for delete in puppet.heard[-1].every(Delete))
    assert "authentication is over" in pair.gateway.heard(IkeDown)[0].reason


# ---------------------------------------------------------------- the end, and the peer's requests


@pytest.mark.parametrize("state", ["SM_MATURE", "SM_REKEY_WAIT", "SM_DPD_WAIT", "SM_REAUTH"])
def test_Q_24_told_to_end_from_wherever_it_is(state):
    pair = connected(client=evolve(CLIENT, dpd_seconds=0.0))
    phase, puppet = living(pair.client), Puppet(pair, pair.gateway)
    sa_of(pair.client).last_heard = -1000.0
    intents = {"SM_REKEY_WAIT": Intent.REKEY, "SM_DPD_WAIT": Intent.DPD, "SM_REAUTH": Intent.REAUTH}
    if state in intents:
        phase.slot.post(intents[state])
    assert phase.sa.state == state
    phase.told_to_end("the operator ended it")
    assert phase.sa.state == "SM_DYING"
    phase.told_to_end("again, which changes nothing")
    puppet.answer = says(Notify(NotifyType.TEMPORARY_FAILURE))
    pair.world.run(10.0, 0.1)
    assert phase.sa.state == "SM_DEAD"
    assert pair.client.heard(IkeDown)[0].reason == "the operator ended it"


def test_P_09_a_client_asks_once_more_what_it_was_lent():
    """INFORMATIONAL { CP(CFG_REQUEST) } -->  <-- INFORMATIONAL { CP(CFG_REPLY) }"""
    pair = connected()
    puppet = Puppet(pair, pair.client)
    asked = (ConfigAttributeType.INTERNAL_IP4_ADDRESS, ConfigAttributeType.INTERNAL_IP4_DNS)
    request = Configuration(ConfigType.REQUEST, tuple(map(ConfigAttribute, asked)))
    answer = puppet.ask(ExchangeType.INFORMATIONAL, request).need(Configuration)
    assert answer.type is ConfigType.REPLY
    values = {attribute.type: attribute.value for attribute in answer.attributes}
    assert values[ConfigAttributeType.INTERNAL_IP4_ADDRESS] == bytes((10, 3, 0, 1))
    assert values[ConfigAttributeType.INTERNAL_IP4_DNS] == bytes((10, 1, 0, 53))


def test_P_09_who_lends_nothing_has_nothing_to_tell():
    pair = connected()
    puppet = Puppet(pair, pair.gateway)
    answer: Message = puppet.ask(ExchangeType.INFORMATIONAL, Configuration(ConfigType.REQUEST, ()))
    assert answer.payloads == ()
