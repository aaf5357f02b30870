"""What the kernel tells, as what `ports.DataPlane` tells; and all that it would have told, when events were lost."""

from attrs import define

from ikegw.dataplane.admission import QUIET_SECONDS
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.entries import Entries
from ikegw.dataplane.xfrm.expiry import Expiry
from ikegw.dataplane.xfrm.larvae import Larvae
from ikegw.dataplane.xfrm.ours import REQIDS
from ikegw.dataplane.xfrm.reading import readable
from ikegw.dataplane.xfrm.requests import Outcome
from ikegw.dataplane.xfrm.traps import Traps
from ikegw.dataplane.xfrm.values import Acquire, Expired, Mapping, StateReport, Told
from ikegw.paths import Endpoint, Path
from ikegw.ports import MappingChanged


@define(eq=False)
class Events:
    """Hears for one plane."""

    entries: Entries
    expiry: Expiry
    larvae: Larvae
    traps: Traps

    def heard(self, told: Told) -> None:
        """One event; what is not about anything of ours is let pass."""
        if isinstance(told, Expired):
            self._expired(told)
        elif isinstance(told, Acquire):
            self._acquired(told)
        elif isinstance(told, Mapping):
            self._mapping(told)

    def _expired(self, told: Expired) -> None:
        found = self.entries.of(told.state)
        if found is None:
            return
        entry, inbound = found
        entry.learn(told.state, self.expiry.clock.seconds(), inbound=inbound)
        if told.hard:
            self.expiry.harden(entry)
        else:
            self.expiry.soften(entry)

    def _acquired(self, told: Acquire) -> None:
        if told.reqid in REQIDS:
            self.larvae.told(told)
            self.traps.met(told)

    def _mapping(self, told: Mapping) -> None:
        """The kernel tells with each packet, also where it was told already, and where old packets could be sent again."""
        entry = self.entries.get(told.spi)
        if entry is None or not entry.sa.replay_window or not entry.sa.udp_encapsulated:
            return
        path, now = Path(entry.sa.path.local, Endpoint(told.remote, told.port)), self.expiry.clock.seconds()
        if path == entry.sa.path or (path == entry.told_path and now < entry.told_at + QUIET_SECONDS):
            return
        entry.told_path, entry.told_at = path, now
        self.expiry.tell(MappingChanged(told.spi, path))

    def resynchronise(self) -> None:
        """Events were lost: look at what they would have told."""

        def listed(outcomes: list[Outcome]) -> None:
            if outcomes[0].refusal is not None:
                return
            reports = [each for each in readable(outcomes) if isinstance(each, StateReport)]
            there = {(each.reqid, each.id.spi): each for each in reports}
            for entry in self.entries:
                self.expiry.compare(entry, there)
            for each in reports:
                if not any(each.id.spi) and each.selector is not None:
                    ends = (each.id.source, each.id.destination)
                    self._acquired(Acquire(each.reqid, each.selector, 0, *ends))

        self.expiry.requests.ask([encoding.dump_states()]).addCallback(listed)
