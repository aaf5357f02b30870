"""Two daemons' logs told as one story: who entered which state, when, and why."""

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

from ikegw.machines import child, initiator, mature, responder
from ikegw.machines.tracing import transitions

_TWISTED = re.compile(r"^(\d+\.\d+) \[([^\]]*)\] (.*)$")
_CHARON = re.compile(r"^(\d+\.\d+) \d+\[(IKE|ENC|CFG)\] (?:<[^>]*> )?(.*)$")
_TRANSITION = re.compile(r"^(\S+\[\d+\]) (\w+)(?: (\S+))?: (\w+) --(\w+)--> (\w+)$")
_WORTH_TELLING = re.compile(r"^\S+\[\d+\].* (up|down|lent|gave back|ended|authentication failed|refused)\b")
_CHARON_TELLS = re.compile(
    r"^(initiating|generating|parsed|authentication of|installing new virtual IP|IKE_SA \S+ established|CHILD_SA \S+ established"
    r"|deleting IKE_SA|IKE_SA deleted|received \S+ notify)"
)
_STATES_WIDTH = 34
_SPIS = re.compile(r"; SPIs? [^;]*")
_WHY = {
    (row.state, row.cause): row.summary
    for machine in (
        initiator.InitiatorMachine,
        responder.ResponderMachine,
        mature.MatureMachine,
        child.ChildMachine,
    )
    for row in transitions(machine)
}


@frozen
class Moment:
    """One line of the story: when (seconds since the epoch), who, and what; a transition has states and a reason."""

    when: float
    who: str
    text: str
    states: str = ""


def moments_of_ikegw(who: str, log: str) -> Iterator[Moment]:
    """What is worth telling out of ikegw's log, written by `laboratory.stopwatch`."""
    for line in log.splitlines():
        if not (found := _TWISTED.match(line)):
            continue
        when, text = float(found[1]), found[3]
        if step := _TRANSITION.match(text):
            _, _, child_name, before, cause, after = step.groups()
            why = _WHY.get((before, cause), cause.replace("_", " ")).rstrip(".")
            of_child = f"{child_name}: " if child_name else ""
            yield Moment(when, who, why, f"{of_child}{before} → {after}")
        elif _WORTH_TELLING.match(text):
            yield Moment(when, who, _SPIS.sub("", text))


def moments_of_charon(who: str, log: str) -> Iterator[Moment]:
    """What is worth telling out of strongSwan's log, written with `time_format = %s`."""
    for line in log.splitlines():
        if (found := _CHARON.match(line)) and _CHARON_TELLS.match(found[3]):
            yield Moment(float(found[1]), who, found[3])


def told(moments: Iterable[Moment], width: int) -> Iterator[str]:
    """The story in order, its times from its first moment on, in lines of at most `width` characters."""
    ordered = sorted(moments, key=lambda moment: moment.when)
    for moment in ordered:
        milliseconds = (moment.when - ordered[0].when) * 1000
        head = f"{milliseconds:8.1f} ms  {moment.who:<8} "
        if len(moment.states) > _STATES_WIDTH:
            yield f"{head}{moment.states}"
            yield from _wrapped(" " * (len(head) + _STATES_WIDTH + 1), moment.text, width)
        elif moment.states:
            yield from _wrapped(f"{head}{moment.states:<{_STATES_WIDTH}} ", moment.text, width)
        else:
            yield from _wrapped(head + "  ", moment.text, width)


def _wrapped(head: str, text: str, width: int) -> Iterator[str]:
    room = max(width - len(head), 30)
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            yield head + line
            head, line = " " * len(head), word
        else:
            line = f"{line} {word}".lstrip()
    yield head + line
