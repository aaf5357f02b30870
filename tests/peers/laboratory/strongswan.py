"""Debian's strongSwan in a namespace, with its userspace ESP (kernel-libipsec): the tests need no ESP in the kernel.

kernel-libipsec always pretends a NAT, so that all after IKE_SA_INIT runs over port 4500; its device is `ipsec0`.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ikegw.testing.pki import Party
from laboratory.namespaces import CommandFailed, Namespace
from laboratory.processes import PATIENCE, Daemon, until
from laboratory.settings import Tree, as_swanctl

CHARON = Path("/usr/lib/ipsec/charon")
SWANCTL = "/usr/sbin/swanctl"
# Only what is needed: with every plugin of the packages each call of swanctl takes seconds.
_CHARON_PLUGINS = (
    "random nonce openssl pem pkcs1 pkcs8 x509 revocation constraints pubkey aes sha1 sha2 hmac kdf gcm ctr ccm"
    " chapoly curve25519{} kernel-netlink socket-default vici updown resolve curl"
)
_EAP_PLUGINS = " gcrypt md5 eap-identity eap-md5 eap-mschapv2 eap-gtc eap-tls eap-ttls eap-peap"
_PEAP_PLUGIN = Path(sys.prefix) / "strongswan" / "libstrongswan-eap-peap.so"
"""Not Debian's: made by script/strongswan-peap. charon looks for a plugin among the symbols of its process first."""

_CREDENTIALS = (
    "x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private", "rsa", "ecdsa", "bliss", "pkcs8",
    "pkcs12",
)  # fmt: skip
_SWANCTL_PLUGINS = "random nonce openssl pem pkcs1 pkcs8 x509 pubkey curve25519"


@define
class StrongSwan:
    """One charon. `directory` takes its files; certificates go to `directory`/x509, x509ca and private."""

    name: str
    place: Namespace
    directory: Path
    charon: Tree = field(factory=dict)
    """Further settings of strongswan.conf's section `charon`."""
    eap: bool = False
    """Load its EAP methods too."""
    radius: Tree = field(factory=dict)
    """RADIUS servers that it asks about logins (`auth = "eap-radius"`), as its plugin has them."""
    by_kernel: bool = False
    """Let the kernel carry its ESP, where there is one that has it."""
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        # charon wants /run/charon.pid: each has a /run of its own.
        preload = f"LD_PRELOAD={_PEAP_PLUGIN} " if self.eap else ""
        shell = f"mount -t tmpfs tmpfs /run && {preload}exec {CHARON}"
        return Daemon(
            name=f"strongSwan {self.name}",
            command=self.place.within("unshare", "-m", "sh", "-c", shell),
            log=self.directory / "charon.log",
            environment=self._environment,
        )

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "STRONGSWAN_CONF": str(self.directory / "strongswan.conf"),
            "SWANCTL_DIR": str(self.directory),
        }

    def start(self) -> None:
        """Start charon and wait until it can be spoken to."""
        for needed in (CHARON, _PEAP_PLUGIN):
            if not needed.exists():
                raise FileNotFoundError(f"{needed} is missing: run script/setup")
        self.prepare()
        self._socket.unlink(missing_ok=True)
        self.daemon.start()
        until(
            lambda: self._socket.exists() or not self.daemon.running, f"{self.daemon.name} opened no socket"
        )
        if not self.daemon.running:
            raise CommandFailed(self.daemon.tail())

    def prepare(self) -> None:
        """Write what it is started with."""
        for kind in _CREDENTIALS:
            (self.directory / kind).mkdir(parents=True, exist_ok=True)
        settings: Tree = {
            "charon": {
                "load": _CHARON_PLUGINS.format("" if self.by_kernel else " kernel-libipsec")
                + (_EAP_PLUGINS if self.eap else "")
                + (" eap-radius" if self.radius else ""),
                "install_virtual_ip": True,
                "retransmit_timeout": "1.0",
                "retransmit_tries": 3,
                "plugins": {
                    "vici": {"socket": f"unix://{self._socket}"},
                    "resolve": {"file": str(self.directory / "resolv.conf")},
                    **({"eap-radius": {"servers": self.radius}} if self.radius else {}),
                },
                "filelog": {"stderr": {"default": 1, "ike_name": True, "flush_line": True}},
                **self.charon,
            },
            "swanctl": {"load": _SWANCTL_PLUGINS},
        }
        (self.directory / "strongswan.conf").write_text(as_swanctl(settings))

    def write(self, settings: Tree) -> None:
        """Write what `load` loads."""
        (self.directory / "swanctl.conf").write_text(as_swanctl(_dialect(settings)))

    @property
    def _socket(self) -> Path:
        return self.directory / "vici"

    def swanctl(self, *arguments: str, timeout: float = 30.0) -> str:
        """Give charon a command; its answer. CommandFailed if it was refused."""
        command = [SWANCTL, *arguments, "--uri", f"unix://{self._socket}"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout * PATIENCE, env=self._environment
        )
        said = done.stdout + done.stderr
        if done.returncode:
            raise CommandFailed(f"{self.name}: {' '.join(command)}: {said}")
        return said

    def install(self, name: str, party: Party, authority: x509.Certificate) -> None:
        """Put a certificate with its key in x509/ and private/ as `name`.pem, and the authority in x509ca/ca.pem.

        What lies between goes to x509ca/ too, as `name`-1.pem and so on.
        """
        for number, each in enumerate(party.intermediates, 1):
            (self.directory / "x509ca" / f"{name}-{number}.pem").write_bytes(each.public_bytes(Encoding.PEM))
        (self.directory / "x509" / f"{name}.pem").write_bytes(party.certificate.public_bytes(Encoding.PEM))
        (self.directory / "private" / f"{name}.pem").write_bytes(party.private_pem)
        self.trust(authority)

    def trust(self, authority: x509.Certificate) -> None:
        """Put the authority in x509ca/ca.pem."""
        (self.directory / "x509ca" / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))

    def load(self, settings: Tree) -> None:
        """Load connections, pools, secrets and credentials in place of what was loaded."""
        self.write(settings)
        said = self.swanctl(
            "--load-all", "--clear", "--noprompt", "--file", str(self.directory / "swanctl.conf")
        )
        if re.search(r"failed|discarding|invalid", said):
            raise CommandFailed(f"{self.name}: {said}")

    def connect(self, child: str, timeout: float = 10.0) -> None:
        """Bring a child up; CommandFailed with charon's words if it does not come up."""
        patience = f"{timeout * PATIENCE:g}"
        self.swanctl("--initiate", "--child", child, "--timeout", patience, timeout=timeout + 10)

    def disconnect(self, connection: str) -> None:
        """DELETE an IKE SA by its connection's name, and wait for the answer."""
        self.swanctl("--terminate", "--ike", connection, "--timeout", "10")

    def sas(self) -> str:
        """The IKE and CHILD SAs, as swanctl shows them."""
        return self.swanctl("--list-sas")

    def is_empty(self) -> bool:
        """Whether no SA is left, half-open ones included."""
        return not self.sas().strip()

    def kill(self) -> None:
        """End charon as a crash would, with SIGKILL: nothing is deleted in order. It can be started again."""
        self.daemon.signal(signal.SIGKILL)
        until(lambda: not self.daemon.running, f"{self.daemon.name} outlives SIGKILL")
        self._socket.unlink()

    def stop(self) -> None:
        """Stop charon."""
        self.daemon.stop()


def _dialect(settings: Tree) -> Tree:
    """What swanctl writes otherwise than ikegw: IKEv2 is asked for, and the owners of a secret are `id-1`, `id-2`…"""
    connections: Tree = {name: {"version": 2, **tree} for name, tree in _tables(settings, "connections")}
    secrets: Tree = {
        f"{kind}-{name}": {
            **{entry: value for entry, value in key.items() if entry != "id"},
            **{f"id-{n}": owner for n, owner in enumerate(key.get("id", ()))},
        }
        for kind, keys in _tables(settings, "secrets")
        for name, key in keys.items()
    }
    return {**settings, "connections": connections, "secrets": secrets}


def _tables(settings: Tree, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tree = settings.get(name, {})
    assert isinstance(tree, Mapping), f"{name} is a table of tables"
    yield from ((key, dict(table)) for key, table in tree.items() if isinstance(table, Mapping))
