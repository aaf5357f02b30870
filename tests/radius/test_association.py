"""Requests to one server: sent, sent again, answered, given up; many at a time; and what is nobody's answer."""

import pytest
from memory_pair import accept, make_pair

from ikegw.events import ServerAnswered, ServerSilent
from ikegw.radius.flight import Unanswered
from ikegw.radius.packets import BadReply, Code


def test_a_request_is_answered() -> None:
    p = make_pair()
    answer = p.ask(("User-Name", "alice"), ("State", b"0x41"))
    (asked,) = p.server.asked
    assert asked.packet["User-Name"] == ["alice"]
    assert asked.packet[24] == [b"0x41"]  # as it is: no hex
    assert answer.waits
    asked.answer(Code.ACCESS_CHALLENGE, ("State", b"s1"), ("EAP-Message", b"\1\2"))
    assert answer.value.code is Code.ACCESS_CHALLENGE
    assert answer.value.octets("State") == (b"s1",)
    assert p.association.load == 0
    assert not p.clock.getDelayedCalls()


@pytest.mark.parametrize("code", [Code.ACCESS_REQUEST, Code.STATUS_SERVER])
def test_a_Message_Authenticator_is_the_first_attribute(code: Code) -> None:
    p = make_pair()
    p.ask(code=code)
    (asked,) = p.server.asked
    assert asked.octets[20:22] == b"\x50\x12"
    assert asked.packet.verify_message_authenticator()


def test_an_accounting_request_is_signed_by_its_authenticator() -> None:
    p = make_pair()
    answer = p.ask(("Acct-Status-Type", "Start"), ("Acct-Session-Id", "s1"), code=Code.ACCOUNTING_REQUEST)
    (asked,) = p.server.asked
    assert asked.packet.VerifyAcctRequest()
    asked.link.deliver(asked.reply(Code.ACCOUNTING_RESPONSE, signed=False))
    assert answer.value.code is Code.ACCOUNTING_RESPONSE


def test_a_lost_request_is_sent_again_as_it_was_at_growing_intervals() -> None:
    p = make_pair()
    answer = p.ask()
    times: list[float] = []
    for _ in range(200):
        p.pump(0.1)
        repeated = len(p.server.of(Code.ACCESS_REQUEST)) - 1
        times += [p.clock.seconds()] * (repeated - len(times))
    assert len({asked.octets for asked in p.server.of(Code.ACCESS_REQUEST)}) == 1
    assert times == [pytest.approx(2, abs=0.3), pytest.approx(6, abs=0.8)]
    assert isinstance(answer.error, Unanswered)
    assert str(answer.error).startswith("one (192.0.2.1:1812) did not answer, asked 3 times in 1")


def test_no_two_waits_are_alike() -> None:
    p = make_pair()
    for _ in range(20):
        p.ask()
    waits = {call.getTime() for call in p.clock.getDelayedCalls()}
    assert len(waits) == 20
    assert 1.8 <= min(waits) < max(waits) <= 2.2


def test_256_requests_on_a_socket_and_then_another_socket() -> None:
    p = make_pair()
    answers = [p.ask() for _ in range(600)]
    assert [len([a for a in p.server.asked if a.link is link]) for link in p.server.links] == [256, 256, 88]
    for asked in reversed(p.server.asked):
        accept(asked)
    assert all(answer.value for answer in answers)
    assert p.association.counts["answered"] == 600


def test_an_identifier_that_was_used_last_is_used_again_last() -> None:
    p = make_pair()
    p.server.behave = accept
    for _ in range(300):
        assert p.ask().value
    assert [asked.packet.id for asked in p.server.asked] == [*range(256), *range(44)]
    assert len(p.server.links) == 1


def test_above_the_limit_requests_wait_and_above_that_they_fail_at_once() -> None:
    p = make_pair(most_in_flight=2, most_waiting=1)
    first, second, third, fourth = (p.ask() for _ in range(4))
    assert str(fourth.error) == "one (192.0.2.1:1812): 2 requests are in flight and 1 wait already"
    assert len(p.server.asked) == 2
    p.server.asked[0].answer(Code.ACCESS_ACCEPT)
    assert first.value
    assert len(p.server.asked) == 3
    p.server.asked[2].answer(Code.ACCESS_REJECT)
    assert third.value.code is Code.ACCESS_REJECT
    assert second.waits


def test_a_cancelled_request_leaves_nothing() -> None:
    p = make_pair(most_in_flight=1)
    flying, waiting = p.ask(), p.ask()
    waiting.deferred.cancel()
    flying.deferred.cancel()
    assert p.association.load == 0
    assert not p.clock.getDelayedCalls()
    accept(p.server.asked[0])
    assert p.association.counts["late"] == 1


def test_what_cannot_be_put_into_a_packet_fails_and_leaves_nothing() -> None:
    p = make_pair()
    assert isinstance(p.ask(("User-Name", "a" * 254)).error, ValueError)
    assert isinstance(p.ask(*[("State", bytes(253))] * 20).error, ValueError)
    assert p.association.load == 0
    assert not p.clock.getDelayedCalls()


class TestWhatIsNobodysAnswer:
    def test_one_made_with_another_secret(self) -> None:
        p = make_pair()
        answer = p.ask()
        (asked,) = p.server.asked
        asked.link.deliver(asked.reply(Code.ACCESS_ACCEPT, secret=b"other"))
        assert p.association.counts["forged"] == 1
        assert answer.waits
        p.pump(20)
        assert "its secret does not fit" in str(answer.error)

    @pytest.mark.parametrize("code", [Code.ACCESS_ACCEPT, Code.ACCESS_CHALLENGE, Code.ACCESS_REJECT])
    def test_one_without_Message_Authenticator(self, code: Code) -> None:
        p = make_pair()
        answer = p.ask()
        (asked,) = p.server.asked
        asked.link.deliver(asked.reply(code, signed=False))
        assert p.association.counts["no-message-authenticator"] == 1
        assert answer.waits
        p.pump(20)
        assert "carries no Message-Authenticator (CVE-2024-3596)" in str(answer.error)

    @pytest.mark.parametrize("code", [Code.ACCESS_ACCEPT, Code.ACCESS_CHALLENGE, Code.ACCESS_REJECT])
    def test_an_old_server_needs_none(self, code: Code) -> None:
        p = make_pair(old=True)
        answer = p.ask()
        (asked,) = p.server.asked
        asked.link.deliver(asked.reply(code, signed=False))
        assert answer.value.code is code

    def test_nor_does_what_only_says_that_a_server_lives(self) -> None:
        p = make_pair()
        answer = p.ask(code=Code.STATUS_SERVER)
        (asked,) = p.server.asked
        asked.link.deliver(asked.reply(Code.ACCESS_ACCEPT, signed=False))
        assert answer.value.code is Code.ACCESS_ACCEPT

    def test_but_if_an_old_one_has_it_it_must_be_right(self) -> None:
        p = make_pair(old=True)
        answer = p.ask()
        (asked,) = p.server.asked
        asked.link.deliver(
            asked.reply(Code.ACCESS_ACCEPT, ("Message-Authenticator", bytes(16)), signed=False)
        )
        assert p.association.counts["forged"] == 1
        assert answer.waits

    @pytest.mark.parametrize("signed", [True, False])
    def test_a_Proxy_State_that_we_never_sent(self, signed: bool) -> None:
        p = make_pair(old=not signed)
        answer = p.ask()
        (asked,) = p.server.asked
        asked.link.deliver(asked.reply(Code.ACCESS_ACCEPT, ("Proxy-State", b"collision"), signed=signed))
        assert p.association.counts["proxy-state"] == 1
        assert answer.waits
        p.pump(20)
        assert "a proxy on the way must take out its own" in str(answer.error)

    def test_an_answer_to_something_else(self) -> None:
        p = make_pair()
        answer = p.ask()
        p.server.asked[0].answer(Code.ACCOUNTING_RESPONSE)
        assert p.association.counts["foreign"] == 1
        assert answer.waits

    def test_a_foreign_identifier_and_a_late_one(self) -> None:
        p = make_pair()
        answer = p.ask()
        (asked,) = p.server.asked
        reply = asked.reply(Code.ACCESS_ACCEPT)
        asked.link.deliver(reply[:1] + b"\x99" + reply[2:])
        assert p.association.counts["foreign"] == 1
        asked.link.deliver(reply)
        assert answer.value
        asked.link.deliver(reply)
        assert p.association.counts["late"] == 1


def test_an_attribute_of_a_wrong_length_is_the_servers_fault() -> None:
    p = make_pair()
    answer = p.ask()
    p.server.asked[0].answer(Code.ACCESS_ACCEPT, ("Framed-IP-Address", b"\x0a\x01\x01"))
    assert isinstance(answer.error, BadReply)
    assert str(answer.error) == (
        "one (192.0.2.1:1812) sent Framed-IP-Address of a wrong length: "
        "Invalid ipaddr value: expected 4 bytes, got 3"
    )


def test_closing_fails_what_waits() -> None:
    p = make_pair(most_in_flight=1)
    flying, waiting = p.ask(), p.ask()
    p.association.close()
    assert str(flying.error) == str(waiting.error) == "one (192.0.2.1:1812) is no longer configured"
    assert all(link.closed for link in p.server.links)
    assert str(p.ask().error) == str(flying.error)
    assert len(p.server.asked) == 1
    assert not p.clock.getDelayedCalls()


def test_what_is_answered_and_what_is_not_is_told_with_the_seconds() -> None:
    p = make_pair()
    p.ask()
    p.pump(0.5)
    accept(p.server.asked[0])
    p.ask()
    p.pump(20)
    told = [event for event in p.events if isinstance(event, ServerAnswered | ServerSilent)]
    assert told == [ServerAnswered("radius", "one", pytest.approx(0.5)), ServerSilent("radius", "one")]
