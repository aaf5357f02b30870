"""The gateways that are compared, by who lends their clients addresses, and what each needs beside it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import define, field, frozen
from handshake_cases import GATEWAY_ADDRESS
from handshake_responders import Ikegw
from laboratory.postgresql import Postgresql
from laboratory.processes import Daemon
from laboratory.settings import Tree, merged

DHCP_SERVER: Final = "10.9.0.9"
MEMORY: Final = "memory"
NETWORK: Final = "10.64.0.0/12"


@frozen
class Seat:
    """Where a gateway is, and where its clients are."""

    address: str
    client_address: str


FIRST: Final = Seat(GATEWAY_ADDRESS, Ikegw.client_address)
THE_OTHER: Final = Seat("10.9.0.5", "10.9.0.6")


@define
class Lending(Ikegw):
    """ikegw with more settings, on a seat."""

    extra: Tree = field(factory=dict)
    seat: Seat = FIRST

    @property
    def address(self) -> str:  # type: ignore[override]
        return self.seat.address

    @property
    def client_address(self) -> str:  # type: ignore[override]
        return self.seat.client_address

    def more(self) -> Tree:
        return merged({"connections": {"road": {"local_addrs": [self.address]}}}, self.extra)


@frozen
class Lender:
    """One way to lend; called with a directory it gives the gateway, ready to be started."""

    name: str

    @contextmanager
    def __call__(self, directory: Path, seat: Seat = FIRST) -> Iterator[Lending]:
        settings: Tree = {
            "pools": {"road": {"addrs": NETWORK, "store": self.name}},
        }
        yield Lending(directory / "ikegw", extra=settings, seat=seat)


class Postgres(Lender):
    """A pool in a database on this host."""

    @contextmanager
    def __call__(self, directory: Path, seat: Seat = FIRST) -> Iterator[Lending]:
        server = Postgresql(directory / "pg")
        server.start()
        try:
            with super().__call__(directory, seat) as lending:
                lending.extra["secrets"] = {"store": {"dsn": server.dsn}}
                yield lending
        finally:
            server.stop()


@contextmanager
def dhcp_server(directory: Path, *mood: str) -> Iterator[Daemon]:
    """A DHCP server that takes its time, or is `silent`."""
    program = str(Path(__file__).with_name("addresses_dhcp_server.py"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, program, DHCP_SERVER, *mood]
    server = Daemon("DHCP server", command, directory / "dhcp.log", environment)
    server.start()
    try:
        server.wait_for("^ready")
        yield server
    finally:
        server.stop()


def asking(directory: Path, seat: Seat = FIRST) -> Lending:
    """A gateway whose clients have their addresses from that server."""
    settings: Tree = {
        "connections": {"road": {"pools": ["dhcp:bench"]}},
        "dhcp": {"bench": {"servers": [DHCP_SERVER], "giaddr": GATEWAY_ADDRESS}},
        "addresses": {"provider_timeout": "30s"},
    }
    return Lending(directory / "ikegw", extra=settings, seat=seat)


class Dhcp(Lender):
    """A DHCP server that takes its time."""

    @contextmanager
    def __call__(self, directory: Path, seat: Seat = FIRST) -> Iterator[Lending]:
        with dhcp_server(directory):
            yield asking(directory, seat)


memory: Final = Lender(MEMORY)
LENDERS: Final = (memory, Lender("sqlite"), Postgres("postgresql"), Dhcp("dhcp"))
