"""Netlink as bad input: what is foreign, cut off, late or too much harms nobody, and is counted."""

import errno
import socket

import pytest
from fake_kernel import FakeKernel, FakeReactor

from ikegw.dataplane import netlink
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.hearing import Hearing
from ikegw.dataplane.xfrm.requests import Requests
from ikegw.dataplane.xfrm.values import Expired

ONE = (encoding.GETSA, 0, bytes(24))
ACKED = (encoding.DELSA, netlink.ACK, bytes(24))


class Asking:
    def __init__(self):
        self.kernel, self.reactor = FakeKernel(), FakeReactor()
        self.kernel.silent = True
        self.requests = Requests(self.reactor, self.kernel)
        self.outcomes = []

    def ask(self, *requests):
        self.requests.ask(requests).addCallback(self.outcomes.append)

    def read(self):
        self.reactor.readers[0].doRead()


@pytest.fixture
def asking():
    return Asking()


def error(number):
    return (-number).to_bytes(4, "little", signed=True)


def test_many_are_under_way_and_answers_find_their_request_in_any_order(asking):
    asking.ask(ACKED)
    asking.ask(ACKED, ACKED)
    asking.kernel.answer(netlink.ERROR, 3, error(errno.ESRCH))
    asking.kernel.answer(netlink.ERROR, 1, error(0))
    asking.kernel.answer(netlink.ERROR, 2, error(0))
    asking.read()
    (first,), (second, third) = asking.outcomes
    assert (first.refusal, second.refusal) == (None, None)
    assert third.refusal.number == errno.ESRCH


def test_what_is_refused_is_counted_but_not_that_something_is_gone_already(asking):
    asking.ask(ACKED, ACKED, ACKED, ACKED)
    for sequence, number in enumerate((errno.ENOMEM, 0, errno.ESRCH, errno.ENOMEM), 1):
        asking.kernel.answer(netlink.ERROR, sequence, error(number))
    asking.read()
    assert asking.requests.counts == {"refused_ENOMEM": 2}


def test_a_thousand_requests_go_in_parcels_that_have_room_for_their_answers(asking):
    asking.kernel.silent = False
    asking.ask(*[ACKED] * 1000)
    assert len(asking.outcomes[0]) == 1000
    assert asking.kernel.sends == 16


def test_what_another_process_sends_is_not_believed(asking):
    asking.ask(ACKED)
    asking.kernel.answer(netlink.ERROR, 1, error(0), sender=4711)
    asking.read()
    assert not asking.outcomes
    assert asking.requests.counts["foreign"] == 1


def test_a_truncated_answer_and_an_overrun_end_all_that_waits(asking):
    for spoil, counted in (
        (lambda: asking.kernel.answer(netlink.ERROR, 0, error(0), flags=socket.MSG_TRUNC), "truncated"),
        (lambda: asking.kernel.datagrams.append((b"\xff" * 20, 0, 0)), "truncated"),
        (lambda: asking.kernel.datagrams.append(OSError(errno.ENOBUFS, "no")), "overrun"),
    ):
        asking.ask(ACKED, ONE)
        spoil()
        asking.read()
        outcomes = asking.outcomes.pop()
        assert [outcome.refusal.number for outcome in outcomes] == [errno.ENOBUFS] * 2
        assert asking.requests.counts[counted]


def test_answers_that_nobody_asked_for_are_counted(asking):
    asking.kernel.answer(netlink.ERROR, 99, error(0))
    asking.read()
    assert asking.requests.counts["unasked"] == 1


def test_a_dump_is_all_until_done_and_other_requests_go_on_beside_it(asking):
    asking.ask(encoding.dump_states())
    asking.ask(ACKED)
    for _ in range(3):
        asking.kernel.answer(encoding.NEWSA, 1, b"x")
    asking.kernel.answer(netlink.ERROR, 2, error(0))
    asking.kernel.answer(encoding.NEWSA, 1, b"x")
    asking.kernel.answer(netlink.DONE, 1, bytes(4))
    asking.read()
    acked, dumped = asking.outcomes
    assert acked[0].refusal is None
    assert len(dumped[0].told) == 4


def test_closing_ends_what_waits_and_later_requests_are_refused(asking):
    asking.ask(ONE)
    asking.requests.close()
    asking.ask(ONE)
    assert [outcomes[0].refusal.number for outcomes in asking.outcomes] == [errno.EBADF] * 2
    assert not asking.reactor.readers


def test_a_callback_that_fails_takes_no_answer_from_others(asking):
    asking.requests.ask([ACKED]).addCallback(lambda _: 1 / 0).addErrback(lambda _: None)
    asking.ask(ACKED)
    for sequence in (1, 2):
        asking.kernel.answer(netlink.ERROR, sequence, error(0))
    asking.read()
    assert len(asking.outcomes) == 1


class Heard(FakeKernel):
    def recvfrom(self, size):
        octets, _, _, sender = self.recvmsg(size)
        return octets, sender


def test_events_that_are_nonsense_foreign_or_lost_are_counted_and_the_others_heard():
    kernel, reactor, heard, overruns = Heard(), FakeReactor(), [], []
    hearing = Hearing(reactor, kernel, heard.append, lambda: overruns.append(1))
    kernel.answer(encoding.EXPIRE, 0, bytes(10))
    kernel.answer(encoding.EXPIRE, 0, bytes(232))
    kernel.answer(encoding.EXPIRE, 0, bytes(56), sender=4711)
    kernel.datagrams.append((b"\xff" * 20, 0, 0))
    kernel.datagrams.append(OSError(errno.ENOBUFS, "no"))
    good = encoding.STATE.pack(bytes(56), bytes(16), bytes(4), 50, bytes(16), bytes(64), *[0] * 5, 2, 1, 0, 0)
    kernel.answer(encoding.EXPIRE, 0, good + bytes(8))
    kernel.answer(99, 0, b"of a later kernel")
    reactor.readers[0].doRead()
    assert hearing.counts == {"bad": 2, "foreign": 1, "truncated": 1, "overrun": 1}
    assert [type(told) for told in heard] == [Expired]
    assert overruns == [1]
    hearing.close()
    assert not reactor.readers


def test_an_event_whose_hearer_fails_closes_nothing():
    kernel, reactor, calls = Heard(), FakeReactor(), []

    def fail(told):
        calls.append(told)
        raise ZeroDivisionError

    Hearing(reactor, kernel, fail, lambda: None)
    good = encoding.STATE.pack(bytes(56), bytes(16), bytes(4), 50, bytes(16), bytes(64), *[0] * 5, 2, 1, 0, 0)
    for _ in range(2):
        kernel.answer(encoding.EXPIRE, 0, good + bytes(8))
    reactor.readers[0].doRead()
    assert len(calls) == 2
