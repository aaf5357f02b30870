"""What the kernel's no means to an operator: what was wanted, what it said, what to do."""

import errno

from ikegw.crypto.suites import EspSuite
from ikegw.dataplane.netlink import Refusal
from ikegw.ports import DataPlaneError

_DONE = (errno.ENOENT, errno.ESRCH)
"""It is gone already."""


def is_gone(refusal: Refusal | None) -> bool:
    """Whether there was nothing to remove."""
    return refusal is not None and refusal.number in _DONE


def sentence(wanted: str, said: Refusal, suite: EspSuite | None = None) -> str:
    """One refusal in words."""
    return f"{wanted}: {said}{_advice(said, suite)}"


def _advice(said: Refusal, suite: EspSuite | None) -> str:
    if said.number == errno.ENOSYS and suite is not None:
        names = [suite.encryption.kernel_name] + ([suite.integrity.kernel_name] if suite.integrity else [])
        return f"; this kernel lacks {' or '.join(names)}: load its module, or leave it out of esp_proposals"
    if said.number in (errno.EPROTONOSUPPORT, errno.ENOSYS):
        return (
            "; this kernel lacks ESP (CONFIG_INET_ESP, CONFIG_INET6_ESP): load esp4 and esp6, or write "
            'data_plane.kind = "userspace"'
        )
    if said.number == errno.EEXIST:
        return "; another program has an SA of this SPI: `ip xfrm state` shows it"
    if said.number == errno.EPERM:
        return "; it needs root or CAP_NET_ADMIN"
    if said.number in (errno.ENOMEM, errno.ENOBUFS):
        return "; the kernel is short of memory"
    return ""


def refused(wanted: str, said: Refusal, suite: EspSuite | None = None) -> DataPlaneError:
    """The same as an error."""
    return DataPlaneError(sentence(wanted, said, suite))
