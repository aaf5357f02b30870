"""FreeRADIUS as Debian has it: one process on one address, with the usual ports 1812, 1813, and 2083 for RADIUS over TLS."""

import os
import signal
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from attrs import define, field, frozen
from cryptography.hazmat.primitives.serialization import Encoding

from ikegw.testing.pki import GATEWAY_USAGES, Authority, Party, Period
from laboratory.namespaces import Namespace
from laboratory.processes import Daemon, NeverHappened

CONFIGURATION: Final = Path(__file__).with_name("radiusd.conf")
SERVER_NAME: Final = "radius.ikegw.example"
MACHINE: Final = "dave.ikegw.example"
"""Who logs in by certificate (EAP-TLS)."""
NAS: Final = "nas.ikegw.example"
"""The gateway's name in its certificate for RADIUS over TLS."""

USERS: Final = """\
alice	Cleartext-Password := "alicepw"
	Framed-IP-Address := 10.99.0.5,
	Framed-IP-Netmask := 255.255.255.255,
	Class := 0x636c6173732d616c696365,
	Session-Timeout := 3600,
	Idle-Timeout := 600,
	Acct-Interim-Interval := 60,
	Filter-Id := "staff"
bob	Cleartext-Password := "bobpw"
	Framed-Pool := "pool1",
	Session-Timeout := 15,
	Termination-Action := RADIUS-Request
carol	Cleartext-Password := "carolpw"
	Framed-IP-Address := 10.99.0.7,
	Framed-IPv6-Address := 2001:db8:99::7,
	Framed-Route := "10.77.0.0/24 10.99.0.7 1",
	MS-Primary-DNS-Server := 10.99.0.1,
	Class := "group=eng",
	Class += "tenant=7"
erin	Cleartext-Password := "erinpw"
	Framed-Pool := "pool2",
	Framed-IPv6-Pool := "pool6",
	Delegated-IPv6-Prefix := 2001:db8:1::/56
plain	Cleartext-Password := "plainpw"
mallory	Cleartext-Password := "x", Auth-Type := Reject
	Reply-Message := "no"
dave.ikegw.example	Auth-Type := EAP
	Class := "cert"
"""


@frozen
class RadiusPki:
    """The authority of a laboratory's RADIUS servers, and whom it knows: the servers, a machine that logs in, the gateway."""

    authority: Authority
    server: Party
    machine: Party
    nas: Party

    @classmethod
    @cache
    def make(cls) -> "RadiusPki":
        """Made once for all tests: each server can use it."""
        authority = Authority.root("ikegw laboratory RADIUS CA", "ecdsa256", Period.around(datetime.now(UTC)))
        return cls(
            authority,
            authority.issue(SERVER_NAME, "ecdsa256", usages=GATEWAY_USAGES),
            authority.issue(MACHINE, "ecdsa256"),
            authority.issue(NAS, "ecdsa256"),
        )

    def write(self, directory: Path) -> None:
        """`ca.pem`, and for each of the others `NAME.pem` and `NAME.key`: as FreeRADIUS and wpa_supplicant want them."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "ca.pem").write_bytes(self.authority.certificate.public_bytes(Encoding.PEM))
        for name, party in (("radius", self.server), ("machine", self.machine), ("nas", self.nas)):
            (directory / f"{name}.pem").write_bytes(party.certificate.public_bytes(Encoding.PEM))
            private = directory / f"{name}.key"
            private.touch(mode=0o600)
            private.write_bytes(party.private_pem)


@define
class FreeRadius:
    """One server. `place` None: this host's loopback. `eap` is the method that it proposes; it knows many others.

    `further`: it is a proxy, and asks the server at this address, which has the same secret, about logins. `tls` is the one
    version of TLS that RADIUS over TLS has there; EAP has 1.2 and 1.3.
    """

    name: str
    directory: Path
    address: str = "127.0.0.1"
    place: Namespace | None = None
    users: str = USERS
    secret: str = field(default="testing123", repr=False)
    eap: str = "mschapv2"
    tls: str = "1.3"
    further: str = ""
    pki: RadiusPki = field(factory=RadiusPki.make, repr=False)
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        command = [
            "freeradius",
            "-f",
            "-d",
            str(self.directory),
            "-D",
            "/usr/share/freeradius",
            "-l",
            "stdout",
        ]
        environment = {
            **os.environ,
            "RAD_DIRECTORY": str(self.directory),
            "RAD_ADDRESS": self.address,
            "RAD_SECRET": self.secret,
            "RAD_EAP_TYPE": self.eap,
            "RAD_TLS": self.tls,
            "RAD_REALM": "further" if self.further else "LOCAL",
            "RAD_FURTHER": self.further or "127.0.0.1",
        }
        within = self.place.within(*command) if self.place else command
        return Daemon(f"FreeRADIUS {self.name}", within, self.directory / "radius.log", environment)

    @property
    def certificates(self) -> Path:
        """Where `ca.pem`, `radius.pem`, `machine.pem`, `nas.pem` and their keys are."""
        return self.directory / "certs"

    @property
    def detail(self) -> Path:
        """The file that it writes every accounting request into."""
        return self.directory / "acct" / "detail"

    def start(self) -> None:
        """Write its files, start it, and wait until it is ready."""
        (self.directory / "acct").mkdir(parents=True, exist_ok=True)
        (self.directory / "radiusd.conf").write_text(CONFIGURATION.read_text())
        (self.directory / "dictionary").write_text("")
        (self.directory / "users").write_text(self.users)
        self.pki.write(self.certificates)
        since = self.daemon.mark()
        self.daemon.start()
        self.daemon.wait_for("Ready to process requests", since=since)

    def stop(self) -> None:
        """Stop it with SIGTERM, also one that a test has stopped otherwise."""
        self.daemon.signal(signal.SIGCONT)
        self.daemon.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.daemon.kill()


_given: list[str] = []


def loopback_address() -> str:
    """An address of this host that no other test uses: so that each server can have the usual ports."""
    number = len(_given) + 2
    if number > 254:
        raise NeverHappened("one process of tests uses more than 250 loopback addresses")
    pid = os.getpid()
    _given.append(f"127.{1 + (pid >> 8) % 254}.{pid % 256}.{number}")
    return _given[-1]
