"""A deterministic stream of octets over TCP, with its SHA-256: run as a program at both ends of a tunnel.

`serve ADDRESS` prints its port, serves one client at a time for ever. `put` and `get` ADDRESS PORT OCTETS move that many
octets to or from the server, and print one line of JSON: octets, seconds, and whether both ends saw the same digest.
"""

import hashlib
import json
import random
import socket
import sys
import time
from collections.abc import Iterator

_BLOCK = 1 << 18


def octets(amount: int) -> Iterator[bytes]:
    """`amount` octets that look random and are the same at every call."""
    source = random.Random(amount)
    while amount > 0:
        yield source.randbytes(min(_BLOCK, amount))
        amount -= _BLOCK


def _digest(amount: int) -> str:
    digest = hashlib.sha256()
    for block in octets(amount):
        digest.update(block)
    return digest.hexdigest()


def _receive(connection: socket.socket, amount: int) -> str:
    digest = hashlib.sha256()
    while amount > 0 and (block := connection.recv(min(_BLOCK, amount))):
        digest.update(block)
        amount -= len(block)
    return digest.hexdigest() if amount == 0 else f"{amount} octets are missing"


def _line(connection: socket.socket) -> str:
    line = b""
    while not line.endswith(b"\n") and (octet := connection.recv(1)):
        line += octet
    return line.decode().strip()


def serve(address: str) -> None:
    """Answer `put N` with the digest of the N octets that follow it, `get N` with N octets."""
    listener = socket.create_server(
        (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET
    )
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        connection = listener.accept()[0]
        with connection:
            try:
                verb, amount = _line(connection).split()
                if verb == "put":
                    connection.sendall(_receive(connection, int(amount)).encode() + b"\n")
                else:
                    for block in octets(int(amount)):
                        connection.sendall(block)
            except (OSError, ValueError):
                continue  # the client tells what it saw


def move(verb: str, address: str, port: int, amount: int) -> dict[str, object]:
    """The client's end of one transfer."""
    expected = _digest(amount)
    began = time.monotonic()
    with socket.create_connection((address, port), timeout=20) as connection:
        connection.sendall(f"{verb} {amount}\n".encode())
        if verb == "put":
            for block in octets(amount):
                connection.sendall(block)
            seen = _line(connection)
        else:
            seen = _receive(connection, amount)
    seconds = time.monotonic() - began
    return {"octets": amount, "seconds": seconds, "intact": seen == expected}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.stdout.write(
            json.dumps(move(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))) + "\n"
        )
