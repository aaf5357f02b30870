"""Watching a machine: which state it is in, and every transition it takes.

Automat keeps both on the object that its typed builder makes; nobody else in ikegw reaches for them.
"""

from collections.abc import Callable
from typing import Any

from attrs import frozen

Tracer = Callable[[str, str, str], None]
"""Called with (state before, input's name, state after), before the output runs."""


@frozen
class Transition:
    """One row of a machine as the code has it. `rows` are the specification's ids, read from the output's docstring."""

    state: str
    cause: str
    following: str
    rows: tuple[str, ...]
    summary: str


def trace(machine: object, tracer: Tracer) -> None:
    """Tell `tracer` every transition that `machine` takes from now on."""

    def told(before: Any, cause: str, after: Any) -> None:
        tracer(before.name, cause, after.name)

    machine.__automat_transitioner__.setTrace(told)  # type: ignore[attr-defined]


def state_of(machine: object) -> str:
    """The name of the state that `machine` is in."""
    name: str = machine.__automat_transitioner__._state.name  # type: ignore[attr-defined]
    return name


def transitions(machine_type: object) -> tuple[Transition, ...]:
    """Every transition of a built machine, sorted, with the row ids that begin its output's docstring (`Q-26, IE-14: …`)."""
    found = []
    for before, cause, after, outputs in machine_type.__automat_automaton__.allTransitions():  # type: ignore[attr-defined]
        text = " ".join((outputs[-1].method.__doc__ or "").split())
        head, _, summary = text.partition(": ")
        found.append(Transition(before.name, cause, after.name, tuple(head.split(", ")), summary))
    return tuple(sorted(found, key=lambda row: (row.state, row.cause)))
