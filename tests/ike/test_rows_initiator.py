"""Rows of Figures 2 and 3 that a good connection does not show: what is illegal, what ends early, what is sent again."""

from itertools import pairwise

import pytest
from attrs import evolve

from ikegw.events import Dropped, IkeDown, Refused
from ikegw.gate.limits import Limits
from ikegw.ike.gateway import NotBegun
from ikegw.testing.pair import Pair, make_pair
from ikegw.testing.puppet import Puppet
from ikegw.testing.wire import Datagram
from ikegw.wire.delete import Delete
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message, decode_header, decode_message, encode_message
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import ExchangeType, KeGroup, NotifyType, ProtocolId, TransformType


def begin(pair: Pair) -> list[str]:
    """The client begins; the list is to hold how it went."""
    ended: list[str] = []
    pair.client.gateway.initiate("home").addCallbacks(
        lambda name: ended.append("it came up"), lambda failure: ended.append(failure.getErrorMessage())
    )
    return ended


def is_init_answer(datagram: Datagram) -> bool:
    header = decode_header(datagram.octets)[0]
    return header.exchange is ExchangeType.IKE_SA_INIT and header.is_response


def connected() -> Pair:
    pair = make_pair()
    ended = begin(pair)
    pair.world.run(0.1)
    assert ended == ["it came up"]
    return pair


def test_I_02_there_is_no_connection_to_begin_with(pair):
    failed = []
    pair.client.gateway.initiate("nowhere").addErrback(failed.append)
    assert failed[0].check(NotBegun)
    assert "no connection nowhere" in failed[0].getErrorMessage()
    assert not pair.world.wire.history


# ---------------------------------------------------------------- illegal answers and unprotected errors


def foreign_suite(payload):
    if not isinstance(payload, SecurityAssociation):
        return payload
    (proposal,) = payload.proposals
    transforms = [
        evolve(each, id=3) if each.type is TransformType.ENCR else each for each in proposal.transforms
    ]
    return SecurityAssociation((evolve(proposal, transforms=tuple(transforms)),))


def other_group(payload):
    return KeyExchange(KeGroup(14), b"\x02" + bytes(255)) if isinstance(payload, KeyExchange) else payload


def bad_value(payload):
    return evolve(payload, public=bytes(len(payload.public))) if isinstance(payload, KeyExchange) else payload


@pytest.mark.parametrize("spoil", [foreign_suite, other_group, bad_value])
def test_IE_04_an_illegal_answer_is_ignored_and_the_honest_one_taken(pair, spoil):
    def tap(datagram: Datagram):
        if not is_init_answer(datagram):
            return [datagram]
        message = decode_message(datagram.octets)
        illegal = Message(message.header, tuple(map(spoil, message.payloads)))
        assert illegal != message
        return [evolve(datagram, octets=encode_message(illegal)), datagram]

    pair.world.wire.tap = tap
    ended = begin(pair)
    pair.world.run(0.1)
    assert ended == ["it came up"]
    assert [drop.reason for drop in pair.client.heard(Dropped)] == ["illegal-response"]


@pytest.mark.parametrize("kind", [NotifyType.INVALID_SYNTAX, NotifyType.INVALID_MAJOR_VERSION])
@pytest.mark.parametrize("honest", [False, True])
def test_IE_05_another_unprotected_error_is_a_hint(pair, kind, honest):
    def tap(datagram: Datagram):
        if not is_init_answer(datagram):
            return [datagram]
        header = evolve(decode_header(datagram.octets)[0], responder_spi=bytes(8))
        forged = evolve(datagram, octets=encode_message(Message(header, (Notify(kind),))))
        return [forged, datagram] if honest else [forged]

    pair.world.wire.tap = tap
    ended = begin(pair)
    pair.world.run(60.0, 0.1)
    if honest:
        assert ended == ["it came up"]
    else:
        assert kind.name in ended[0]
        assert pair.is_empty


# ---------------------------------------------------------------- ending early


def test_IE_15_IE_20_told_to_end_before_there_are_keys(pair):
    pair.world.wire.leave(pair.gateway.address)
    ended = begin(pair)
    sent = len(pair.world.wire.history)
    pair.client.gateway.terminate(1)
    assert pair.client.states("initiator")[-1] == "SM_TERMINATE"
    assert pair.client.states("mature") == ["SM_DYING", "SM_DEAD"]
    pair.world.run(100.0, 0.5)
    assert len(pair.world.wire.history) == sent
    assert "the operator ended it" in ended[0]
    assert pair.is_empty


def test_IE_14_IE_16_IE_20_told_to_end_while_IKE_AUTH_is_awaited():
    """IKE_AUTH -->  <-- IKE_AUTH  INFORMATIONAL { D(IKE) } -->  <-- INFORMATIONAL { }"""
    pair = make_pair()
    ended = begin(pair)
    while pair.client.states("initiator")[-1:] != ["SMI_AUTH_WAIT"]:
        pair.world.clock.advance(0.001)
    pair.client.gateway.terminate(1)
    pair.world.run(1.0)
    assert pair.client.states("initiator")[-1] == "SM_TERMINATE"
    assert pair.client.states("mature") == ["SM_DYING", "SM_DEAD"]
    assert "the operator ended it" in ended[0]
    assert [down.reason for down in pair.gateway.heard(IkeDown)] == ["the peer deleted it"]
    assert pair.is_empty


def test_IE_17_a_DELETE_that_is_never_answered():
    pair = connected()
    pair.world.wire.leave(pair.gateway.address)
    pair.client.gateway.terminate(1)
    pair.world.run(5.0, 0.1)
    assert pair.client.gateway.listing()[0].state == "SM_DYING"
    pair.world.run(120.0, 0.5)
    assert pair.client.is_empty
    assert pair.client.states("mature") == ["SM_TERMINATE", "SM_DYING", "SM_DEAD"]


def test_IE_18_the_peers_DELETE_crosses_ours():
    """INFORMATIONAL { D(IKE) } -->, unanswered;  <-- INFORMATIONAL { D(IKE) }  INFORMATIONAL { } -->"""
    pair = connected()
    puppet = Puppet(pair, pair.gateway)
    pair.client.gateway.terminate(1)
    pair.world.run(0.1)
    answer = puppet.ask(ExchangeType.INFORMATIONAL, Delete(ProtocolId.IKE, ()))
    assert answer.payloads == ()
    assert pair.client.is_empty


def test_IE_19_K_13_while_a_DELETE_is_under_way_nothing_new_is_begun():
    """<-- CREATE_CHILD_SA {…}  CREATE_CHILD_SA { N(TEMPORARY_FAILURE) } -->  <-- INFORMATIONAL { }  INFORMATIONAL { } -->"""
    pair = connected()
    puppet = Puppet(pair, pair.gateway)
    pair.client.gateway.terminate(1)
    pair.world.run(0.1)
    asked = puppet.ask(ExchangeType.CREATE_CHILD_SA, *puppet.child_request(b"\0new"))
    assert asked.notify(NotifyType.TEMPORARY_FAILURE)
    assert puppet.ask(ExchangeType.INFORMATIONAL).payloads == ()
    assert pair.client.gateway.listing()[0].state == "SM_DYING"


# ---------------------------------------------------------------- below the machines


def test_L_02_L_09_a_request_is_sent_again_the_same_at_growing_intervals(pair):
    times, octets = [], []

    def tap(datagram: Datagram):
        times.append(pair.world.clock.seconds())
        octets.append(datagram.octets)
        return []

    pair.world.wire.tap = tap
    ended = begin(pair)
    pair.world.run(150.0, 0.05)
    assert len(set(octets)) == 1
    waits = [after - before for before, after in pairwise(times)]
    assert len(waits) == 5
    assert all(later > earlier for earlier, later in pairwise(waits))
    assert "no answer" in ended[0]
    assert pair.client.states("initiator") == [
        "SMI_AUTH",
        "SM_DEAD",
    ]  # of all that, the machine heard the end


def test_L_04_an_answer_to_nothing_outstanding_changes_nothing():
    pair = connected()
    puppet = Puppet(pair, pair.gateway)
    for number in (0, 1, 2, 9):
        puppet._say(ExchangeType.INFORMATIONAL, (Delete(ProtocolId.IKE, ()),), number, response=True)
    pair.world.run(0.1)
    assert [drop.reason for drop in pair.client.heard(Dropped)] == ["response-not-awaited"] * 4
    assert pair.client.gateway.listing()[0].state == "SM_MATURE"


def test_L_05_a_cookie_is_asked_for_and_nothing_is_kept():
    pair = make_pair(limits=Limits(cookie_total=0))
    pair.world.wire.tap = lambda d: [] if d.path.local.address == pair.gateway.address else [d]
    begin(pair)
    pair.world.run(0.1)
    (challenge,) = (d.octets for d in pair.world.wire.history if d.path.local.address == pair.gateway.address)
    assert decode_message(challenge).notify(NotifyType.COOKIE)
    assert pair.gateway.is_empty
    assert not pair.gateway.heard(Refused)
    assert not pair.gateway.states("responder")


def test_L_01_what_does_not_open_or_belongs_to_nobody_is_dropped():
    pair = connected()
    (sa,) = pair.gateway.gateway._by_spi.values()
    sent = len(pair.world.wire.history)
    header = Header(sa.spi_initiator, sa.spi_responder, ExchangeType.INFORMATIONAL, False, True, 2)
    forged = bytearray(pair.client.gateway._by_spi[sa.spi_initiator].channel.seal(header, ()))
    forged[-1] ^= 1
    foreign = bytearray(forged)
    foreign[8:16] = b"no such!"
    for octets in (bytes(forged), bytes(forged[:40]), b"", bytes(foreign)):
        pair.gateway.gateway.datagram_received(sa.path, octets)
    assert len(pair.gateway.heard(Dropped)) >= 3
    told = [
        decode_message(each.octets).notify(NotifyType.INVALID_IKE_SPI)
        for each in pair.world.wire.history[sent:]
    ]
    assert all(told)
    assert sa.state == "SM_MATURE"
