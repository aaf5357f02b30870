"""The anti-replay window against a set of numbers, and extended sequence numbers against the truth (RFC 4303 appendix A)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikegw.dataplane.userspace.replay import ReplayWindow, extended


class Naive:
    def __init__(self, size):
        self.size, self.top, self.seen = size, 0, set()

    def accept(self, sequence):
        if (
            sequence <= 0
            or sequence in self.seen
            or (sequence <= self.top and sequence + self.size <= self.top)
        ):
            return False
        self.seen.add(sequence)
        self.top = max(self.top, sequence)
        return True


def accept(window, sequence):
    fresh = window.fresh(sequence)
    if fresh:
        window.mark(sequence)
    return fresh


STEPS = st.one_of(
    st.integers(-70, 70), st.integers(-3000, 3000), st.sampled_from([1, 1, 1, 2, 8, 64, 1024, 65536])
)


@given(st.sampled_from([1, 2, 31, 32, 64, 100, 1024, 4096]), st.lists(STEPS, max_size=200))
def test_the_window_accepts_what_a_set_of_numbers_accepts(size, steps):
    window, naive = ReplayWindow(size), Naive(size)
    for step in steps:
        sequence = naive.top + step
        assert accept(window, sequence) == naive.accept(sequence), sequence
        assert window.top == naive.top


@pytest.mark.parametrize("size", [64, 1024, 65536])
def test_every_number_of_a_shuffled_window_comes_in_once(size):
    window, source = ReplayWindow(size), random.Random(size)
    assert accept(window, size)
    numbers = list(range(1, size))
    source.shuffle(numbers)
    assert all(accept(window, n) for n in numbers)
    assert not any(accept(window, n) for n in range(-1, size + 1))


def test_zero_and_what_lies_before_the_first_packet_never_come():
    window = ReplayWindow(1024)
    assert not window.fresh(0)
    assert not window.fresh(-5)
    window.mark(3)
    assert not window.fresh(0)


def test_a_window_of_no_size_checks_nothing():
    window = ReplayWindow(0)
    for sequence in (5, 5, 3, 9, 1):
        assert window.fresh(sequence)
        window.mark(sequence)


@given(st.sampled_from([1, 32, 64, 1024, 65536]), st.integers(1, (1 << 34)), st.integers(-65535, 1 << 30))
def test_the_high_half_is_found_wherever_the_window_stands(size, top, distance):
    sequence = top + distance
    if sequence <= 0 or distance <= -size or distance >= (1 << 32) - size:
        return
    assert extended(sequence & 0xFFFFFFFF, top, size) == sequence


def test_rollover_of_the_low_half():
    window = ReplayWindow(64)
    window.mark((1 << 32) - 10)
    for sequence in ((1 << 32) - 1, 1 << 32, (1 << 32) + 3, (1 << 32) - 5, (1 << 32) + 1):
        found = extended(sequence & 0xFFFFFFFF, window.top, window.size)
        assert found == sequence
        assert accept(window, found)
        assert not window.fresh(extended(sequence & 0xFFFFFFFF, window.top, window.size))


def test_before_the_first_packet_the_high_half_is_zero_or_refused():
    assert extended(1, 0, 1024) == 1
    assert extended(0xFFFFFFFF, 0, 1024) < 0
