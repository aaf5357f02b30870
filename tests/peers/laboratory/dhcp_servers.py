"""Kea, ISC dhcpd and dnsmasq as a site would run them, each in a namespace of its own behind the gateway's.

Each has the subnets 10.60.0.0/24, 10.61.0.0/24 and 10.62.0.0/24, the last with two addresses to lend. `leases` is what the server
itself says of who has what: client identifiers by addresses.
"""

import json
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import define, field

from laboratory.namespaces import Namespace
from laboratory.processes import Daemon, until

ALICES: Final = "10.60.0.205"
"""Reserved for the client identifier 0x00 "alice"."""
DNS: Final = "10.1.0.53"
_KEA_HOOKS: Final = "/usr/lib/x86_64-linux-gnu/kea/hooks"


class DhcpServer(Protocol):
    """One server: its daemon, and what it says."""

    @property
    def daemon(self) -> Daemon: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def leases(self) -> dict[str, bytes]: ...


def stop_hearing(server: DhcpServer) -> None:
    """It hears nothing until `hear_again`."""
    server.daemon.signal(signal.SIGSTOP)


def hear_again(server: DhcpServer) -> None:
    """What came meanwhile is heard, too."""
    server.daemon.signal(signal.SIGCONT)


def runs(place: Namespace, device: str) -> bool:
    """Whether a device is up and its other end too; Kea does not use it before."""
    return "state UP" in place.run("ip", "link", "show", device)


@define
class Kea:
    """kea-dhcp4, or kea-dhcp6 with `family` 6, on `device` of `place`, where it has `address`."""

    place: Namespace
    device: str
    directory: Path
    address: str
    family: int = 4
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        self.directory.mkdir(parents=True, exist_ok=True)
        directory = str(self.directory)
        return Daemon(
            f"kea{self.family}",
            self.place.within(f"kea-dhcp{self.family}", "-c", f"{directory}/kea.conf"),
            self.directory / "kea.log",
            {"KEA_LOCKFILE_DIR": directory, "KEA_PIDFILE_DIR": directory, "PATH": "/usr/sbin:/usr/bin"},
        )

    @property
    def _socket(self) -> Path:
        return self.directory / "kea.sock"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        configuration = self._configuration6() if self.family == 6 else self._configuration4()
        (self.directory / "kea.conf").write_text(json.dumps(configuration))
        since = self.daemon.mark()
        self.daemon.start()
        self.daemon.wait_for(rf"DHCP{self.family}_STARTED", since=since)

    def _common(self) -> dict[str, object]:
        return {
            "control-socket": {"socket-type": "unix", "socket-name": str(self._socket)},
            "lease-database": {
                "type": "memfile", "persist": True, "name": f"{self.directory}/leases.csv", "lfc-interval": 0,
            },
            "multi-threading": {"enable-multi-threading": False},
            "hooks-libraries": [{"library": f"{_KEA_HOOKS}/libdhcp_lease_cmds.so"}],
            "expired-leases-processing": {"reclaim-timer-wait-time": 1},
            "loggers": [
                {
                    "name": f"kea-dhcp{self.family}",
                    "output_options": [{"output": "stdout", "flush": True}],
                    "severity": "INFO",
                }
            ],
        }  # fmt: skip

    def _configuration4(self) -> dict[str, object]:
        options = [
            {"name": "domain-name-servers", "data": DNS},
            {"name": "domain-name", "data": "ikegw.example"},
            {"name": "domain-search", "data": "ikegw.example, lab.ikegw.example"},
            {"name": "routers", "data": "10.60.0.1"},
            {"code": 121, "space": "dhcp4", "csv-format": False, "data": "100A010A3C0001"},
        ]
        return {
            "Dhcp4": {
                **self._common(),
                "interfaces-config": {
                    "interfaces": [self.device], "dhcp-socket-type": "udp", "re-detect": False,
                },
                "valid-lifetime": 4, "renew-timer": 1, "rebind-timer": 3, "authoritative": True,
                "match-client-id": True,
                "subnet4": [
                    {
                        "id": 60,
                        "subnet": "10.60.0.0/24",
                        "pools": [{"pool": "10.60.0.10 - 10.60.0.200"}],
                        "option-data": options,
                        "reservations": [{"client-id": "00616c696365", "ip-address": ALICES}],
                    },
                    {"id": 61, "subnet": "10.61.0.0/24", "pools": [{"pool": "10.61.0.10 - 10.61.0.200"}]},
                    {"id": 62, "subnet": "10.62.0.0/24", "pools": [{"pool": "10.62.0.10 - 10.62.0.11"}]},
                ],
            }
        }  # fmt: skip

    def _configuration6(self) -> dict[str, object]:
        return {
            "Dhcp6": {
                **self._common(),
                "interfaces-config": {"interfaces": [f"{self.device}/{self.address}"], "re-detect": False},
                "preferred-lifetime": 3, "valid-lifetime": 4, "renew-timer": 1, "rebind-timer": 2,
                "server-id": {
                    "type": "EN", "enterprise-id": 2495, "identifier": "6B656136", "persist": False,
                },
                "option-data": [
                    {"name": "dns-servers", "data": "fd00:1::53"},
                    {"name": "domain-search", "data": "ikegw.example, lab.ikegw.example"},
                ],
                "subnet6": [
                    {"id": 60, "subnet": "fd00:60::/64", "pools": [{"pool": "fd00:60::10 - fd00:60::ff"}]},
                    {"id": 62, "subnet": "fd00:62::/64", "pools": [{"pool": "fd00:62::10 - fd00:62::10"}]},
                ],
            }
        }  # fmt: skip

    def ask(self, command: str, **arguments: object) -> dict[str, object]:
        """Its control channel."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(str(self._socket))
            given = {"arguments": arguments} if arguments else {}
            channel.sendall(json.dumps({"command": command, **given}).encode())
            channel.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda: channel.recv(65536), b""))
        answer: dict[str, object] = json.loads(said)
        if answer["result"] not in (0, 3):  # 3: there is nothing
            raise RuntimeError(f"{command}: {answer['text']}")
        return answer

    def stop(self) -> None:
        """End it."""
        hear_again(self)
        self.daemon.stop()

    def leases(self) -> dict[str, bytes]:
        """What is leased now."""
        key = "client-id" if self.family == 4 else "duid"
        return {
            lease["ip-address"]: bytes.fromhex(lease.get(key, "").replace(":", ""))
            for lease in self._standing()
        }

    def seconds_left(self) -> dict[str, float]:
        """When each of them ends by itself, from now."""
        return {
            each["ip-address"]: each["cltt"] + each["valid-lft"] - time.time() for each in self._standing()
        }

    def _standing(self) -> list[dict[str, Any]]:
        found = self.ask(f"lease{self.family}-get-all").get("arguments", {"leases": []})
        assert isinstance(found, dict)
        return [lease for lease in found["leases"] if lease["state"] == 0]


@define
class Dhcpd:
    """ISC dhcpd."""

    place: Namespace
    device: str
    directory: Path
    own_subnet: str
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        self.directory.mkdir(parents=True, exist_ok=True)
        options = ["-4", "-f", "-d", "-user", "root", "-group", "root", "--no-pid"]
        files = ["-cf", str(self.directory / "dhcpd.conf"), "-lf", str(self._file)]
        command = self.place.within("dhcpd", *options, *files, self.device)
        return Daemon("dhcpd", command, self.directory / "dhcpd.log", {"PATH": "/usr/sbin:/usr/bin"})

    @property
    def _file(self) -> Path:
        return self.directory / "dhcpd.leases"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._file.touch()
        (self.directory / "dhcpd.conf").write_text(_DHCPD.replace("@OWN@", self.own_subnet))
        since = self.daemon.mark()
        self.daemon.start()
        self.daemon.wait_for("Server starting service", since=since)

    def stop(self) -> None:
        """End it."""
        hear_again(self)
        self.daemon.stop()

    def leases(self) -> dict[str, bytes]:
        """The last word of its lease file on each address, and who has the reserved one it does not write down."""
        found: dict[str, bytes] = {}
        for address, body in re.findall(r"^lease (\S+) \{(.*?)^\}", self._file.read_text(), re.M | re.S):
            found.pop(address, None)
            uid = re.search(r'^  uid "(.*)";', body, re.M)
            if "\n  binding state active;" in body:
                spelled = uid[1] if uid else ""
                found[address] = spelled.encode("latin-1").decode("unicode_escape").encode("latin-1")
        return found


_DHCPD: Final = """\
authoritative;
default-lease-time 4; min-lease-time 1; max-lease-time 60;
dhcp-cache-threshold 0;
option dhcp-renewal-time 1; option dhcp-rebinding-time 3;
one-lease-per-client off; deny duplicates; ping-check false; stash-agent-options true;
option classless-routes code 121 = array of unsigned integer 8;
subnet @OWN@ netmask 255.255.255.0 { }
subnet 10.60.0.0 netmask 255.255.255.0 {
  range 10.60.0.10 10.60.0.200;
  option routers 10.60.0.1; option domain-name-servers 10.1.0.53; option domain-name "ikegw.example";
  option domain-search "ikegw.example", "lab.ikegw.example";
  option classless-routes 16, 10, 1, 10, 60, 0, 1;
}
subnet 10.61.0.0 netmask 255.255.255.0 { range 10.61.0.10 10.61.0.200; }
subnet 10.62.0.0 netmask 255.255.255.0 { range 10.62.0.10 10.62.0.11; }
host alice { option dhcp-client-identifier 00:61:6c:69:63:65; fixed-address 10.60.0.205; }
"""


@define
class Dnsmasq:
    """dnsmasq, without its DNS. It leases for two minutes at least, and wants them renewed after four seconds."""

    place: Namespace
    device: str
    directory: Path
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        self.directory.mkdir(parents=True, exist_ok=True)
        command = self.place.within("dnsmasq", "-C", f"{self.directory}/dnsmasq.conf", "--log-facility=-")
        return Daemon("dnsmasq", command, self.directory / "dnsmasq.log", {"PATH": "/usr/sbin:/usr/bin"})

    @property
    def _file(self) -> Path:
        return self.directory / "dnsmasq.leases"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        text = _DNSMASQ.replace("@DEVICE@", self.device).replace("@DIRECTORY@", str(self.directory))
        (self.directory / "dnsmasq.conf").write_text(text)
        since = self.daemon.mark()
        self.daemon.start()
        self.daemon.wait_for("DHCP, IP range 10.62", since=since)
        until(self._hears, "dnsmasq does not listen")

    def _hears(self) -> bool:
        return ":67 " in self.place.run("ss", "-Hulpn", "sport = :67")

    def stop(self) -> None:
        """End it."""
        hear_again(self)
        self.daemon.stop()

    def leases(self) -> dict[str, bytes]:
        """What its lease file says; it is written at each change."""
        found = {}
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            _, _, address, _, client = line.split()
            found[address] = bytes.fromhex(client.replace(":", ""))
        return found


_DNSMASQ: Final = """\
port=0
no-daemon
interface=@DEVICE@
except-interface=lo
bind-interfaces
user=root
dhcp-authoritative
log-dhcp
no-ping
dhcp-leasefile=@DIRECTORY@/dnsmasq.leases
pid-file=@DIRECTORY@/dnsmasq.pid
dhcp-range=set:a,10.60.0.10,10.60.0.200,255.255.255.0,120
dhcp-range=set:b,10.61.0.10,10.61.0.200,255.255.255.0,120
dhcp-range=set:c,10.62.0.10,10.62.0.11,255.255.255.0,120
dhcp-option=tag:a,option:router,10.60.0.1
dhcp-option=tag:a,option:dns-server,10.1.0.53
dhcp-option=tag:a,option:domain-name,ikegw.example
dhcp-option=tag:a,option:domain-search,ikegw.example,lab.ikegw.example
dhcp-option=tag:a,121,10.1.0.0/16,10.60.0.1
dhcp-option-force=58,4
dhcp-host=id:00:61:6c:69:63:65,10.60.0.205
"""
