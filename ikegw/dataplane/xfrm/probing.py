"""What this kernel's IPsec can do, found by trying: no version and no list of modules says it as surely."""

import errno
import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Final

from attrs import frozen

from ikegw.crypto.keymat import ChildKeys
from ikegw.crypto.suites import EspSuite
from ikegw.dataplane import netlink
from ikegw.dataplane.rtnetlink import Netlink, NetlinkError
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.device import in_words
from ikegw.dataplane.xfrm.foundation import open_xfrm
from ikegw.dataplane.xfrm.ours import IF_ID, REQIDS
from ikegw.dataplane.xfrm.values import State, StateId
from ikegw.ports import DataPlaneError

_ENDS: Final = {
    4: (ip_address("127.0.0.1"), ip_address("127.0.0.2")),
    6: (ip_address("::1"), ip_address("::2")),
}
_SPI: Final = b"\xff\xff\xff\xfe"
_MODULES: Final = {4: "the module esp4 (CONFIG_INET_ESP)", 6: "the module esp6 (CONFIG_INET6_ESP)"}
_DATAGRAM: Final = 1 << 16
_SECONDS: Final = 30.0
"""The kernel may have to load modules first."""


@frozen
class Abilities:
    """`why_not` is empty if the kernel can carry tunnels for us; `lacking` are those suites, among the wanted, that it cannot."""

    why_not: str = ""
    lacking: tuple[str, ...] = ()


def probe(suites: Sequence[EspSuite], versions: Iterable[int] = (4,)) -> Abilities:
    """Try an xfrm interface, ESP over each IP version, and each suite; all is taken away again, nothing is waited for."""
    if not suites:
        return Abilities("no algorithms are wanted of it")
    try:
        _try_device()
        with open_xfrm() as sock:
            sock.settimeout(_SECONDS)
            return _try_suites(sock, suites, versions)
    except NetlinkError as error:
        return Abilities(in_words("ikegw-probe", error))
    except (DataPlaneError, OSError) as error:
        return Abilities(str(error))


def _try_device() -> None:
    rtnetlink = Netlink()
    try:
        rtnetlink.delete_link(rtnetlink.add_xfrm("ikegw-probe", IF_ID + 1))
    except NetlinkError as error:
        if error.errno != errno.EEXIST:  # another of us is trying
            raise
    finally:
        rtnetlink.close()


def _try_suites(sock: socket.socket, suites: Sequence[EspSuite], versions: Iterable[int]) -> Abilities:
    first, *others = versions
    refusals = {suite: _try(sock, first, suite) for suite in suites}
    working = next((suite for suite, said in refusals.items() if said is None), None)
    if working is None:
        return Abilities(
            f"this kernel has no ESP over IPv{first} ({refusals[suites[0]]}): it needs {_MODULES[first]}"
        )
    for version in others:
        said = _try(sock, version, working)
        if said is not None:
            return Abilities(
                f"this kernel has no ESP over IPv{version} ({said}): it needs {_MODULES[version]}"
            )
    return Abilities("", tuple(str(suite) for suite, said in refusals.items() if said is not None))


def _try(sock: socket.socket, version: int, suite: EspSuite) -> netlink.Refusal | None:
    which = StateId(*_ENDS[version], _SPI)
    integrity = suite.integrity.key_octets if suite.integrity else 0
    cipher = suite.encryption
    keys = ChildKeys(bytes(range(cipher.key_octets + cipher.salt_octets)), bytes(range(integrity)))
    state = State(which, REQIDS[-1], suite, keys, window=32)
    said = _ask(sock, encoding.add_state(state))
    _ask(sock, encoding.delete_state(which))
    return None if said.number in (0, errno.EEXIST) else said


def _ask(sock: socket.socket, request: encoding.Request) -> netlink.Refusal:
    kind, flags, body = request
    sock.send(netlink.pack(kind, flags | netlink.REQUEST, 1, body))
    for answer in netlink.messages(sock.recv(_DATAGRAM)):
        if answer.kind == netlink.ERROR:
            return netlink.refusal(answer)
    return netlink.Refusal(errno.EBADMSG)
