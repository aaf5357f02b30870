"""What is ours in the kernel's tables: SAs and policies by their reqid, the device by its if_id. One gateway has it at a time."""

import errno
import socket
from collections import Counter
from itertools import cycle
from typing import Final

from ikegw.ports import DataPlaneError

REQIDS: Final = range(0x49000001, 0x4A000000)
"""Far above what other daemons count up from 1."""

IF_ID: Final = 0x49000000
"""Of the device that leads packets into our tunnels."""

_LOCK: Final = "\0ikegw: the kernel's IPsec"


class Reqids:
    """Numbers for templates; each may have several users, and is free when none of them is left."""

    def __init__(self) -> None:
        self._numbers = cycle(REQIDS)
        self._users: Counter[int] = Counter()

    def take(self) -> int:
        """One that nobody uses; it has a user now."""
        number = next(number for number in self._numbers if number not in self._users)
        self._users[number] = 1
        return number

    def share(self, number: int) -> int:
        """The same number, which has one more user."""
        self._users[number] += 1
        return number

    def give_back(self, number: int) -> None:
        """One user less."""
        self._users[number] -= 1
        if self._users[number] <= 0:
            del self._users[number]


def claim() -> socket.socket:
    """Be the only one in this network namespace, until the socket is closed or we die; DataPlaneError if there is another.

    An abstract UNIX socket: the kernel forgets it with its owner, and each network namespace has names of its own.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        lock.bind(_LOCK)
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise DataPlaneError(f"cannot claim the kernel's IPsec: {error}") from error
        raise DataPlaneError(
            "another ikegw uses the kernel's IPsec in this network namespace (see /proc/net/unix); stop it, or give one of them "
            'data_plane.kind = "userspace"'
        ) from None
    return lock
