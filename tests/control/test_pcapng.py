"""Captures as tshark reads them: both IP versions, odd lengths, times and directions."""

import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikegw.control.pcapng import Datagram, header, packet
from ikegw.paths import Endpoint


def read(file: Path, *fields: str) -> list[list[str]]:
    command = [
        "tshark",
        "-r",
        str(file),
        "-T",
        "fields",
        "-o",
        "udp.check_checksum:TRUE",
        "-o",
        "ip.check_checksum:TRUE",
    ]
    command += [word for name in fields for word in ("-e", name)]
    environment = {"HOME": str(file.parent), "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "cut short" not in run.stderr
    return [line.split("\t") for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    ("ours", "theirs", "ip"), [("192.0.2.1", "198.51.100.9", "ip"), ("2001:db8::1", "2001:db8:9::9", "ipv6")]
)
def test_a_datagram_of_either_ip_version_and_direction(
    tmp_path: Path, ours: str, theirs: str, ip: str
) -> None:
    here, there = Endpoint(ip_address(ours), 500), Endpoint(ip_address(theirs), 62001)
    file = tmp_path / "one.pcapng"
    payloads = [bytes(range(length)) for length in (1, 2, 3, 4, 255)] + [b"\xff" * 4000]
    packets = [
        packet(
            Datagram(
                1_800_000_000.123456 + number, sent, *((here, there) if sent else (there, here)), payload
            )
        )
        for number, payload in enumerate(payloads)
        for sent in (False, True)
    ]
    file.write_bytes(header("ikegw", "a test") + b"".join(packets))
    fields = (
        f"{ip}.src",
        f"{ip}.dst",
        "udp.srcport",
        "udp.length",
        "udp.checksum.status",
        "frame.time_epoch",
    )
    rows = read(file, *fields, "frame.packet_flags_direction")
    assert len(rows) == 2 * len(payloads)
    for row, payload in zip(rows[::2], payloads, strict=True):
        assert row[:5] == [theirs, ours, "62001", str(len(payload) + 8), "1"]
    assert rows[1][:3] == [ours, theirs, "500"]
    assert rows[0][5].startswith("1800000000.123456")
    assert [int(row[6], 0) & 3 for row in rows[:2]] == [1, 2]


def test_a_file_without_packets_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "none.pcapng"
    file.write_bytes(header("ikegw", "nobody came"))
    assert read(file, "frame.number") == []


def test_a_checksum_that_would_be_zero_is_sent_as_ones() -> None:
    """RFC 768: zero would say that there is none, which IPv6 forbids."""
    here = Endpoint(ip_address("::"), 0)
    for filler in range(1 << 16):
        octets = packet(Datagram(0.0, True, here, here, filler.to_bytes(2, "big")))
        assert octets[28 + 40 + 6 : 28 + 40 + 8] != b"\0\0"
