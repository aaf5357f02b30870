"""Logins by certificate that wait for an OCSP responder, each with a question of its own."""

import subprocess
import time
from datetime import datetime
from pathlib import Path

from attrs import define
from handshake_cases import CASES, CERTIFICATES, GATEWAY_NAME, client_name
from handshake_measuring import Work, serving
from handshake_responders import Ikegw
from laboratory.settings import Tree
from radius_probe import Answers, probe

from ikegw.testing.pki import DemoPki, write_directory

STRANGER = "10.9.0.4"
RESPONDER = "http://10.9.0.5/"
CASE = next(case for case in CASES if case.key == "ecdsa256" and not case.listed)
PATIENCE = 60.0


@define
class Asking(Ikegw):
    """A gateway that must know of each client whether it was revoked, and asks as many at once as come."""

    most: int = 0

    def more(self) -> Tree:
        return {
            "connections": {"road": {"remote": {"revocation": "strict"}}},
            "authorities": {"demo": {"cacert": "ca.pem", "ocsp_uris": [RESPONDER]}},
            "downloads": {"timeout": f"{PATIENCE:g}s", "at_once": self.most, "per_host": self.most},
        }


def wait_for_a_silent_responder(place: Path, logins: int, now: datetime) -> tuple[Answers, Answers, int]:
    """How soon strangers are answered before, and while so many logins wait; and how many connections there were then."""
    names = [client_name(number + 1) for number in range(CERTIFICATES)]
    pki = DemoPki.make(GATEWAY_NAME, names, "ecdsa256", now)
    write_directory(place / "clients", dict(pki.clients), {"ca": pki.root.certificate})
    work = Work(turn=logins, in_flight=logins, patience=PATIENCE)
    with serving(CASE, Asking(place / "ikegw", most=logins), pki, place / "clients", work) as track:
        calm = probe(STRANGER, 100)
        track.order(logins)
        while _connections() < logins:
            time.sleep(0.1)
        return calm, probe(STRANGER, 500), _connections()


def _connections() -> int:
    """How many wait for the responder."""
    listed = subprocess.run(
        ["ss", "-Htn", "state", "established", "dport", "=", ":80"],
        capture_output=True,
        text=True,
        check=True,
    )
    return len(listed.stdout.splitlines())
