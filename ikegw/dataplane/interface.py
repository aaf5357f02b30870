"""What the system is to do with the device that packets enter the tunnel by, whichever kind it is."""

import contextlib
from pathlib import Path
from typing import Final

STRICT_REVERSE_PATH: Final = (
    "rp_filter is strict: a tunnel for 0.0.0.0/0 needs net.ipv4.conf.all.src_valid_mark = 1"
)


def reverse_path_is_strict() -> bool:
    """Whether the kernel would drop the peer's packets once a full tunnel takes the route back to it."""
    try:
        values = [
            Path(f"/proc/sys/net/ipv4/conf/all/{name}").read_text()
            for name in ("rp_filter", "src_valid_mark")
        ]
    except OSError:
        return False
    return values[0].strip() == "1" and values[1].strip() == "0"


def quiet_ipv6(name: str) -> None:
    """No link-local address, no router solicitations into the tunnel."""
    with contextlib.suppress(OSError), open(f"/proc/sys/net/ipv6/conf/{name}/addr_gen_mode", "w") as file:
        file.write("1")
