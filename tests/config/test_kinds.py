"""Each kind of value: what it reads, and what it refuses."""

from datetime import date
from pathlib import Path

import pytest

from ikegw.config import kinds
from ikegw.config.kinds import Kind


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (kinds.DURATION, "30s", 30.0),
        (kinds.DURATION, "250ms", 0.25),
        (kinds.DURATION, "1h30m", 5400.0),
        (kinds.DURATION, "1.5h", 5400.0),
        (kinds.DURATION, "2 d", 172800.0),
        (kinds.DURATION, 0, 0.0),
        (kinds.DURATION, "0", 0.0),
        (kinds.DURATION, "0s", 0.0),
        (kinds.OCTETS, 500, 500),
        (kinds.OCTETS, "500", 500),
        (kinds.OCTETS, "10 G", 10 << 30),
        (kinds.OCTETS, "1T", 1 << 40),
        (kinds.SECRET, "words", b"words"),
        (kinds.SECRET, "0x00ff", b"\x00\xff"),
        (kinds.SECRET, "0saGVsbG8=", b"hello"),
        (kinds.SECRET, "ö", b"\xc3\xb6"),
        (kinds.SOCKET, "", None),
        (kinds.SOCKET, "/run/x", Path("/run/x")),
        (kinds.PEER, "%any", ()),
        (kinds.BOOLEAN, False, False),
        (kinds.PORT, 0, 0),
    ],
)
def test_what_is_read(kind: Kind, written: object, value: object) -> None:
    assert kind.read(written) == value


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        *(
            (kinds.DURATION, bad)
            for bad in ("", "s", "1", 5, 1.5, "-1s", "1s2", "1 week", "5000d", False, None, [1])
        ),
        *((kinds.OCTETS, bad) for bad in (-1, "1g", "1.5G", "", True, "9999999999T")),
        *((kinds.SECRET, bad) for bad in ("", "0x", "0s", "0xg", "0x123", "0s!", 5)),
        *((kinds.SOCKET, bad) for bad in ("run", "/" * 108, 5)),
        *((kinds.PEER, bad) for bad in ("", "host.example", "10.0.0.1/8", "10.0.0.1-fd00::1", 10, "1.2.3")),
        *((kinds.ADDRESS, bad) for bad in ("", "1.2.3.4/32", "x", 1)),
        *((kinds.PORT, bad) for bad in (-1, 65536, "500", 500.0, True)),
        *((kinds.BOOLEAN, bad) for bad in (0, 1, "true", "yes", None)),
        *((kinds.FILE_NAME, bad) for bad in ("", "..", ".", "a/b", 1)),
        *((kinds.INTERFACE, bad) for bad in ("", "a b", "a/b", "sixteencharacter")),
        *((kinds.PATTERN, bad) for bad in (1, "a*b", "C=", "@#xyz")),
        *((kinds.number(1, 10), bad) for bad in (True, "2", 0.9, 11, float("nan"))),
        (kinds.SELECTOR, date(2026, 1, 1)),
    ],
)
def test_what_is_refused(kind: Kind, written: object) -> None:
    with pytest.raises(ValueError, match=r"^"):
        kind.read(written)


def test_what_a_bad_secret_is_told_as() -> None:
    with pytest.raises(ValueError, match="after 0x hex digits") as caught:
        kinds.SECRET.read("0xhunter2")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
