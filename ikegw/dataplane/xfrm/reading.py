"""Answers of the kernel's as values, and what they say of one CHILD SA."""

from collections.abc import Iterable, Sequence

from ikegw.dataplane.xfrm.carried import Entry
from ikegw.dataplane.xfrm.decoding import BadMessage, decode
from ikegw.dataplane.xfrm.requests import Outcome
from ikegw.dataplane.xfrm.values import StateReport, Told


def readable(outcomes: Iterable[Outcome]) -> list[Told]:
    """The values in answers; what is unreadable is not among them."""
    found: list[Told] = []
    for outcome in outcomes:
        for answer in outcome.told:
            try:
                told = decode(answer)
            except BadMessage:
                continue
            if told is not None:
                found.append(told)
    return found


def learn(entry: Entry, outcomes: Sequence[Outcome], now: float, used_at: float = 0.0) -> list[StateReport]:
    """Take over what the kernel says of both its SAs, inbound first; what there is of them. `used_at`: see `Entry.learn`."""
    reports = []
    for inbound, outcome in zip((True, False), outcomes, strict=True):
        for each in readable([outcome]):
            if isinstance(each, StateReport):
                entry.learn(each, now, inbound=inbound, used_at=used_at)
                reports.append(each)
    return reports
