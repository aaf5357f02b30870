"""Inner packets made from the RFCs' headers, with right checksums, and a cutter of super-packets as a kernel has one."""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

ACK, PSH, SYN, FIN = 0x10, 0x08, 0x02, 0x01
TIMESTAMPS = b"\x01\x01\x08\x0a" + struct.pack("!LL", 7, 9)


def checksum(octets: bytes) -> int:
    """RFC 1071, word by word."""
    padded = octets + bytes(len(octets) & 1)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def ip(source: str, destination: str, protocol: int, body: bytes, ident: int = 1, tos: int = 0) -> bytes:
    one, other = ip_address(source), ip_address(destination)
    if one.version == 6:
        first = 6 << 28 | tos << 20
        return struct.pack("!LHBB", first, len(body), protocol, 64) + one.packed + other.packed + body
    front = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), ident, 0x4000, 64, protocol, 0)
    header = front + one.packed + other.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def pseudo(source: str, destination: str, protocol: int, length: int) -> bytes:
    one, other = ip_address(source), ip_address(destination)
    tail = struct.pack("!HH", protocol, length) if one.version == 4 else struct.pack("!LL", length, protocol)
    return one.packed + other.packed + tail


def tcp(source: str, destination: str, payload: bytes, **fields) -> bytes:
    """A TCP packet; fields: ports, sequence, ack, flags, options, window, ident, tos."""
    ports = fields.get("ports", (40000, 5201))
    options = fields.get("options", TIMESTAMPS)
    front = struct.pack(
        "!HHLLBBHHH",
        *ports,
        fields.get("sequence", 1000) & 0xFFFFFFFF,
        fields.get("ack", 77),
        (20 + len(options)) // 4 << 4,
        fields.get("flags", ACK),
        fields.get("window", 500),
        0,
        0,
    )
    segment = front + options + payload
    found = checksum(pseudo(source, destination, 6, len(segment)) + segment)
    segment = segment[:16] + struct.pack("!H", found) + segment[18:]
    return ip(source, destination, 6, segment, fields.get("ident", 1), fields.get("tos", 0))


def udp(
    source: str, destination: str, payload: bytes, ports: tuple[int, int] = (1000, 2000), tos: int = 0
) -> bytes:
    datagram = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    found = checksum(pseudo(source, destination, 17, len(datagram)) + datagram) or 0xFFFF
    return ip(source, destination, 17, datagram[:6] + struct.pack("!H", found) + datagram[8:], tos=tos)


def ends(packet: bytes) -> tuple[str, str, int]:
    """Source, destination, length of the IP header."""
    if packet[0] >> 4 == 6:
        return str(ip_address(packet[8:24])), str(ip_address(packet[24:40])), 40
    return str(ip_address(packet[12:16])), str(ip_address(packet[16:20])), 20


def checksums_right(packet: bytes) -> bool:
    """Whether an IPv4 or IPv6 packet's own and its TCP or UDP checksum are right."""
    source, destination, header = ends(packet)
    body = packet[header:]
    protocol = packet[9] if header == 20 else packet[6]
    own = header == 40 or checksum(packet[:20]) == 0
    return own and checksum(pseudo(source, destination, protocol, len(body)) + body) == 0


def cut(written: bytes) -> list[bytes]:
    """What a kernel makes of a packet with a virtio-net header: the segments, with checksums.

    Without NEEDS_CSUM the super-packet's own checksum must be right, which is what a receiving host verifies.
    """
    flags, kind, header, size, start, offset = struct.unpack("=BBHHHH", written[:10])
    packet = written[10:]
    if not kind:
        return [packet]
    source, destination, ip_header = ends(packet)
    assert kind == (1 if ip_header == 20 else 4)
    assert (start, offset) == (ip_header, 16)
    assert ip_header == 40 or (
        struct.unpack_from("!H", packet, 2)[0] == len(packet) and checksum(packet[:20]) == 0
    )
    assert ip_header == 20 or struct.unpack_from("!H", packet, 4)[0] == len(packet) - 40
    if flags & 1:
        partial = 0xFFFF - checksum(pseudo(source, destination, 6, len(packet) - ip_header))
        assert struct.unpack_from("!H", packet, ip_header + 16)[0] % 0xFFFF == partial % 0xFFFF
    else:
        assert checksums_right(packet), "a super-packet for this host is not right"
    tcp_header, payload = packet[ip_header:header], packet[header:]
    sequence, ident = struct.unpack_from("!L", tcp_header, 4)[0], struct.unpack_from("!H", packet, 4)[0]
    found = []
    for at in range(0, len(payload), size):
        piece, last = payload[at : at + size], at + size >= len(payload)
        found.append(
            tcp(
                source,
                destination,
                piece,
                ports=struct.unpack_from("!HH", tcp_header),
                sequence=sequence + at,
                ack=struct.unpack_from("!L", tcp_header, 8)[0],
                flags=tcp_header[13] & (0xFF if last else ~PSH),
                window=struct.unpack_from("!H", tcp_header, 14)[0],
                options=tcp_header[20:],
                ident=ident + at // size,
                tos=packet[1] if ip_header == 20 else 0,
            )
        )
    return found
