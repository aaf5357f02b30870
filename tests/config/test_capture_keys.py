"""Captures with keys: not unless they are allowed."""

from ikegw.config import changes, load
from ikegw.config.capture import CaptureSettings


def test_not_unless_it_is_said(write):
    assert load(write("")).capture == CaptureSettings(False, 600.0, 1 << 24)


def test_how_long_and_how_much(write):
    capture = load(write('[capture]\nallowed = true\nseconds = "1m"\nbytes = "1M"\n')).capture
    assert capture == CaptureSettings(True, 60.0, 1 << 20)


def test_a_reload_allows_it_and_takes_it_back(write):
    before, after = load(write("")), load(write("[capture]\nallowed = true\n"))
    assert changes(before, after).applied == changes(after, before).applied == ("capture",)
