"""The messages of DHCPv6 (RFC 8415) by which we ask for one address of a client (IA_NA), and how a server's answers are read.

Each goes in a Relay-forward of ours, which says the client's subnet, and comes back in a Relay-reply.
"""

import struct
from ipaddress import IPv6Address, IPv6Interface
from math import inf
from typing import Final

from attrs import evolve, field, frozen

from ikegw.dhcp.answers import Answer, Kind, Parameters
from ikegw.dhcp.clients import Client
from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.names import decode_names
from ikegw.dhcp.packet6 import (
    Message,
    Options,
    decode_message,
    decode_options,
    decode_relayed,
    encode_message,
    encode_options,
    encode_relayed,
    only,
)
from ikegw.dhcp.registry import FOR_EVER, Message6, Option6, Status6

_IA_NA: Final = struct.Struct("!4sII")
_IA_ADDRESS: Final = struct.Struct("!16sII")
_LONGEST_WAIT: Final = 0xFFFF
_ASKED_FOR: Final = struct.pack("!2H", Option6.DNS_SERVERS, Option6.DOMAIN_LIST)
_LINK_LOCAL: Final = b"\xfe\x80" + bytes(6)

Given = tuple[tuple[int, bytes], ...]


@frozen
class Dialect6:
    """`dialect.Dialect` for DHCPv6. `interface` (option 18) and `subscriber` (option 38) say to the server who the client is."""

    client: Client
    link: IPv6Address
    interface: bytes = b""
    subscriber: bytes = b""
    requested: IPv6Address | None = None
    lease_seconds: float | None = None
    family: int = field(default=6, init=False)

    def discover(self, transaction: int, elapsed: float) -> bytes:
        """Solicit."""
        return self._message(Message6.SOLICIT, transaction, elapsed, self._association(self.requested))

    def request(self, transaction: int, elapsed: float, offer: Answer) -> bytes:
        """Request."""
        return self._message(Message6.REQUEST, transaction, elapsed, *self._chosen(offer))

    def renew(self, transaction: int, elapsed: float, bound: Answer) -> bytes:
        """Renew."""
        return self._message(Message6.RENEW, transaction, elapsed, *self._chosen(bound))

    def rebind(self, transaction: int, elapsed: float, bound: Answer) -> bytes | None:
        """Rebind: Renew without a server's identifier."""
        return self._message(Message6.REBIND, transaction, elapsed, self._association(_address(bound)))

    def release(self, transaction: int, bound: Answer) -> bytes:
        """Release."""
        return self._message(Message6.RELEASE, transaction, 0, *self._chosen(bound))

    def concerns(self, answer: Answer) -> bool:
        """By DUID and IAID."""
        return answer.client == self.client.duid and answer.hardware in (None, self.client.iaid)

    def _chosen(self, answer: Answer) -> Given:
        return (Option6.SERVER_IDENTIFIER, answer.server), self._association(_address(answer))

    def _association(self, address: IPv6Address | None) -> tuple[int, bytes]:
        """IA_NA, with the address that is meant or wished; the server decides about times, but may be told a wish."""
        seconds = 0 if self.lease_seconds is None else min(int(self.lease_seconds), FOR_EVER - 1)
        inner = b""
        if address is not None or seconds:
            wish = IPv6Address(0) if address is None else address
            inner = encode_options([(Option6.IA_ADDRESS, _IA_ADDRESS.pack(wish.packed, seconds, seconds))])
        return Option6.IA_NA, _IA_NA.pack(self.client.iaid, 0, 0) + inner

    def _message(
        self, kind: Message6, transaction: int, elapsed: float, *options: tuple[int, bytes]
    ) -> bytes:
        hundredths = min(int(elapsed * 100), _LONGEST_WAIT)
        asked = () if kind is Message6.RELEASE else ((Option6.OPTION_REQUEST, _ASKED_FOR),)
        message = encode_message(
            kind,
            transaction,
            (
                (Option6.CLIENT_IDENTIFIER, self.client.duid),
                (Option6.ELAPSED_TIME, struct.pack("!H", hundredths)),
                *options,
                *asked,
            ),
        )
        who = ((Option6.INTERFACE_ID, self.interface), (Option6.SUBSCRIBER_ID, self.subscriber))
        return encode_relayed(
            Message6.RELAY_FORWARD,
            self.link,
            IPv6Address(_LINK_LOCAL + self.client.duid[-8:]),
            (*((code, data) for code, data in who if data), (Option6.RELAY_MESSAGE, message)),
        )


def _address(answer: Answer) -> IPv6Address:
    if not isinstance(answer.address, IPv6Interface):
        raise TypeError(f"{answer.kind.value} without an IPv6 address")
    return answer.address.ip


# ---------------------------------------------------------------- answers


@frozen
class _Status:
    code: int = Status6.SUCCESS
    text: str = ""


def read6(octets: bytes) -> Answer:
    """A server's answer out of a Relay-reply; Malformed if it is none, or if anything in it that we use is not as it must be.

    A Reply is an ACK if it lends an address for longer than nothing, else a NAK. `hardware` is the IAID here.
    """
    relayed = decode_relayed(octets)
    inner = only(relayed.options, Option6.RELAY_MESSAGE)
    if relayed.kind is not Message6.RELAY_REPLY or inner is None:
        raise Malformed("no Relay-reply with a message", 0)
    message = decode_message(*inner)
    if message.kind not in (Message6.ADVERTISE, Message6.REPLY):
        raise Malformed(f"{message.kind.name} is no answer of a server", inner[1])
    server, client = (
        only(message.options, code) for code in (Option6.SERVER_IDENTIFIER, Option6.CLIENT_IDENTIFIER)
    )
    answer = _association_of(message.options) or Answer(Kind.NAK, 0, b"")
    status = _status(message.options)
    refused = status.code != Status6.SUCCESS or answer.address is None
    return evolve(
        answer,
        kind=Kind.OFFER if message.kind is Message6.ADVERTISE else Kind.NAK if refused else Kind.ACK,
        transaction=message.transaction,
        server=server[0] if server else b"",
        client=client[0] if client else b"",
        parameters=_parameters(message),
        text=status.text or answer.text,
    )


def _association_of(options: Options) -> Answer | None:
    """What IA_NA says: the first address that lives longer than nothing, its times, else why there is none."""
    found = only(options, Option6.IA_NA)
    if found is None:
        return None
    data, at = found
    if len(data) < _IA_NA.size:
        raise Malformed("IA_NA is cut short", at)
    iaid, t1, t2 = _IA_NA.unpack_from(data)
    if t1 > t2 > 0:  # RFC 8415 §21.4
        raise Malformed(f"T1 of {t1} s is after T2 of {t2} s", at)
    inner = decode_options(data[_IA_NA.size :], at + _IA_NA.size)
    status = _status(inner)
    answer = Answer(Kind.NAK, 0, b"", hardware=iaid, text=status.text)
    if status.code != Status6.SUCCESS:
        return answer
    for code, address, where in inner:
        lent = _lent(address, where) if code == Option6.IA_ADDRESS else None
        if lent is not None:
            interface, preferred, valid = lent
            renewal = float(t1) or preferred / 2
            return evolve(answer, address=interface, lease_seconds=valid, renewal_seconds=_seconds(renewal))
    return answer


def _lent(data: bytes, at: int) -> tuple[IPv6Interface, float, float] | None:
    """(address, preferred and valid seconds) of an IA Address option; None if it is not lent, or cannot be anybody's."""
    if len(data) < _IA_ADDRESS.size:
        raise Malformed("an IA Address is cut short", at)
    packed, preferred, valid = _IA_ADDRESS.unpack_from(data)
    if preferred > valid:  # RFC 8415 §21.6
        raise Malformed("an address is preferred for longer than it is valid", at)
    status = _status(decode_options(data[_IA_ADDRESS.size :], at + _IA_ADDRESS.size))
    address = IPv6Address(packed)
    nobodys = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    if not valid or nobodys or status.code != Status6.SUCCESS:
        return None
    return IPv6Interface(address), _seconds(preferred), _seconds(valid)


def _seconds(number: float) -> float:
    return inf if number == FOR_EVER else float(number)


def _status(options: Options) -> _Status:
    found = only(options, Option6.STATUS_CODE)
    if found is None:
        return _Status()
    data, at = found
    if len(data) < 2:
        raise Malformed("a status code is cut short", at)
    code = int.from_bytes(data[:2], "big")
    said = data[2:].decode("utf-8", "replace").encode("unicode_escape").decode("ascii")
    if code == Status6.SUCCESS:
        return _Status()
    name = Status6(code).name if code in Status6.__members__.values() else str(code)
    return _Status(code, f"{name} {said}".strip())


def _parameters(message: Message) -> Parameters:
    servers, domains = (only(message.options, code) for code in (Option6.DNS_SERVERS, Option6.DOMAIN_LIST))
    dns: tuple[IPv6Address, ...] = ()
    if servers is not None:
        data, at = servers
        if not data or len(data) % 16:
            raise Malformed("option 23 is no list of addresses", at)
        dns = tuple(IPv6Address(data[start : start + 16]) for start in range(0, len(data), 16))
    return Parameters(dns, domains=decode_names(*domains, compressed=False) if domains else ())
