"""Who hears of a few kinds of events hears of these, and nobody hears of others."""

from typing import ClassVar

from attrs import define, field

from ikegw.events import AaaServerBack, AaaServerDead, Event, ServerSilent
from ikegw.radius.accounting import Accounting
from ikegw.service.hearing import by_kind
from ikegw.service.promptness import Promptness
from ikegw.service.traffic import Traffic


@define
class Ear:
    HEARS: ClassVar[tuple[type[Event], ...]] = (AaaServerBack, ServerSilent)
    heard: list[Event] = field(factory=list)

    def publish(self, event: Event) -> None:
        self.heard.append(event)


def test_each_kind_goes_to_all_who_hear_it_in_order() -> None:
    first, second = Ear(), Ear()
    whom = by_kind((first, second))
    assert whom[AaaServerBack] == (first.publish, second.publish)
    assert set(whom) == set(Ear.HEARS)
    assert AaaServerDead not in whom


def test_what_they_act_on_is_what_they_hear() -> None:
    """The names of events in their code, but for what an annotation says."""
    for hearer in (Accounting, Promptness, Traffic):
        names = set(hearer.publish.__code__.co_names)
        assert {kind.__name__ for kind in hearer.HEARS} == {name for name in names if name in EVENTS}


EVENTS = {kind.__name__ for kind in Event.__args__}
