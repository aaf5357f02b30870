"""Whether ikegw and strongSwan list the same CHILD SAs, while these are being replaced all the time."""

import re

from laboratory.gateway import Ikegw
from laboratory.processes import until
from laboratory.strongswan import StrongSwan

Children = set[tuple[str, str]]
"""A CHILD SA by its name and the SPI that is inbound at ikegw."""


def rekeyed(ours: Ikegw, what: str) -> int:
    """How many IKE SAs (`ike`) or CHILD SAs (`child`) were replaced so far, at either end's wish."""
    found = re.search(rf"events: .*\b{what}-rekeyed (\d+)", ours.status())
    return int(found[1]) if found else 0


def listed_by_ours(ours: Ikegw) -> Children:
    """What ikegw lists."""
    return set(re.findall(r"    (net\d+) SA_MATURE: .*, SPI (\w{8})", ours.status()))


def listed_by_theirs(theirs: StrongSwan) -> Children:
    """What strongSwan lists as in use."""
    return set(re.findall(r"(net\d+): #\d+, reqid \d+, INSTALLED,.*\n(?:.*\n){2} +out (\w{8})", theirs.sas()))


def until_agreed(ours: Ikegw, theirs: StrongSwan, tunnels: int, timeout: float) -> None:
    """Wait until both list all tunnels, and until whatever only one of them lists now is listed by both or by none."""
    only_one: Children | None = None

    def settled() -> bool:
        nonlocal only_one
        mine, peers = listed_by_ours(ours), listed_by_theirs(theirs)
        only_one = mine ^ peers if only_one is None else only_one & (mine ^ peers)
        return not only_one and len({name for name, _ in mine}) == len({name for name, _ in peers}) == tunnels

    until(settled, "the two do not list the same", timeout)
