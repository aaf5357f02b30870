"""The verbs of the control socket that show what there is."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList

from ikegw import __version__
from ikegw.config.settings import is_container
from ikegw.control.protocol import Json
from ikegw.crypto.transforms import ENCRYPTIONS, GROUPS, INTEGRITIES, PRFS
from ikegw.ike.listing import Row
from ikegw.policy.connections import Connection, LocalAuth, RemoteAuth
from ikegw.policy.identities import display
from ikegw.ports import Usage
from ikegw.service.announcement import connection_line
from ikegw.service.arguments import Arguments, rows_meant
from ikegw.service.assembly import Assembled

Answer = Json | Deferred[Any]


@define(eq=False)
class Showing:
    """Shows one gateway; `now` is its clock."""

    assembled: Assembled
    now: Callable[[], float]
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.now()

    def verbs(self) -> dict[str, Callable[[Arguments], Answer]]:
        """Each by its name."""
        return {
            "status": self._status,
            "sas": self._sas,
            "conns": self._conns,
            "leases": self._leases,
            "pools": self._pools,
            "certs": self._certs,
            "algorithms": self._algorithms,
            "counters": self._counters,
            "version": lambda _: {"version": __version__},
        }

    def _status(self, _: Arguments) -> Answer:
        assembled, rows = self.assembled, self.assembled.gateway.listing()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "up": self.now() - self._began,
            "configuration": str(assembled.prepared.config.path),
            "listening": [str(each) for each in assembled.transport.endpoints()],
            "data_plane": assembled.plane.plane.description,
            "connections": len(assembled.prepared.config.connections),
            "ike_sas": len(rows),
            "half_open": assembled.gateway.half_open_total,
            "child_sas": sum(len(row.children) for row in rows),
            "failed_logins": len(list(assembled.stories.failed())),
            "radius": [
                {"server": str(each), "service": each.service.value, "standing": each.standing.lower()}
                for each in assembled.radius.associations()
            ],
            "accounting": list(assembled.accounting.status()),
            "pools": self._pools({}),
        }

    def _sas(self, arguments: Arguments) -> Answer:
        rows = (
            rows_meant(self.assembled.gateway, arguments)
            if "sa" in arguments
            else self.assembled.gateway.listing()
        )
        spis = [child[2] for row in rows for child in row.children]
        plane = self.assembled.plane.plane
        usages = DeferredList([plane.usage(spi) for spi in spis], consumeErrors=True)

        def listed(results: list[tuple[bool, Usage]]) -> list[Json]:
            # A CHILD SA may have ended while we asked: it is shown without counts.
            used = {spi: usage for spi, (known, usage) in zip(spis, results, strict=True) if known}
            return [self._row(row, used) for row in rows]

        return usages.addCallback(listed)

    def _row(self, row: Row, used: Mapping[bytes, Usage]) -> Json:
        return {
            "name": str(row.name),
            "number": row.name.number,
            "connection": row.name.connection,
            "state": row.state,
            "initiator": row.initiator,
            "up": None if row.up_since is None else self.now() - row.up_since,
            "local": row.local,
            "local_address": str(row.path.local),
            "remote": row.remote,
            "remote_address": str(row.path.remote),
            "suite": row.suite,
            "addresses": list(row.addresses),
            "user": row.user,
            "group": row.group,
            "children": [_child(child, used.get(child[2])) for child in row.children],
        }

    def _conns(self, _: Arguments) -> Answer:
        up: dict[str, int] = {}
        for row in self.assembled.gateway.listing():
            up[row.name.connection] = up.get(row.name.connection, 0) + (row.up_since is not None)
        return [_connection(each, up.get(each.name, 0)) for each in self.assembled.gateway.connections]

    def _leases(self, _: Arguments) -> Answer:
        return [
            {"address": address, "sa": str(row.name), "peer": row.remote, "at": str(row.path.remote)}
            for row in self.assembled.gateway.listing()
            if not row.initiator
            for address in row.addresses
        ]

    def _pools(self, _: Arguments) -> list[Json]:
        return [
            {"pool": use.pool, "family": use.family, "size": use.size, "lent": use.lent}
            for use in self.assembled.addresses.usage()
        ]

    def _certs(self, _: Arguments) -> Answer:
        credentials = self.assembled.prepared.credentials
        ours = {own.certificate.der for own in credentials.own}
        shelves = (("certs", credentials.certificates), ("ca", credentials.authorities))
        return [
            {
                "file": f"{'private' if is_container(file) else directory}/{file}",
                "subject": each.subject,
                "valid_until": each.end.isoformat(),
                "private_key": each.der in ours,
                "pins": list(map(str, each.pins)),
            }
            for directory, files in shelves
            for file, certificates in files.items()
            for each in certificates
        ]

    def _algorithms(self, _: Arguments) -> Answer:
        return {
            "encryption": [each.name for each in ENCRYPTIONS],
            "prf": [each.name for each in PRFS],
            "integrity": [each.name for each in INTEGRITIES],
            "group": [each.name for each in GROUPS],
        }

    def _counters(self, _: Arguments) -> Answer:
        return {
            "events": dict(sorted(self.assembled.counters.counts.items())),
            "datagrams": dict(sorted(self.assembled.transport.counts.items())),
            **{
                f"radius {each.server.name} {each.service.value}": {
                    "alive": int(each.is_alive),
                    **dict(sorted(each.counts.items())),
                }
                for each in self.assembled.radius.associations()
            },
            "coa": dict(sorted(self.assembled.coa.counts.items())),
        }


def _child(child: tuple[str, str, bytes, str, str, str], usage: Usage | None) -> Json:
    name, state, spi, suite, local, remote = child
    counts: dict[str, Json] = {}
    if usage is not None:
        counts = {
            "received": usage.inbound_octets,
            "received_packets": usage.inbound_packets,
            "sent": usage.outbound_octets,
            "sent_packets": usage.outbound_packets,
        }
    return {
        "name": name,
        "state": state,
        "spi": spi.hex(),
        "suite": suite,
        "local": local,
        "remote": remote,
        **counts,
    }


def _connection(connection: Connection, up: int) -> Json:
    local = connection.local.identity
    return {
        "name": connection.name,
        "up": up,
        "local": "" if local is None else display(local),
        "local_auth": _proofs(connection.local, connection.second_local),
        "remote": str(connection.remote.identity),
        "remote_auth": _proofs(connection.remote, connection.second_remote),
        "remote_addresses": [str(each) for each in connection.remote_addresses],
        "pools": list(connection.pools),
        "children": [child.name for child in connection.children],
        "text": connection_line(connection),
    }


def _proofs(first: LocalAuth | RemoteAuth, second: LocalAuth | RemoteAuth | None) -> str:
    return first.kind.value if second is None else f"{first.kind.value}+{second.kind.value}"
