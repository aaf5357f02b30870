"""`ikegwctl why PEER`: the story of a login, its cause of failure, and what the operator can do about it."""

from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

from ikegw.control.protocol import Json
from ikegw.control.stories import Knocking, Story
from ikegw.events import AuthFailed, AuthFailure, ChildUp, Event, IkeDown, Refused, StateEntered
from ikegw.machines.child import ChildMachine
from ikegw.machines.initiator import InitiatorMachine
from ikegw.machines.mature import MatureMachine
from ikegw.machines.responder import ResponderMachine
from ikegw.machines.tracing import transitions
from ikegw.wire.registry import NotifyType

E = TypeVar("E", bound=Event)

_MACHINES: Final = {"initiator": InitiatorMachine, "responder": ResponderMachine, "mature": MatureMachine}

FOR_FAILURES: Final = {
    AuthFailure.NO_CONFIGURATION: "Compare the identity that the peer sent with remote.id of the connections, and "
    "the one that it asked us to be with local.id.",
    AuthFailure.METHOD_NOT_ALLOWED: "Let both sides say the same: remote.auth here, and what the peer uses to prove itself.",
    AuthFailure.NO_OWN_MATERIAL: "Give this gateway the certificate and key, or the shared key, that the connection "
    "needs; `ikegwctl check` tells which it misses.",
    AuthFailure.NOT_AUTHENTIC: "The peer's secret, certificate or password is not the one that is known here: "
    "compare both sides.",
    AuthFailure.AAA_REJECTED: "The password is wrong, or the user is unknown, locked or not allowed in there. What the server "
    'says of it stands above; its own log says the rest. With aaa = "local", compare [secrets.eap].',
    AuthFailure.OUT_OF_TIME: "See whether this host's clock is right (`timedatectl`). If it is, the certificate has to be issued "
    "anew.",
    AuthFailure.REVOKED: "Nobody gets in with it any more: have a new certificate issued. If that was a mistake, its authority "
    "must publish a CRL without it; `systemctl reload ikegw` reads crl/ again.",
    AuthFailure.AAA_FAILED: "See the RADIUS server and the way to it: `ikegwctl counters` has what became of requests to each. "
    "Its log says whether it knows this gateway as a client; its secret must be the one in [secrets.radius].",
    AuthFailure.TOO_MANY_SESSIONS: "Let the user end another session, or raise port_limit of its group, or Port-Limit at the "
    "RADIUS server.",
    AuthFailure.NOT_IN_GROUP: "Compare class and filter_id of the connection's groups with what the RADIUS server says of the "
    "user; a group without both takes everybody.",
    AuthFailure.DOWNLOAD_FAILED: "See that the URL can be reached from here and may be (downloads.networks), put a current CRL "
    "into crl/, or let the connection do without (remote.revocation).",
}
_FOR_NOTIFIES: Final = {
    "NO_PROPOSAL_CHOSEN": "Add an algorithm that both lists have, to proposals (IKE) or esp_proposals here, or on the peer.",
    "INVALID_KE_PAYLOAD": "This is no fault: the peer begins again with the group that it was told.",
    "TS_UNACCEPTABLE": "Let local_ts and remote_ts of the child here meet those of the peer, the other way round.",
    "INTERNAL_ADDRESS_FAILURE": "See the pool, DHCP or RADIUS server that was to lend the address: `ikegwctl pools`.",
    "FAILED_CP_REQUIRED": "Let the peer ask for an address (vips), or give the connection no pools.",
    "AUTHENTICATION_FAILED": "The peer does not believe us or does not know us: its log says why.",
}
_NOT_CONTINUED: Final = (
    "Our answer to IKE_SA_INIT went out, and nothing came after it. If there is a NAT between, the peer goes on to UDP port "
    "4500: see that it reaches us. A large IKE_AUTH may be lost in IP fragments: let the peer use IKE fragmentation (RFC 7383). "
    "The peer may also have rejected our proposal or group; its log says so."
)
_NO_ANSWER: Final = {
    "SMI_AUTH": "Nothing at all came back: is the address right, does UDP port 500 reach the peer, and is it running?",
    "SMI_AUTH_WAIT": "The peer answered IKE_SA_INIT, and nothing after it. If there is a NAT between, or the peer may move, this "
    "goes over UDP port 4500: see that nothing drops it on the way. A large IKE_AUTH may be lost in IP fragments.",
}
_NO_ANSWER["SMI_ROUND_WAIT"] = _NO_ANSWER["SMI_AUTH_WAIT"]
_USED_UP: Final = (
    "The pool is used up, `ikegwctl pools` shows by how much: give it more addrs, or name another one after it in pools. "
    "What was given back is in quarantine for a while, and some may be reserved."
)
_FOR_ADDRESSES: Final = {
    "no DHCP server of": "See that the DHCP server runs, that it has free addresses in the subnet of giaddr (many say nothing "
    "when they have none), and that its answers are routed to giaddr: `tcpdump port 67` here shows both ways.",
    "was silent for": "The DHCP server offered an address and did not lease it: its log says why.",
    " has lent all of its ": _USED_UP,
    "were given back just now": _USED_UP,
    " address left": _USED_UP,
    "the database of addresses does not answer": "See that PostgreSQL runs and is reached as secrets.store.dsn says.",
}
"""What was said by who was to lend an address, and what to do about it."""
_FELL_SILENT: Final = (
    "The peer no longer answers: see its host and the path to it; dpd_action says what ikegw does by itself."
)

_REASONS_TO_DROP: Final = {
    "no-connection": "No connection is for this address: see remote_addrs and local_addrs.",
    "source-blocked": "It has begun too many IKE SAs without going on: limits.block_threshold.",
    "half-open-full": "Too many IKE SAs are half open: limits.half_open; somebody may be flooding us.",
}


def told(story: Story, text_of: Callable[[Event], str]) -> dict[str, Json]:
    """The story as JSON: its steps with their time, its outcome, cause and advice."""
    steps: list[Json] = [
        {"after": round(at - story.began, 4), "text": _step(event, text_of)} for at, event in story.events
    ]
    return {
        "name": str(story.name),
        "peer": str(story.path.remote),
        "who": list(story.who),
        "began": story.began,
        "by_peer": not story.initiator,
        "outcome": _outcome(story),
        "steps": steps,
        "left_out": story.left_out,
        "cause": cause_of(story),
        "advice": advice_for(story),
    }


def told_of_knocking(knocking: Knocking) -> list[Json]:
    """What came and was dropped, as JSON, the most frequent reason first."""
    return [
        {
            "reason": reason,
            "count": count,
            "latest": knocking.latest[reason][0],
            "detail": knocking.latest[reason][1],
            "advice": _REASONS_TO_DROP.get(reason, ""),
        }
        for reason, count in knocking.reasons.most_common()
    ]


def cause_of(story: Story) -> str:
    """The sentence that says why it failed or ended, as exactly as an event has it; '' while it is up or under way."""
    failed, refused, down = _last(story, AuthFailed), _decisive_refusal(story), _last(story, IkeDown)
    if failed is not None:
        return f"{failed.reason.value}: {failed.detail}"
    if refused is not None:
        return f"{refused.notify}: {refused.detail}"
    return "" if down is None else down.reason


def advice_for(story: Story) -> str:
    """What the operator can do about it; '' if nothing need be done."""
    failed, refused, down = _last(story, AuthFailed), _decisive_refusal(story), _last(story, IkeDown)
    if failed is not None:
        return FOR_FAILURES[failed.reason]
    if refused is not None:
        return _for_refusal(refused)
    if down is None:
        return ""
    if "did not go on in time" in down.reason:
        return _NOT_CONTINUED
    if down.reason.startswith("no answer"):
        return _FELL_SILENT if down.was_up else _NO_ANSWER.get(_state_before_end(story), _FELL_SILENT)
    return ""


def _for_refusal(refused: Refused) -> str:
    if refused.notify == NotifyType.INTERNAL_ADDRESS_FAILURE.name and not refused.by_peer:
        found = list(dict.fromkeys(text for words, text in _FOR_ADDRESSES.items() if words in refused.detail))
        if found:
            return " ".join(found)
    return _FOR_NOTIFIES.get(refused.notify, "The detail above and the peer's log say more.")


def _decisive_refusal(story: Story) -> Refused | None:
    """Why there never was a tunnel; what was refused while one stood did no harm to it."""
    return None if _last(story, ChildUp) is not None else _last(story, Refused)


def _outcome(story: Story) -> str:
    if story.ended is not None and story.came_up is None:
        return f"failed after {story.ended - story.began:.1f} s"
    if story.came_up is None:
        return "refused; the peer is being told" if story.is_doomed else "under way"
    took = f"up after {story.came_up - story.began:.3f} s"
    return took if story.ended is None else f"{took}, ended {story.ended - story.came_up:.0f} s later"


def _last(story: Story, kind: type[E]) -> E | None:
    return next((event for _, event in reversed(story.events) if isinstance(event, kind)), None)


def _state_before_end(story: Story) -> str:
    entered = _last(story, StateEntered)
    return "" if entered is None else entered.before


def _step(event: Event, text_of: Callable[[Event], str]) -> str:
    if isinstance(event, StateEntered):
        return f"{event.before} → {event.state}: {_summaries(event.machine).get((event.before, event.cause), event.cause)}"
    sa = event.session.sa if hasattr(event, "session") else getattr(event, "sa", "")
    return text_of(event).removeprefix(f"{sa} ")


@cache
def _summaries(machine: str) -> dict[tuple[str, str], str]:
    built = _MACHINES.get(machine, ChildMachine)
    return {(row.state, row.cause): row.summary.removesuffix(".") for row in transitions(built)}
