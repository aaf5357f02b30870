"""The one place for a request of ours that awaits its answer, and the queue before it (the paper's Table I; §5's rules)."""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from attrs import define, field

from ikegw.wire.message import Message

if TYPE_CHECKING:
    from ikegw.ike.child import ChildSa


class Intent(Enum):
    """The paper's internal messages that wait their turn; MSG_IKE_TERMINATE does not wait."""

    REKEY = "MSG_IKE_REKEY"
    DPD = "MSG_IKE_DPD"
    CRL_UPDATE = "MSG_IKE_CRL_UPDATE"
    REAUTH = "MSG_IKE_REAUTH"
    LEASE_RENEW = "MSG_IKE_LEASE_RENEW"
    UPDATE = "MSG_IKE_UPDATE"


Answered = Callable[[Message], None]

FOR_CHILDREN = ("SM_MATURE", "SM_LEASE_RENEW")
"""Where a CHILD SA of ours may ask: a provider that takes its time must not keep it from its keys."""


@define(eq=False)
class Slot:
    """Lets one at a time act. `may` says whether one of the queue could act now, `let` has it act."""

    may: "Callable[[Intent | ChildSa], bool]"
    let: "Callable[[Intent | ChildSa], None]"
    queue: "list[Intent | ChildSa]" = field(factory=list, init=False)
    held: bool = field(default=False, init=False)
    _answered: Answered | None = field(default=None, init=False)

    def post(self, waiting: "Intent | ChildSa") -> None:
        """Join the queue, once; act if the slot is free."""
        if waiting not in self.queue:
            self.queue.append(waiting)
        self.pump()

    def withdraw(self, waiting: "Intent | ChildSa") -> None:
        """Leave the queue, if in it."""
        if waiting in self.queue:
            self.queue.remove(waiting)

    def pump(self) -> None:
        """Let the first that may act do so. It holds the slot by `hold`, or leaves it free."""
        if self.held:
            return
        for waiting in self.queue:
            if self.may(waiting):
                self.queue.remove(waiting)
                self.let(waiting)
                return

    def hold(self, answered: Answered | None = None) -> None:
        """The slot is taken; `answered` hears the answer to the request in it."""
        self.held, self._answered = True, answered

    def release(self) -> None:
        """Whoever held it is through."""
        self.held, self._answered = False, None
        self.pump()

    def answer(self, message: Message) -> None:
        """The answer came; its asker goes on to hold the slot until it releases it."""
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(message)
