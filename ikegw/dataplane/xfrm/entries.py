"""All CHILD SAs that the kernel carries for us, by the names that it calls them, and the numbers that they use."""

from collections.abc import Iterator

from attrs import define, field

from ikegw.dataplane.spis import SpiSpace
from ikegw.dataplane.xfrm.carried import Entry
from ikegw.dataplane.xfrm.cutting import cut
from ikegw.dataplane.xfrm.ours import IF_ID, Reqids
from ikegw.dataplane.xfrm.policies import PolicyBook, Sender, Way
from ikegw.dataplane.xfrm.values import StateReport, Template
from ikegw.policy.carriage import Mode
from ikegw.ports import DataPlaneError, TunnelSa


@define(eq=False)
class Entries:
    """Each by its inbound SPI, and by the reqid of its outbound SA."""

    spis: SpiSpace
    reqids: Reqids = field(factory=Reqids)
    _by_spi: dict[bytes, Entry] = field(factory=dict)
    _by_reqid: dict[int, Entry] = field(factory=dict)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._by_spi.values()))

    def get(self, inbound_spi: bytes) -> Entry | None:
        """The one of this SPI."""
        return self._by_spi.get(inbound_spi)

    def has(self, entry: Entry) -> bool:
        """Whether it is still there, and no other of its SPI."""
        return self._by_spi.get(entry.sa.inbound_spi) is entry

    def add(self, sa: TunnelSa, book: PolicyBook, now: float, device: int) -> Entry:
        """Make one of an SA that is to be installed; DataPlaneError, and then nothing is taken."""
        if sa.inbound_spi in self._by_spi:
            raise DataPlaneError(
                f"{sa.name}: an SA with inbound SPI {sa.inbound_spi.hex()} is installed already"
            )
        special = sa.carriage
        if_id = special.if_id or (0 if special.mode is Mode.TRANSPORT else IF_ID)
        packets = cut(sa.name, sa.local_selectors, sa.remote_selectors)
        ways = tuple(Way(one, if_id, special.mark) for one in packets)
        shared = book.reqid_for(ways)
        inbound = self.reqids.take() if shared is None else self.reqids.share(shared)
        sender = Sender(ways, Template(self.reqids.take()), inbound)
        entry = Entry(sa, sender, if_id, device, since=now)
        sender.template = entry.template(sa.path)
        self.spis.taken.add(sa.inbound_spi)
        self._by_spi[sa.inbound_spi] = self._by_reqid[sender.template.reqid] = entry
        return entry

    def forget(self, entry: Entry) -> None:
        """It is there no more; its numbers are free."""
        entry.stop_timers()
        if self.has(entry):
            del self._by_spi[entry.sa.inbound_spi]
            self.spis.free(entry.sa.inbound_spi)
        if self._by_reqid.pop(entry.sender.template.reqid, None) is not None:
            self.reqids.give_back(entry.sender.template.reqid)
            self.reqids.give_back(entry.sender.inbound_reqid)

    def clear(self) -> None:
        """Forget all."""
        for entry in self:
            self.forget(entry)
        self.spis.taken.clear()

    def of(self, report: StateReport) -> tuple[Entry, bool] | None:
        """Whose SA the kernel speaks of, and whether it is the inbound one."""
        entry = self._by_reqid.get(report.reqid)
        if entry is not None:
            return entry, False
        entry = self._by_spi.get(report.id.spi)
        if entry is None or report.reqid != entry.sender.inbound_reqid:
            return None
        return entry, True
