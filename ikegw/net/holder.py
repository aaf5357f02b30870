"""Which process holds a UDP port: so that "address in use" can name who uses it (proc(5))."""

import os
import re
from pathlib import Path

from ikegw.paths import Endpoint

_PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def holder_of(endpoint: Endpoint) -> str | None:
    """Name the process bound to this address and port, or to the port on every address: `charon (pid 812)`.

    None if there is none or we may not see it. Reads all of /proc: for error messages only.
    """
    inodes = _inodes(endpoint)
    for process in _PROC.iterdir() if inodes else ():
        if process.name.isdecimal() and _holds(process, inodes):
            try:
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
            except OSError:
                return None
    return None


def _inodes(endpoint: Endpoint) -> frozenset[str]:
    wanted = {_hex(endpoint.address.packed), "0" * 8, "0" * 32}
    found = set()
    for table in ("udp", "udp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            address, _, port = fields[1].partition(":")
            if int(port, 16) == endpoint.port and address in wanted:
                found.add(fields[9])
    return frozenset(found)


def _hex(packed: bytes) -> str:
    # The kernel prints each 32-bit word as a number of its own byte order.
    return "".join(f"{int.from_bytes(packed[i : i + 4], 'little'):08X}" for i in range(0, len(packed), 4))


def _holds(process: Path, inodes: frozenset[str]) -> bool:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        try:
            match = _SOCKET.fullmatch(os.readlink(descriptor))
        except OSError:
            continue
        if match is not None and match[1] in inodes:
            return True
    return False
