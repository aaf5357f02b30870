"""The cases, one after the other, and the table of what came out."""

import os
import traceback
from contextlib import ExitStack
from typing import Any, cast

from attrs import frozen
from machine import Bystanders, load_average
from throughput_charon import Charons, charons
from throughput_ours import GATEWAY, Ours, Reactor, our_tunnel
from throughput_traffic import KINDS, TCP, Carried, Traffic, transfer

SUITES = ("aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes128-sha256")
CROWDS = (500, 2000)


@frozen
class Plan:
    """How much is measured. `seconds` of each transfer, `rounds` of it: medians count."""

    quick: bool
    seconds: float
    rounds: int
    ours_only: bool


def compare(plan: Plan) -> dict[str, Any]:
    """Measure everything, print the table, give the figures."""
    from twisted.internet import reactor

    threads, found, failed = cast(Reactor, reactor), dict[str, Any](), list[BaseException]()

    def measure() -> None:
        try:
            found.update(_measured(plan, threads))
        except BaseException as error:  # noqa: BLE001 - told where everybody sees it, and the reactor must stop
            traceback.print_exc()
            failed.append(error)
        finally:
            threads.callFromThread(threads.stop)

    threads.callWhenRunning(threads.callInThread, measure)
    threads.run()
    if failed:
        raise SystemExit(1)
    return found


def _measured(plan: Plan, reactor: Reactor) -> dict[str, Any]:
    bystanders, load = Bystanders(), load_average()
    cases: dict[str, Any] = {}
    with ExitStack() as stack:
        ours = stack.enter_context(our_tunnel(reactor))
        peer = None if plan.ours_only else stack.enter_context(charons())
        print(
            f"{'':38}{'ikegw':>8}{'charon':>8}{'ratio':>7}   CPU µs/kB of both ends: ikegw, charon; TCP retransmits"
        )
        for suite in SUITES[: 1 if plan.quick else None]:
            if suite != SUITES[0]:
                ours.use(suite)
                if peer is not None:
                    peer.use(suite)
            for kind in KINDS:
                name = f"{suite} {kind.name}"
                cases[name] = _case(name, kind, ours, peer, plan)
        ours.use(SUITES[0])
        for others in CROWDS:
            name = f"{SUITES[0]} {TCP.name}, {others} other SAs"
            cases[name] = _crowded(name, ours, others, plan)
    strangers = bystanders.report()
    print(
        f"\nratio of a row with other SAs: to the same transfer without them. Load average before and after: {load[0]:.1f}, ",
        end="",
    )
    print(
        f"{load_average()[0]:.1f} on {os.cpu_count()} CPUs; meanwhile busy: {', '.join(map(str, strangers[:8])) or 'nobody else'}"
    )
    machine = {
        "cpus": os.cpu_count(),
        "load": [load[0], load_average()[0]],
        "busy": [str(each) for each in strangers[:8]],
    }
    return {
        "bench": "throughput",
        "seconds": plan.seconds,
        "rounds": plan.rounds,
        "cases": cases,
        "machine": machine,
    }


def _once(tunnel: Ours | Charons, kind: Traffic, plan: Plan) -> Carried:
    return transfer(tunnel.client_words, tunnel.server_words, GATEWAY, kind, plan.seconds, tunnel.pids)


def _case(name: str, kind: Traffic, ours: Ours, peer: Charons | None, plan: Plan) -> dict[str, Any]:
    """Both take turns; the medians."""
    mine, theirs = [], []
    for _ in range(plan.rounds):
        mine.append(_once(ours, kind, plan))
        if peer is not None:
            theirs.append(_once(peer, kind, plan))
    one, other = _median(mine), _median(theirs) if theirs else None
    text = f"{name + ', ' + kind.unit:38}{one.amount:8.0f}"
    figures: dict[str, Any] = {
        "unit": kind.unit,
        "ours": round(one.amount, 1),
        "ours_cpu_us_per_kb": round(one.cpu_us_per_kb, 2),
    }
    if other is not None:
        ratio, cheaper = (
            one.amount / max(other.amount, 0.001),
            other.cpu_us_per_kb / max(one.cpu_us_per_kb, 0.001),
        )
        text += f"{other.amount:8.0f}{ratio:7.2f}   {one.cpu_us_per_kb:.1f}, {other.cpu_us_per_kb:.1f}"
        text += "" if kind.is_udp else f"; {one.retransmits}, {other.retransmits}"
        figures |= {"charon": round(other.amount, 1), "ratio": round(ratio, 2)}
        figures |= {"charon_cpu_us_per_kb": round(other.cpu_us_per_kb, 2), "cpu_ratio": round(cheaper, 2)}
    print(text, flush=True)
    return figures


def _crowded(name: str, ours: Ours, others: int, plan: Plan) -> dict[str, Any]:
    """The same transfer with and without others' SAs, in turn."""
    alone, crowded, milliseconds = [], [], []
    for _ in range(plan.rounds):
        alone.append(_once(ours, TCP, plan))
        milliseconds.append(ours.crowd(others))
        crowded.append(_once(ours, TCP, plan))
        ours.crowd(0)
    without, among, each = _median(alone), _median(crowded), min(milliseconds)
    ratio = among.amount / max(without.amount, 0.001)
    cheaper = without.cpu_us_per_kb / max(among.cpu_us_per_kb, 0.001)
    print(f"{name + ', Mbit/s':46}{among.amount:8.0f}, alone {without.amount:.0f}, ratio {ratio:.2f}", end="")
    print(
        f"   CPU {among.cpu_us_per_kb:.1f}, {without.cpu_us_per_kb:.1f}; {each:.2f} ms to install one",
        flush=True,
    )
    return {
        "unit": "Mbit/s",
        "ours": round(among.amount, 1),
        "ours_alone": round(without.amount, 1),
        "ratio": round(ratio, 2),
        "cpu_ratio": round(cheaper, 2),
        "install_ms": round(each, 3),
    }


def _median(rounds: list[Carried]) -> Carried:
    return sorted(rounds, key=lambda one: one.amount)[len(rounds) // 2] if rounds else Carried(0, 0, 0)
