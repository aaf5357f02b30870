"""What CHILD SAs carry: asked a few at a time, never counted twice, and never less than before."""

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from ikegw.events import ChildDown, ChildUp
from ikegw.ports import DataPlaneError, Usage
from ikegw.service.traffic import MOST_ASKED, Traffic
from ikegw.session import SaName

UP = ChildUp(SaName("road", 1), "net", b"", b"", "", (), (), False)
DOWN = ChildDown(SaName("road", 1), "net", b"", "rekeyed", 0, 0)


@define
class Plane:
    """Answers what a test says, when it says."""

    octets: dict[bytes, int] = field(factory=dict)
    asked: list[bytes] = field(factory=list)
    trouble: dict[str, int] = field(factory=dict)
    answer: Callable[[Any], Deferred[Any]] = succeed

    def usage(self, spi: bytes) -> Deferred[Usage]:
        self.asked.append(spi)
        if spi not in self.octets:
            return fail(DataPlaneError("there is none"))
        return self.answer(Usage(inbound_octets=self.octets[spi], outbound_octets=2 * self.octets[spi]))

    def counts(self) -> Deferred[dict[str, int]]:
        return succeed(dict(self.trouble))


def spi(number: int) -> bytes:
    return number.to_bytes(4, "big")


def traffic(plane: Plane, children: int) -> tuple[Traffic, Clock]:
    clock = Clock()
    one = Traffic(plane, clock)  # type: ignore[arg-type]
    for number in range(children):
        one.publish(evolve(UP, inbound_spi=spi(number)))
        plane.octets[spi(number)] = 100
    return one, clock


def test_what_is_up_and_what_ended() -> None:
    one, clock = traffic(plane := Plane(), 3)
    one.start()
    assert one.total() == (300, 600)
    assert one.carried((spi(0), spi(2))) == (200, 400)
    plane.octets[spi(0)] = 150
    clock.advance(1.0)
    assert one.total() == (350, 700)
    one.publish(evolve(DOWN, inbound_spi=spi(0), inbound_octets=170, outbound_octets=340))
    assert one.total() == (370, 740)
    assert one.carried((spi(0),)) == (0, 0)
    clock.advance(1.0)
    assert one.total() == (370, 740)
    one.stop()
    assert not clock.getDelayedCalls()


def test_with_many_a_few_are_asked_each_second_and_everybody_in_turn() -> None:
    one, clock = traffic(plane := Plane(), 120)
    one.start()
    assert len(plane.asked) == MOST_ASKED
    clock.pump([1.0] * 2)
    assert sorted(plane.asked) == [spi(number) for number in range(120)]
    clock.advance(1.0)
    assert len(plane.asked) == 120 + MOST_ASKED


def test_a_data_plane_that_does_not_answer_is_not_asked_again() -> None:
    waiting: list[tuple[Deferred[Any], Any]] = []

    def later(value: Any) -> Deferred[Any]:
        waiting.append((Deferred(), value))
        return waiting[-1][0]

    one, clock = traffic(plane := Plane(answer=later), 2)
    one.start()
    clock.pump([1.0] * 5)
    assert plane.asked == [spi(0), spi(1)]
    one.publish(evolve(DOWN, inbound_spi=spi(0), inbound_octets=500, outbound_octets=500))
    for deferred, value in tuple(waiting):
        deferred.callback(value)
    assert one.total() == (600, 700)  # what is heard of the first now is older than its end


def test_one_that_is_not_there_any_more_is_no_trouble() -> None:
    one, clock = traffic(plane := Plane(), 1)
    del plane.octets[spi(0)]
    one.start()
    clock.advance(1.0)
    assert one.total() == (0, 0)


def test_what_the_data_plane_could_not_do() -> None:
    one, clock = traffic(plane := Plane(), 0)
    one.start()
    plane.trouble["request_refused_ENOMEM"] = 3
    clock.advance(1.0)
    assert one.trouble == {"request_refused_ENOMEM": 3}
