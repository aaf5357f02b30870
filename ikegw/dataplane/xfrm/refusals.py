"""What the kernel's no means to an operator: what was wanted, what it said, what to do."""

import errno

from ikegw.dataplane.netlink import Refusal
from ikegw.policy.carriage import Offload
from ikegw.ports import DataPlaneError, TunnelSa

_DONE = (errno.ENOENT, errno.ESRCH)
"""It is gone already."""

_NOT_ON_THE_CARD = (errno.EINVAL, errno.EOPNOTSUPP)


def is_gone(refusal: Refusal | None) -> bool:
    """Whether there was nothing to remove."""
    return refusal is not None and refusal.number in _DONE


def refused(wanted: str, said: Refusal, sa: TunnelSa | None = None) -> DataPlaneError:
    """One refusal in words, as an error; of an SA also which of its settings could be another."""
    return DataPlaneError(f"{wanted}: {said}{(sa and _advice_on(sa, said)) or _advice(said)}")


def _advice_on(sa: TunnelSa, said: Refusal) -> str:
    if said.number == errno.ENOSYS:
        names = [part.kernel_name for part in (sa.suite.encryption, sa.suite.integrity) if part]
        return f"; this kernel lacks {' or '.join(names)}: load its module, or leave it out of esp_proposals"
    if said.number in _NOT_ON_THE_CARD and sa.carriage.offload is not Offload.NO:
        return '; perhaps network card or kernel cannot do it: write hw_offload = "no"'
    return ""


def _advice(said: Refusal) -> str:
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
