"""The machines as pictures and tables, out of their code: `script/machines` writes them into docs/, and a test compares."""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Final

from attrs import frozen

from ikegw.machines import child, initiator, lease, mature, responder
from ikegw.machines.tracing import Transition, transitions

SHARED_BY: Final = 3
"""A transition that so many states have alike is drawn once, from a box that names them."""

HEAD: Final = """\
digraph {name} {{
    // Written by script/machines; change ikegw/machines/{name}.py, not this file.
    rankdir=TB; nodesep=0.45; ranksep=0.55; fontname="Helvetica"; bgcolor=white
    node [shape=ellipse, fontname="Helvetica", fontsize=12, style=filled, fillcolor="#eef3fb", color="#34568b"]
    edge [fontname="Helvetica", fontsize=10, arrowsize=0.7, color="#34568b"]
"""
ENDS: Final = frozenset(("SM_DEAD", "SA_DEAD", "FINISHED", "ERROR"))


@frozen
class Figure:
    """One machine: its name in docs/machines, which figure of the paper it is, and where it stands in the code."""

    name: str
    title: str
    about: str
    module: ModuleType
    protocol: type
    machine: object

    @property
    def states(self) -> tuple[str, ...]:
        """The states in the order in which the module names them."""
        return tuple(
            name for name, value in vars(self.module).items() if getattr(value, "name", None) == name
        )

    @property
    def rows(self) -> tuple[Transition, ...]:
        """Its transitions: by state, then by input, each in the order in which the module names them."""
        states, inputs = self.states, tuple(vars(self.protocol))
        return tuple(
            sorted(
                transitions(self.machine), key=lambda row: (states.index(row.state), inputs.index(row.cause))
            )
        )


FIGURES: Final = (
    Figure(
        "initiator",
        "The initiator",
        "Figure 2 of the paper, and its errors, Figure 3: an IKE SA that we begin, up to SM_MATURE.",
        initiator,
        initiator.Initiator,
        initiator.InitiatorMachine,
    ),
    Figure(
        "responder",
        "The responder",
        "Figure 4 of the paper, and its errors, Figure 5: an IKE SA that the peer begins, up to SM_MATURE.",
        responder,
        responder.Responder,
        responder.ResponderMachine,
    ),
    Figure(
        "mature",
        "The common part",
        "Figure 6 of the paper, the requests of an established IKE SA, of Figure 7 the one response that changes a state"
        " (that the peer deleted it), and the orderly end of Figure 3.",
        mature,
        mature.Mature,
        mature.MatureMachine,
    ),
    Figure(
        "child",
        "The CHILD SA",
        "Figure 8 of the paper: one such machine for each CHILD SA of an IKE SA.",
        child,
        child.Child,
        child.ChildMachine,
    ),
    Figure(
        "lease",
        "The lease",
        "Figure 9 of the paper: one such machine for each address that a DHCP server leases through us to a client.",
        lease,
        lease.Lease,
        lease.LeaseMachine,
    ),
)

# ---------------------------------------------------------------- pictures


def dot(figure: Figure) -> str:
    """The drawing in graphviz's language: edges between the same two states are one, their inputs below each other."""
    shared, own = _shared(figure.rows)
    return HEAD.format(name=figure.name) + "".join(
        f"    {line}\n" for line in (*_nodes(figure), *_edges(own), *_boxes(shared))
    ) + "}\n"  # fmt: skip


def _nodes(figure: Figure) -> Iterator[str]:
    for number, state in enumerate(figure.states):
        if state in ENDS:
            yield f'{state} [fillcolor="#e4e4e4", color="#808080"]'
        elif not number:
            yield f"{state} [penwidth=2.5]"
        else:
            yield state


def _shared(rows: Iterable[Transition]) -> tuple[dict[tuple[str, ...], list[Transition]], list[Transition]]:
    """(what many states have alike, by their names; the rest)."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[Transition]] = {}
    for row in rows:
        alike.setdefault((row.cause, row.following, row.rows), []).append(row)
    shared: dict[tuple[str, ...], list[Transition]] = {}
    own = []
    for group in alike.values():
        states = tuple(row.state for row in group)
        if len(states) >= SHARED_BY:
            shared.setdefault(states, []).append(group[0])
        else:
            own += group
    return shared, own


def _edges(rows: Iterable[Transition]) -> Iterator[str]:
    pairs: dict[tuple[str, str], list[Transition]] = {}
    for row in rows:
        pairs.setdefault((row.state, row.following), []).append(row)
    for (before, after), group in pairs.items():
        yield f"{before} -> {after} [label={_label(group)}{_style(after)}]"


def _boxes(shared: dict[tuple[str, ...], list[Transition]]) -> Iterator[str]:
    for number, (states, rows) in enumerate(shared.items()):
        box = f"in_{number}"
        names = "<BR/>".join(states)
        yield (
            f"{box} [shape=box, style=dashed, fontsize=9, margin=0.08,"
            f' label=<<FONT COLOR="#606060">in any of<BR/></FONT>{names}>]'
        )
        targets: dict[str, list[Transition]] = {}
        for row in rows:
            targets.setdefault(row.following, []).append(row)
        for after, group in targets.items():
            yield f"{box} -> {after} [label={_label(group)}{_style(after)}]"


def _label(rows: Iterable[Transition]) -> str:
    lines = (
        f'&#160;{row.cause} <FONT POINT-SIZE="8" COLOR="#8a5a00">{" ".join(row.rows)}</FONT><BR ALIGN="LEFT"/>'
        for row in rows
    )
    return f"<{''.join(lines)}>"


def _style(after: str) -> str:
    return ', color="#a8a8a8", penwidth=0.6, fontcolor="#606060"' if after in ENDS else ""


# ---------------------------------------------------------------- the page

INTRODUCTION: Final = """\
# The state machines

<!-- Written by `script/machines` out of ikegw/machines; change the docstrings there, or drawing.py, not this file. -->

ikegw is built on the machines of *State Machines in an IKEv2 implementation* (Groš, Jakobović, Jelenković), with the paper's
state names. Each is an [Automat](https://automat.readthedocs.io) machine in `ikegw/machines/`: what may happen next is there and
nowhere else; what is done is in its driver in `ikegw/ike/`, of the lease in `ikegw/dhcp/`.

An **input** says what was decided of a message or a timer, not what the message was; its method in the machine's protocol says
when it comes. An input that a state does not name cannot happen: the driver drops such a message before. The **rows** are the
transitions' names in tests and comments; [rows.md](rows.md) has all of them, with their tests. In the drawings the first state
has a thick rim, the ends are grey, and what several states have alike is drawn once, from a dashed box that names them.

The log tells every transition as it happens, if `log.states` is on. EAP and the fetching of certificates
are not built yet; their states are not in the machines.
"""


def page() -> str:
    """docs/state-machines.md."""
    return INTRODUCTION + "".join(f"\n{section}" for section in map(_section, FIGURES))


def _section(figure: Figure) -> str:
    return (
        f"## {figure.title}\n\n{figure.about} `ikegw/machines/{figure.name}.py`\n\n"
        f"![{figure.title}](machines/{figure.name}.svg)\n\n{table(figure)}"
    )


def table(figure: Figure) -> str:
    """Every transition, as a table."""
    head = "| state | input | next | rows | what happens |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(
        f"| {row.state} | {row.cause} | {'' if row.following == row.state else row.following} |"
        f" {', '.join(row.rows)} | {row.summary} |\n"
        for row in figure.rows
    )
