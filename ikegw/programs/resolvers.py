"""Programs that are told of DNS servers: which words, and what on standard input."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from attrs import frozen

from ikegw.config.resolver import ResolverKind
from ikegw.ports import NameServers

_RESOLVED_RUNS: Final = Path("/run/systemd/resolve")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9_]([\w.-]{0,252}[A-Za-z0-9_])?\.?", re.ASCII)

Command = tuple[tuple[str, ...], bytes]
"""The words of one, and what it is given on its standard input."""


class Resolver(Protocol):
    """One kind of them."""

    @property
    def name(self) -> str:
        """As the log has it."""
        ...

    def clean(self) -> Sequence[Command]:
        """At the start: take back what a killed gateway left."""
        ...

    def use(self, device: str, names: NameServers) -> Sequence[Command]:
        """Ask these servers, in place of those before; of their domains if they have some, else of all."""
        ...

    def use_none(self, device: str) -> Sequence[Command]:
        """Take all back."""
        ...


@frozen
class Resolved:
    """systemd-resolved, which keeps servers for each link and forgets them with it."""

    program: str
    name: str = "systemd-resolved"

    def clean(self) -> Sequence[Command]:
        """Nothing stays: the link of a killed gateway is gone."""
        return ()

    def use(self, device: str, names: NameServers) -> Sequence[Command]:
        """See `Resolver`. A domain with a tilde is asked about here and never appended to a name."""
        domains = [f"~{domain}" for domain in usable(names.domains)] or ["~."]
        return (
            ((self.program, "dns", device, *map(str, names.servers)), b""),
            ((self.program, "domain", device, *domains), b""),
        )

    def use_none(self, device: str) -> Sequence[Command]:
        """See `Resolver`."""
        return (((self.program, "revert", device), b""),)


@frozen
class Resolvconf:
    """resolvconf, which writes /etc/resolv.conf and so knows no servers for some domains only. `record`: what ours is called."""

    program: str
    record: str
    name: str = "resolvconf"

    def clean(self) -> Sequence[Command]:
        """Its records outlive us."""
        return self.use_none("")

    def use(self, device: str, names: NameServers) -> Sequence[Command]:
        """See `Resolver`."""
        lines = [f"nameserver {server}" for server in names.servers]
        domains = usable(names.domains)
        if domains:
            lines.append(f"search {' '.join(domains)}")
        return (((self.program, "-a", self.record), "".join(f"{line}\n" for line in lines).encode()),)

    def use_none(self, device: str) -> Sequence[Command]:
        """See `Resolver`."""
        return (((self.program, "-d", self.record), b""),)


def usable(domains: Sequence[str]) -> tuple[str, ...]:
    """Those that are domains: what a peer sent is never an option, nor another line."""
    return tuple(domain for domain in domains if _DOMAIN.fullmatch(domain))


def find(
    kind: ResolverKind,
    tun: str,
    which: Callable[[str], str | None] = shutil.which,
    resolved_runs: Path = _RESOLVED_RUNS,
) -> Resolver | None:
    """Who is to be told, None for nobody. `tun` is the configured name of the device, which tells two gateways apart."""
    resolvectl, resolvconf = which("resolvectl"), which("resolvconf")
    auto = kind is ResolverKind.AUTO
    if resolvectl and (kind is ResolverKind.RESOLVED or (auto and resolved_runs.is_dir())):
        return Resolved(resolvectl)
    if resolvconf and (auto or kind is ResolverKind.RESOLVCONF):
        # A name that begins with tun stands before those of network cards (/etc/resolvconf/interface-order).
        return Resolvconf(resolvconf, f"tun.{tun.replace('%d', '')}")
    return None
