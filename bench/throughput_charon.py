"""The peer's tunnel: two charons with kernel-libipsec, a gateway with 10.1.0.1 and a client with a virtual address."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define

CHARON = "/usr/lib/ipsec/charon"
PACKAGES = (
    "strongswan-charon",
    "strongswan-swanctl",
    "libcharon-extra-plugins",
    "libstrongswan-standard-plugins",
    "libstrongswan-extra-plugins",
    "iperf3",
)

_DAEMON = """charon {{
  load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey aes sha1 sha2 hmac kdf gcm ctr ccm chapoly curve25519 \
kernel-libipsec kernel-netlink socket-default vici resolve
  install_virtual_ip = yes
  plugins {{ vici {{ socket = unix://{directory}/vici }}
   resolve {{ file = {directory}/resolv.conf }} }}
  filelog {{ stderr {{ default = 0 }} }}
}}
swanctl {{ load = random nonce openssl pem pkcs1 pkcs8 }}
"""
_GATEWAY = """connections {{ rw {{ version = 2
  local_addrs = 10.99.0.1
  pools = p
  proposals = aes128gcm16-prfsha256-x25519
  local {{ auth = psk
   id = gw.test }}
  remote {{ auth = psk }}
  children {{ net {{ local_ts = 10.1.0.0/24
    esp_proposals = {suite} }} }} }} }}
pools {{ p {{ addrs = 10.3.0.0/24 }} }}
secrets {{ ike-1 {{ secret = "a-shared-key" }} }}
"""
_CLIENT = """connections {{ gw {{ version = 2
  local_addrs = 10.99.0.2
  remote_addrs = 10.99.0.1
  vips = 0.0.0.0
  proposals = aes128gcm16-prfsha256-x25519
  local {{ auth = psk
   id = cl.test }}
  remote {{ auth = psk
   id = gw.test }}
  children {{ net {{ remote_ts = 10.1.0.0/24
    esp_proposals = {suite} }} }} }} }}
secrets {{ ike-1 {{ secret = "a-shared-key" }} }}
"""


def install_peers(ours_only: bool) -> str:
    """Install what is missing; a sentence if that cannot be done."""
    wanted = PACKAGES[-1:] if ours_only else PACKAGES
    if shutil.which("iperf3") and (ours_only or (Path(CHARON).exists() and shutil.which("swanctl"))):
        return ""
    done = subprocess.run(
        ["apt-get", "install", "-y", "-q", *wanted], check=False, capture_output=True, text=True
    )
    return "" if not done.returncode else f"apt-get install {' '.join(wanted)}: {done.stderr.strip()[-300:]}"


@define
class Charons:
    """Two charons that run, and their tunnel."""

    name = "charon"
    client_words: list[str]
    server_words: list[str]
    pids: list[int]
    directories: tuple[Path, Path]

    def use(self, suite: str) -> None:
        """Connect anew with another ESP proposal."""
        gateway, client = self.directories
        self._swanctl(client, "--terminate", "--ike", "gw", "--timeout", "10", check=False)
        for directory, text in ((gateway, _GATEWAY), (client, _CLIENT)):
            (directory / "swanctl.conf").write_text(text.format(suite=suite))
            self._swanctl(directory, "--load-all", "--file", str(directory / "swanctl.conf"), "--noprompt")
        self._swanctl(client, "--initiate", "--child", "net", "--timeout", "20")

    @staticmethod
    def _swanctl(directory: Path, *words: str, check: bool = True) -> None:
        subprocess.run(
            ["swanctl", *words, "--uri", f"unix://{directory}/vici"],
            check=check,
            capture_output=True,
            env={**os.environ, "STRONGSWAN_CONF": str(directory / "strongswan.conf")},
        )


@contextmanager
def charons() -> Iterator[Charons]:
    """Both daemons, connected with aes128gcm16."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        prefix = f"c{os.getpid() % 100000}"
        names = [f"{prefix}g", f"{prefix}c"]
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        _ip(
            "link",
            "add",
            f"{prefix}vg",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            f"{prefix}vc",
            "netns",
            names[1],
        )
        for number, (name, device) in enumerate(zip(names, (f"{prefix}vg", f"{prefix}vc"), strict=True), 1):
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "addr", "add", f"10.99.0.{number}/24", "dev", device)
            _ip("-n", name, "link", "set", device, "up")
        _ip("-n", names[0], "addr", "add", "10.1.0.1/32", "dev", "lo")
        directories = (root / "gateway", root / "client")
        pids = [_daemon(stack, name, directory) for name, directory in zip(names, directories, strict=True)]
        pair = Charons(
            ["ip", "netns", "exec", names[1]], ["ip", "netns", "exec", names[0]], pids, directories
        )
        pair.use("aes128gcm16")
        yield pair


def _daemon(stack: ExitStack, namespace: str, directory: Path) -> int:
    directory.mkdir()
    (directory / "strongswan.conf").write_text(_DAEMON.format(directory=directory))
    log = stack.enter_context((directory / "log").open("w"))
    words = [
        "ip",
        "netns",
        "exec",
        namespace,
        "unshare",
        "-m",
        "sh",
        "-c",
        f"mount -t tmpfs t /run; exec {CHARON}",
    ]
    daemon = subprocess.Popen(
        words,
        stdout=log,
        stderr=log,
        env={**os.environ, "STRONGSWAN_CONF": str(directory / "strongswan.conf")},
    )
    stack.callback(_end, daemon)
    for _ in range(250):
        if (directory / "vici").exists():
            return daemon.pid  # ip, unshare and sh have all become charon
        time.sleep(0.02)
    raise RuntimeError(f"charon did not start: {(directory / 'log').read_text()[-500:]}")


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    daemon.terminate()
    daemon.wait(20)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
