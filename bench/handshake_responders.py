"""The two responders. Each is started with a case's settings in a directory of its own, and is then one process to measure."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from attrs import define, field, frozen
from handshake_cases import GATEWAY_ADDRESS, Case
from laboratory.namespaces import Namespace
from laboratory.processes import Daemon
from laboratory.settings import Tree, as_toml, merged
from laboratory.strongswan import CHARON, StrongSwan

from ikegw.testing.pki import DemoPki, write_directory

BENCH = Path(__file__).parent
UNLIMITED = 1_000_000
PACKAGES = ("strongswan-charon", "strongswan-swanctl", "libstrongswan-extra-plugins", "gcc", "libc6-dev")


def install_charon() -> str:
    """Have charon and a compiler for its null data plane; the sentence says why they are missing, if they are."""
    if CHARON.exists() and shutil.which("gcc"):
        return ""
    if os.geteuid():
        return f"charon or gcc is missing; install them, or run this once as root: {' '.join(PACKAGES)}"
    command = ["apt-get", "install", "-qq", "--no-install-recommends", *PACKAGES]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True)
    return f"{' '.join(command)}: {done.stderr.strip()}" if done.returncode else ""


@define
class Ikegw:
    """ikegw, on the model of a data plane."""

    address: ClassVar[str] = GATEWAY_ADDRESS
    port: ClassVar[int] = 500
    client_address: ClassVar[str] = "10.9.0.2"
    directory: Path
    profile: str = ""
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        return Daemon(
            "ikegw",
            [
                sys.executable,
                str(BENCH / "handshake_gateway.py"),
                str(self.configuration),
                *filter(None, [self.profile]),
            ],
            self.directory / "ikegw.log",
            {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    @property
    def configuration(self) -> Path:
        return self.directory / "ikegw.toml"

    def start(self, case: Case, pki: DemoPki | None) -> None:
        """Answer the clients of `case` from now on: no cookies, no log."""
        quiet: Tree = {
            "listen": {"addresses": [self.address]},
            "log": {"level": "error", "states": False},
            "control": {"socket": ""},
            "state": {"directory": str(self.directory)},
            "limits": dict.fromkeys(
                ("cookie_threshold", "cookie_threshold_ip", "block_threshold", "half_open"), UNLIMITED
            ),
        }
        if pki is not None:
            write_directory(self.directory, {"gateway": pki.gateway[1]}, {"ca": pki.root.certificate})
            if case.listed:
                publish(pki, self.directory / "crl")
        settings = merged(merged(case.settings(), quiet), self.more())
        (self.directory / "secrets.d").mkdir(parents=True)
        secrets = self.directory / "secrets.d" / "bench.toml"
        secrets.touch(mode=0o600)
        secrets.write_text(as_toml({"secrets": settings["secrets"]}))
        self.configuration.write_text(
            as_toml({name: tree for name, tree in settings.items() if name != "secrets"})
        )
        self.daemon.start()
        self.daemon.wait_for("^listening")

    def more(self) -> Tree:
        """What else is set."""
        return {}

    def stop(self) -> None:
        self.daemon.stop()


def publish(pki: DemoPki, directory: Path) -> None:
    """Put a CRL of a hundred certificates there, none of which is a client's."""
    others = [pki.root.issue(f"gone{number}@bench.example", "ecdsa256") for number in range(100)]
    directory.mkdir(exist_ok=True)
    (directory / "ca.crl").write_bytes(pki.root.crl(others))


@frozen
class _Here(Namespace):
    """The namespace that we are in ourselves, with charon's null data plane in every process."""

    plugin: Path

    def within(self, *command: str) -> list[str]:
        return ["env", f"LD_PRELOAD={self.plugin}", *command]


@define
class Charon:
    """strongSwan's charon, tuned for many IKE SAs (its table's size is 1 by default), on a data plane that carries nothing."""

    # It takes its ports on every address, so it must have its own; and its clients must come from port 500, for where neither
    # port is 500 it takes a datagram for one that passed a NAT.
    address: ClassVar[str] = GATEWAY_ADDRESS
    port: ClassVar[int] = 1500
    client_address: ClassVar[str] = "10.9.0.3"
    directory: Path
    _charon: StrongSwan = field(init=False)

    @property
    def daemon(self) -> Daemon:
        return self._charon.daemon

    def start(self, case: Case, pki: DemoPki | None) -> None:
        """Answer the clients of `case` from now on: no cookies, no log."""
        plugin = self.directory / "null-kernel.so"
        self.directory.mkdir(parents=True, exist_ok=True)
        source = str(BENCH / "handshake_null_kernel.c")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(plugin), source], check=True)
        tuned = merged(_TUNED, {"load": f"{_TUNED['load']} revocation"}) if case.listed else _TUNED
        self._charon = StrongSwan("charon", _Here("here", plugin), self.directory, tuned)
        self._charon.start()
        if pki is not None:
            self._charon.install("gateway", pki.gateway[1], pki.root.certificate)
            if case.listed:
                publish(pki, self.directory / "x509crl")
        self._charon.load(case.settings())

    def stop(self) -> None:
        self._charon.stop()


_TUNED: Tree = {
    # Of the orders in which its plugins may come, and so provide the algorithms, the quickest that we found.
    "load": "random nonce aesni aes sha1 sha2 hmac kdf gcm curve25519 x509 constraints pubkey pkcs1 pkcs8 pem openssl"
    " null-kernel kernel-netlink socket-default vici",
    "port": Charon.port,
    "port_nat_t": Charon.port + 1,
    "threads": 16,
    "ikesa_table_size": 4096,
    "ikesa_table_segments": 4,
    "dos_protection": False,
    "cookie_threshold": 0,
    "block_threshold": 0,
    "install_routes": False,
    "filelog": {},
    "syslog": {"daemon": {"default": -1}, "auth": {"default": -1}},
}

Responder = Ikegw | Charon
