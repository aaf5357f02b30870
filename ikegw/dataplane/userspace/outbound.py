"""Inner packets come from the TUN, ESP goes out (RFC 4303 §3.3): sealed one after the other into a train, sent at once.

A train is of one SA, one size and one ECN codepoint; a shorter packet may end it. The flow of a TCP or UDP packet says which
SA it takes: policy is asked once for each flow.
"""

import os
from collections.abc import Callable
from typing import Final

from attrs import define

from ikegw.dataplane.userspace.carriers import MOST_OCTETS, MOST_SEGMENTS
from ikegw.dataplane.userspace.ciphers import HEADROOM, TAILROOM
from ikegw.dataplane.userspace.clamping import clamp
from ikegw.dataplane.userspace.inner import TCP, UDP, Inner, parse
from ikegw.dataplane.userspace.policy import OutboundPolicy
from ikegw.dataplane.userspace.sa import FLOW4, FLOW6, Sa
from ikegw.dataplane.userspace.toobig import too_big
from ikegw.dataplane.userspace.tun import PLAIN

_MOST_FLOWS: Final = 16384
_PACKET: Final = 1 << 16


@define
class OutboundCounts:
    """What was dropped, and why."""

    no_policy: int = 0
    too_big: int = 0
    malformed: int = 0
    expired: int = 0
    trapped: int = 0


class Outbound:
    """One for the process. `policies` is by IP version; `alarm(sa)` is called when a count has reached an alarm.

    `untaken(inner, packet)` gets each packet that no SA takes, and says whether a trap is for it.
    """

    def __init__(
        self,
        tun: int,
        policies: dict[int, OutboundPolicy[Sa]],
        alarm: Callable[[Sa], None],
        untaken: Callable[[Inner, memoryview], bool] = lambda inner, packet: False,
    ) -> None:
        self.counts = OutboundCounts()
        self._tun, self._policies, self._alarm, self._untaken = tun, policies, alarm, untaken
        self._plain = memoryview(bytearray(HEADROOM + _PACKET + 256 + TAILROOM))
        # The header that the TUN puts in front of a packet falls into the headroom, where nobody minds it.
        self._into = (self._plain[HEADROOM - len(PLAIN) : HEADROOM + _PACKET],)
        self._train = memoryview(bytearray(MOST_OCTETS + _PACKET + 512))
        self._flows: dict[int, dict[bytes, Sa]] = {TCP: {}, UDP: {}}

    def forget_flows(self) -> None:
        """After every change of SAs or policies."""
        for flows in self._flows.values():
            flows.clear()

    def pump(self) -> None:  # noqa: C901 - one loop: a call costs a packet more than a branch
        """Take what the TUN has, one train's worth at most. OSError: the device was taken away."""
        plain, train, into, tun = self._plain, self._train, self._into, self._tun
        readv = os.readv
        tcp, udp = self._flows[TCP], self._flows[UDP]
        current: Sa | None = None
        size = ecn = position = 0
        for _ in range(MOST_SEGMENTS):
            try:
                stop = readv(tun, into) + (HEADROOM - len(PLAIN))
            except BlockingIOError:
                break
            first, sa, inner_ecn = plain[HEADROOM], None, 0
            if first == 0x45:
                tos, _length, fragment, protocol, ends = FLOW4.unpack_from(plain, HEADROOM)
                inner_ecn = tos & 3
                if not fragment & 0x3FFF:
                    sa = tcp.get(ends) if protocol == TCP else udp.get(ends) if protocol == UDP else None
            elif first >> 4 == 6:
                _payload, protocol, ends = FLOW6.unpack_from(plain, HEADROOM)
                inner_ecn = plain[HEADROOM + 1] >> 4 & 3
                sa = tcp.get(ends) if protocol == TCP else udp.get(ends) if protocol == UDP else None
            if sa is None or stop - HEADROOM > sa.mtu:
                sa = self._look_at(stop)
                if sa is None:
                    continue
            tail = (sa.tails6 if first >> 4 == 6 else sa.tails4)[stop & sa.mask]
            end = stop + len(tail)
            plain[stop:end] = tail
            sealed = end - HEADROOM + sa.fixed
            if sa is not current or sealed > size or inner_ecn != ecn or position + sealed > MOST_OCTETS:
                if current is not None:
                    current.carrier.send(train[:position], size, current.remote, ecn)
                current, size, ecn, position = sa, sealed, inner_ecn, 0
            sa.sequence = sequence = sa.sequence + 1
            sa.seal(plain, HEADROOM, end, train, position, sequence)
            position += sealed
            sa.sent_octets += stop - HEADROOM
            if sequence >= sa.packet_alarm or sa.sent_octets >= sa.octet_alarm:
                self._alarm(sa)
            if sealed < size:
                sa.carrier.send(train[:position], size, sa.remote, ecn)
                current = None
        if current is not None:
            current.carrier.send(train[:position], size, current.remote, ecn)

    def _look_at(self, stop: int) -> Sa | None:
        """A packet of no known flow, or one that is too long: the SA that it may take."""
        inner = parse(self._plain, HEADROOM, stop)
        if inner is None:
            self.counts.malformed += 1
            return None
        sa = self._found(inner)
        if sa is None:
            trapped = self._untaken(inner, self._plain[HEADROOM : HEADROOM + inner.length])
            self.counts.trapped += trapped
            self.counts.no_policy += not trapped
            return None
        if sa.expired:
            self.counts.expired += 1
            return None
        if inner.length > sa.least_mtu(inner.version) and not inner.may_fragment:
            self.counts.too_big += 1
            self._answer(too_big(self._plain[HEADROOM:stop], sa.least_mtu(inner.version)))
            return None
        if not self._clamped(inner, sa, stop):
            self._remember(inner, sa)
        return sa

    def _found(self, inner: Inner) -> Sa | None:
        return self._policies[inner.version].find(
            inner.source, inner.destination, inner.protocol, inner.ports
        )

    def is_taken(self, inner: Inner) -> bool:
        """Whether there is an SA for such a packet."""
        return self._found(inner) is not None

    def send(self, packet: bytes) -> None:
        """One packet that did not come from the TUN just now."""
        stop = HEADROOM + len(packet)
        self._plain[HEADROOM:stop] = packet
        sa = self._look_at(stop)
        if sa is None:
            return
        is_6 = packet[0] >> 4 == 6
        tail = (sa.tails6 if is_6 else sa.tails4)[stop & sa.mask]
        end = stop + len(tail)
        self._plain[stop:end] = tail
        sealed = end - HEADROOM + sa.fixed
        sa.sequence += 1
        sa.seal(self._plain, HEADROOM, end, self._train, 0, sa.sequence)
        sa.sent_octets += len(packet)
        if sa.sequence >= sa.packet_alarm or sa.sent_octets >= sa.octet_alarm:
            self._alarm(sa)
        ecn = packet[1] >> 4 & 3 if is_6 else packet[1] & 3
        sa.carrier.send(self._train[:sealed], sealed, sa.remote, ecn)

    def _clamped(self, inner: Inner, sa: Sa, stop: int) -> bool:
        """Whether it is a TCP packet with SYN; its maximum segment size then fits the tunnel."""
        if inner.protocol != TCP or inner.ports is None:
            return False
        return clamp(
            self._plain, HEADROOM + inner.transport, stop, sa.least_mtu(inner.version) - inner.transport - 20
        )

    def _remember(self, inner: Inner, sa: Sa) -> None:
        flows = self._flows.get(inner.protocol)
        if flows is None or inner.ports is None or inner.transport != (20 if inner.version == 4 else 40):
            return
        unpack = FLOW4 if inner.version == 4 else FLOW6
        if len(flows) >= _MOST_FLOWS:
            flows.clear()
        flows[unpack.unpack_from(self._plain, HEADROOM)[-1]] = sa

    def _answer(self, packet: bytes) -> None:
        try:
            os.writev(self._tun, (PLAIN, packet))
        except OSError:
            self.counts.malformed += 1
