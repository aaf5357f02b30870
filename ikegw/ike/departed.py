"""IKE SAs that ended lately: their last answer, in case it was lost and its request is repeated (§9, SM_DEAD)."""

from collections import OrderedDict

from attrs import define, field

from ikegw.ike.window import Datagrams

KEPT_SECONDS = 30.0
KEPT_AT_MOST = 10_000


@define(eq=False)
class Departed:
    """Answers by our SPI. The oldest go first, by age or when there are too many."""

    _answers: OrderedDict[bytes, tuple[float, int, Datagrams]] = field(
        factory=OrderedDict, init=False, repr=False
    )

    def keep(self, spi: bytes, message_id: int, answer: Datagrams, now: float) -> None:
        """Remember the answer to the peer's request `message_id`."""
        self._sweep(now)
        if answer:
            self._answers[spi] = (now, message_id, answer)

    def answer_to(self, spi: bytes, message_id: int, now: float) -> Datagrams:
        """The stored answer to a repeat of that request; () if there is none."""
        self._sweep(now)
        _, kept_id, answer = self._answers.get(spi, (0.0, -1, ()))
        return answer if kept_id == message_id else ()

    def __len__(self) -> int:
        return len(self._answers)

    def _sweep(self, now: float) -> None:
        while self._answers:
            kept_at, _, _ = next(iter(self._answers.values()))
            if len(self._answers) <= KEPT_AT_MOST and now - kept_at < KEPT_SECONDS:
                return
            self._answers.popitem(last=False)
