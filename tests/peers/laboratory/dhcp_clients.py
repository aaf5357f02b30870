"""Our DHCP providers as a process in a namespace, and the handle by which a test leads it.

The process reads commands as lines of JSON and answers each with one. A session is called as the test likes; it has at most one
lease, which is renewed when it says so (`renew`), or by itself each time that it is due (`keep`).
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ikegw.config.dhcp import DhcpServers, LeasePer, Strategy
from ikegw.dhcp.providers import DhcpProviders
from ikegw.events import Event
from ikegw.policy.identities import parse_identity
from ikegw.ports import AddressRequest, Lease
from laboratory.namespaces import Namespace

Json = dict[str, Any]


class Failed(Exception):
    """There is no lease: what the provider said."""


@define
class DhcpClients:
    """The process in `place`; `providers` are the settings of each, as keywords of `DhcpServers`, addresses as texts."""

    place: Namespace
    providers: Mapping[str, Json]
    _process: "subprocess.Popen[str]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "laboratory.dhcp_clients"]
        self._process = subprocess.Popen(
            self.place.within(*command, json.dumps(self.providers)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )

    def begin(self, session: str, verb: str, **more: Any) -> None:
        """Tell it to do something whose answer is taken later, by `answer`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"session": session, "verb": verb, **more}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Json:
        """The next answer, of whatever was told; Failed if there is no lease."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process of the DHCP clients has ended"
        answer: Json = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def do(self, session: str, verb: str, **more: Any) -> Json:
        """Tell it to do something, and wait for the answer."""
        self.begin(session, verb, **more)
        return self.answer()

    def lease(self, session: str, provider: str, identity: str, **more: Any) -> Json:
        """Log in."""
        return self.do(session, "lease", provider=provider, identity=identity, **more)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


class _Sessions:
    """In the process: what the commands do."""

    def __init__(self, reactor: Any, random: Callable[[int], bytes], providers: Mapping[str, Json]) -> None:
        self._reactor = reactor
        self._providers = DhcpProviders(reactor, random, list[Event]().append)
        problems = self._providers.reload(_settings(name, each) for name, each in providers.items())
        if problems:
            raise SystemExit("\n".join(problems))
        self._leases: dict[str, tuple[str, Lease]] = {}
        self._pending: dict[str, Deferred[Lease]] = {}

    def obey(self, line: bytes) -> None:
        """Do what one line says."""
        command = json.loads(line)
        session = command.pop("session")
        getattr(self, f"_{command.pop('verb')}")(session, **command)

    def _lease(
        self,
        session: str,
        provider: str,
        identity: str,
        families: tuple[int, ...] = (4,),
        requested: tuple[str, ...] = (),
    ) -> None:
        request = AddressRequest(
            "roadwarriors",
            parse_identity(identity),
            (),
            4 in families,
            6 in families,
            tuple(map(ip_address, requested)),
            session=session,
        )
        self._wait(session, provider, self._provider(provider).lease(request))

    def _renew(self, session: str) -> None:
        provider, lease = self._leases[session]
        self._wait(session, provider, self._provider(provider).renew(lease))

    def _keep(self, session: str, times: int) -> None:
        """Renew whenever it is due, so often, then answer."""
        provider, lease = self._leases[session]
        assert lease.renew_seconds is not None

        def due() -> None:
            renewed = self._provider(provider).renew(lease)
            if times > 1:
                renewed.addCallback(lambda new: self._leases.update({session: (provider, new)}))
                renewed.addCallback(lambda _: self._keep(session, times - 1))
                renewed.addErrback(self._failed)
            else:
                self._wait(session, provider, renewed)

        self._reactor.callLater(lease.renew_seconds, due)

    def _release(self, session: str) -> None:
        provider, lease = self._leases.pop(session)
        self._provider(provider).release(lease)
        self._say({"bound": self._provider(provider).bound})

    def _leave(self, session: str) -> None:
        """Release what it has, if it has anything."""
        if session in self._leases:
            self._release(session)
        else:
            self._say({})

    def _cancel(self, session: str) -> None:
        self._pending.pop(session).cancel()

    def _counts(self, session: str) -> None:
        self._say({str(relay.local): dict(relay.counts) for relay in self._providers.sockets.relays})

    def _provider(self, name: str) -> Any:
        return self._providers.provider(name)

    def _wait(self, session: str, provider: str, waiting: Deferred[Lease]) -> None:
        self._pending[session] = waiting

        def leased(lease: Lease) -> None:
            self._leases[session] = provider, lease
            self._say(
                {
                    "ip4": lease.ip4 and str(lease.ip4),
                    "ip6": lease.ip6 and str(lease.ip6.ip),
                    "dns": list(map(str, lease.dns)),
                    "domains": list(lease.domains),
                    "subnets": list(map(str, lease.subnets)),
                    "renew_seconds": lease.renew_seconds,
                }
            )

        waiting.addCallbacks(leased, self._failed)

    def _failed(self, failure: Failure) -> None:
        self._say({"failed": failure.getErrorMessage() or type(failure.value).__name__})

    def _say(self, answer: Json) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _settings(name: str, given: Json) -> DhcpServers:
    addresses = {"giaddr", "link_selection", "subnet_selection", "source6", "link_address"}
    read: Json = {key: ip_address(value) if key in addresses else value for key, value in given.items()}
    read["servers"] = tuple(map(ip_address, given["servers"]))
    for key, choices in (("strategy", Strategy), ("lease_per", LeasePer)):
        if key in given:
            read[key] = choices(given[key])
    return DhcpServers(name, **read)


def _main() -> None:
    import os

    from twisted.internet import reactor, stdio
    from twisted.protocols.basic import LineReceiver

    sessions = _Sessions(reactor, os.urandom, json.loads(sys.argv[1]))

    class Commands(LineReceiver):
        delimiter = b"\n"

        def lineReceived(self, line: bytes) -> None:
            sessions.obey(line)

    stdio.StandardIO(Commands())  # type: ignore[no-untyped-call]
    reactor.run()


if __name__ == "__main__":
    _main()
