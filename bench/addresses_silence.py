"""How long a stranger waits for his answer while many logins wait for a DHCP server that never answers."""

from pathlib import Path

from addresses_lenders import asking, dhcp_server
from handshake_cases import Case
from handshake_measuring import Work, serving
from radius_probe import Answers, probe

STRANGER_ADDRESS = "10.9.0.4"


def wait_for_a_silent_server(case: Case, place: Path, work: Work) -> tuple[Answers, Answers]:
    """How soon strangers are answered before, and while all logins of one turn wait, until the last has given up.

    The server has heard of each of them.
    """
    with (
        dhcp_server(place, "silent") as server,
        serving(case, asking(place), None, place / "clients", work) as track,
    ):
        calm = probe(STRANGER_ADDRESS, 100)
        track.order(work.turn)
        server.wait_for(f"^heard {work.turn}$")
        return calm, probe(STRANGER_ADDRESS, 1000)
