"""`python -m demonstration [--eap] [--peer strongswan]`: the demo from beginning to end; `script/demo` prepares and calls it."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from laboratory.gateway import Ikegw
from laboratory.namespaces import CommandFailed
from laboratory.processes import NeverHappened, until
from laboratory.room import Laboratory
from laboratory.strongswan import StrongSwan
from laboratory.traffic import ping, transfer

from demonstration import page
from demonstration.stage import BEHIND, Stage
from demonstration.story import Moment, moments_of_charon, moments_of_ikegw, told
from ikegw import __version__

MEGABYTES = 25


def act(stage: Stage, title: str, enter: Callable[[], StrongSwan | Ikegw]) -> None:
    """One act: the client connects, uses the tunnel, and leaves."""
    page.heading(title)
    since = stage.gateway.daemon.mark()
    client = enter()
    client.connect("home")
    stage.gateway.daemon.wait_for(r"\] \S+ net up: |\d+\] net up: ", since=since)
    page.lines(told([*_moments(client, 0), *_moments(stage.gateway, since)], page.WIDTH))

    page.subheading("Through the tunnel")
    use(stage)

    page.subheading("What the gateway shows when asked (SIGUSR1)")
    page.log(stage.gateway.status())

    page.subheading("Carol leaves")
    left, seen = stage.gateway.daemon.mark(), client.daemon.mark()
    leave(client)
    until(stage.gateway.is_empty, "the gateway keeps an SA or an address")
    page.lines(told([*_moments(client, seen), *_moments(stage.gateway, left)], page.WIDTH))


def use(stage: Stage) -> None:
    """Ping and move data; NeverHappened if anything is lost."""
    client, gateway = stage.underlay.client, stage.underlay.gateway
    for address in BEHIND:
        echoes = ping(client, address, count=5)
        page.fact(
            f"ping {address}",
            f"{echoes.received} of {echoes.sent} echoes, round trip {echoes.average} ms ({echoes.least} to {echoes.most})",
        )
        if echoes.received != echoes.sent:
            raise NeverHappened(f"{echoes.sent - echoes.received} echoes from {address} never came")
    for upwards in (True, False):
        moved = transfer(client, gateway, BEHIND[0], octets=MEGABYTES * 1_000_000, upwards=upwards)
        rate = f"{moved.megabits_per_second:.0f} Mbit/s"
        verdict = "SHA-256 the same at both ends" if moved.intact else "NOT what was sent"
        page.fact(f"{MEGABYTES} MB {'up' if upwards else 'down'} by TCP", f"{rate}, {verdict}")
        if not moved.intact:
            raise NeverHappened("what arrived is not what was sent")


def leave(client: StrongSwan | Ikegw) -> None:
    """The client ends its IKE SA with a DELETE."""
    if isinstance(client, StrongSwan):
        client.disconnect("home")
    client.stop()


def _moments(daemon: StrongSwan | Ikegw, since: int) -> list[Moment]:
    read = moments_of_ikegw if isinstance(daemon, Ikegw) else moments_of_charon
    return list(read(daemon.name.partition("-")[0], daemon.daemon.text(since)))


def guess(stage: Stage) -> None:
    """Somebody tries a password that is not Carol's."""
    since = stage.gateway.daemon.mark()
    client = stage.client_with_password("guessed")
    if isinstance(client, StrongSwan):
        with suppress(CommandFailed):
            client.connect("home")
    stage.gateway.daemon.wait_for("authentication failed", since=since)
    client.stop()
    page.lines(told([*_moments(client, 0), *_moments(stage.gateway, since)], page.WIDTH))


def play(peer: str, eap: bool, directory: Path) -> None:
    """The whole demo; everything is swept up however it ends."""
    laboratory = Laboratory(directory)
    try:
        page.title(__version__, peer)
        stage = Stage(laboratory, peer, eap)
        page.heading("The gateway starts with a copy of etc/ikegw")
        stage.gateway.start()
        stage.gateway.daemon.wait_for(r"connection roadwarriors-psk: .*\n")
        page.log(stage.gateway.daemon.text())
        if eap:
            act(stage, "1. Carol logs in with her name and password (EAP)", stage.client_with_password)
            page.heading("2. Somebody guesses her password")
            guess(stage)
        else:
            act(stage, "1. Carol connects with a shared key", stage.client_with_key)
            act(stage, "2. Carol connects with a certificate", stage.client_with_certificate)
    except (CommandFailed, NeverHappened, OSError) as error:
        page.failed(error, laboratory.logs())
        raise SystemExit(1) from None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave namespaces behind
        laboratory.close()


def main() -> NoReturn:
    """Play, and say how it ended."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="script/demo")
    parser.add_argument("--peer", choices=("ikegw", "strongswan"), default="ikegw")
    parser.add_argument("--eap", action="store_true")
    chosen = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="ikegw-demo-") as directory:
            play(chosen.peer, chosen.eap, Path(directory))
    except KeyboardInterrupt:
        print("\nInterrupted; everything is swept up.")
        sys.exit(130)
    page.ended(time.monotonic() - began)
    sys.exit(0)


if __name__ == "__main__":
    main()
