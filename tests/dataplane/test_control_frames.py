"""The frames between gateway and process: however the pipe cuts them, and what is no frame at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikegw.dataplane.userspace.control import (
    MOST_OCTETS,
    BadFrame,
    Frames,
    Kind,
    decode_ike,
    encode_ike,
    frame,
    json_frame,
)

FRAMES = st.lists(
    st.tuples(st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=50)), max_size=8
)


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_frames_come_out_whole_however_the_pipe_cuts_them(frames, cuts):
    octets = b"".join(frame(*one) for one in frames)
    reader, found, at, turn = Frames(), [], 0, 0
    while at < len(octets):
        size = cuts[turn % len(cuts)]
        found += reader.feed(octets[at : at + size])
        at, turn = at + size, turn + 1
    assert found == frames


@pytest.mark.parametrize(
    "octets", [struct.pack("!LBL", 0, 99, 1), struct.pack("!LBL", MOST_OCTETS + 1, 1, 1)]
)
def test_nonsense_is_a_bad_frame(octets):
    with pytest.raises(BadFrame):
        list(Frames().feed(octets))


def test_json_bodies():
    ((kind, number, body),) = Frames().feed(json_frame(Kind.USAGE, 7, {"spi": 1}))
    assert (kind, number, body) == (Kind.USAGE, 7, b'{"spi":1}')


@given(st.integers(0, 65535), st.ip_addresses().map(str), st.integers(0, 65535), st.binary(max_size=100))
def test_ike_bodies(number, host, port, octets):
    assert decode_ike(encode_ike(number, host, port, octets)) == (number, host, port, octets)
