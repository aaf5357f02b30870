"""Who is at the other end of a UNIX socket, as the kernel knows them (SO_PEERCRED, unix(7))."""

import pwd
import socket
import struct
from typing import Final

_CREDENTIALS: Final = struct.Struct("iii")


def asker(connection: socket.socket) -> str:
    """Their name, and the process: `root (process 4711)`."""
    octets = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(octets)
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user {user}"
    return f"{name} (process {process})"
