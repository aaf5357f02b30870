"""Accounting over the RADIUS client: what an answer, silence and nonsense mean for a record."""

from ipaddress import ip_address
from random import Random

import pytest
from memory_pair import Answer
from twisted.internet.task import Clock

from ikegw.config.radius import RadiusRealm, RadiusServer, RadiusSettings
from ikegw.radius.accounting_asking import asking
from ikegw.radius.accounting_sender import NeverAccepted, NotAcknowledged
from ikegw.radius.client import RadiusClient
from ikegw.radius.packets import Code
from ikegw.testing.radius import MemoryServer

SETTINGS = RadiusSettings(
    (RadiusServer("one", ip_address("127.0.0.1"), b"testing123"),), (RadiusRealm("isp", ("one",)),)
)
START = (
    ("Acct-Status-Type", 1),
    ("Acct-Session-Id", "5f-7"),
    ("Class", b"0x12"),
    ("Event-Timestamp", 1_790_000_000),
)


@pytest.fixture
def clock():
    return Clock()


def asked(clock, server, attributes=START, realm="isp"):
    client = RadiusClient(SETTINGS, lambda *_: server.open, clock, Random(1).randbytes, lambda event: None)
    return Answer(asking(client)(realm, attributes))


def test_an_answer_is_an_acknowledgement(clock):
    server = MemoryServer(behave=lambda asked: asked.answer(Code.ACCOUNTING_RESPONSE))
    assert asked(clock, server).value is None
    (packet,) = server.of(Code.ACCOUNTING_REQUEST)
    assert packet.packet["Class"] == [b"0x12"]
    assert packet.packet.VerifyAcctRequest()


def test_silence_is_none(clock):
    answer = asked(clock, MemoryServer())
    for _ in range(60):
        clock.advance(1.0)
    assert isinstance(answer.error, NotAcknowledged)
    assert "did not answer" in str(answer.error)


def test_a_realm_that_nobody_knows_may_be_configured_later(clock):
    assert isinstance(asked(clock, MemoryServer(), realm="elsewhere").error, NotAcknowledged)


def test_what_no_packet_can_hold_never_is_one(clock):
    too_much = tuple(("Class", bytes(253)) for _ in range(20))
    assert isinstance(asked(clock, MemoryServer(), too_much).error, NeverAccepted)
