"""Any octets give a value or BadEap, and a conversation that goes wrong anywhere ends in a sentence: never another exception."""

from contextlib import suppress
from random import Random

import pytest
from eap_world import IDENTITY_REQUEST, Site, client_certificate, make_login, make_settings, now
from hypothesis import given
from hypothesis import strategies as st

from ikegw.eap import nak
from ikegw.eap.avps import MICROSOFT, MS_CHAP2_SUCCESS, Avp
from ikegw.eap.challenge_md5 import Md5Value
from ikegw.eap.errors import BadEap
from ikegw.eap.mschapv2 import (
    Challenge,
    Failure,
    Response,
    Success,
    decode_request,
    decode_response,
)
from ikegw.eap.tls_fragments import LARGEST_MESSAGE, Fragments
from ikegw.eap.tls_packet import TlsPacket
from ikegw.policy.connections import EapMethod
from ikegw.ports import Accept, Reject, SupplicantFailed
from ikegw.ports import Challenge as AaaChallenge

TEN = bytes(range(10))
EXAMPLES = {
    "challenge": (decode_request, Challenge(3, bytes(16), b"server").encode()),
    "response": (decode_response, Response(3, bytes(16), bytes(24), b"carol").encode()),
    "success": (decode_request, Success(3, bytes(20), "OK").encode()),
    "failure": (decode_request, Failure(3, 691, False, bytes(16), "no").encode()),
    "md5": (Md5Value.decode, Md5Value(bytes(16), b"name").encode()),
    "nak": (nak.wanted, bytes([13, 26])),
    "start": (TlsPacket.decode, TlsPacket(start=True).encode()),
    "fragment": (TlsPacket.decode, TlsPacket(TEN, True, 40).encode()),
    "avps": (
        Avp.decode_all,
        Avp(1, b"carol").encode() + Avp(MS_CHAP2_SUCCESS, b"\7S=00", MICROSOFT, False).encode(),
    ),
}
DECODERS = (decode_request, decode_response, Md5Value.decode, TlsPacket.decode, Avp.decode_all, nak.wanted)
BY_NAME = pytest.mark.parametrize(("decode", "octets"), EXAMPLES.values(), ids=EXAMPLES)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("nak", "avps")])
def test_what_is_written_reads_the_same(name):
    decode, octets = EXAMPLES[name]
    assert decode(octets).encode() == octets


def test_avps_read_as_they_were_written():
    written = (Avp(1, b"carol"), Avp(MS_CHAP2_SUCCESS, b"\7S=00", MICROSOFT, False), Avp(2, b""))
    assert Avp.decode_all(b"".join(avp.encode() for avp in written)) == written


@BY_NAME
def test_every_prefix_and_every_octet_changed(decode, octets):
    for length in range(len(octets)):
        with suppress(BadEap):
            decode(octets[:length])
    for place in range(len(octets)):
        for value in range(256):
            with suppress(BadEap):
                decode(octets[:place] + bytes([value]) + octets[place + 1 :])


@given(st.binary(max_size=80))
def test_any_octets(octets):
    for decode in DECODERS:
        with suppress(BadEap):
            decode(octets)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 11, 14, 0xFFFFFF])
def test_an_AVP_of_a_wrong_length(length):
    octets = bytearray(Avp(1, b"carol").encode())
    octets[5:8] = length.to_bytes(3, "big")
    with suppress(BadEap):
        assert Avp.decode_all(bytes(octets)) != ()
    if length < 8 or length > 16:
        with pytest.raises(BadEap):
            Avp.decode_all(bytes(octets))


def test_more_AVPs_than_anybody_sends():
    with pytest.raises(BadEap, match="more than"):
        Avp.decode_all(Avp(1, b"").encode() * 65)


# ---------------------------------------------------------------- fragments


def test_fragments_both_ways():
    one, other = Fragments(), Fragments()
    message = bytes(range(256)) * 20
    packet, got = one.send(message), None
    while got is None:
        got = other.receive(TlsPacket.decode(packet.encode()))
        if got is None:
            assert one.receive(other.next()) is None
            packet = one.next()
    assert got == message
    assert not one.sending


def receive_all(fragments, packets):
    for packet in packets:
        fragments.receive(packet)


@pytest.mark.parametrize(
    "packets",
    [
        [TlsPacket(TEN, True, 15), TlsPacket(TEN, False)],
        [TlsPacket(TEN, True, 30), TlsPacket(TEN, False)],
        [TlsPacket(TEN, True, 30), TlsPacket(TEN, False, 31)],
        [TlsPacket(TEN, True), TlsPacket(TEN, False, 20)],
        [TlsPacket(TEN, True, LARGEST_MESSAGE + 1)],
        [TlsPacket(TEN, False, 11)],
        [TlsPacket(bytes(LARGEST_MESSAGE + 1))],
    ],
)
def test_fragments_that_do_not_fit(packets):
    with pytest.raises(BadEap):
        receive_all(Fragments(), packets)


def test_fragments_without_end_take_bounded_memory():
    fragments, most = Fragments(), LARGEST_MESSAGE // 1000
    receive_all(fragments, [TlsPacket(bytes(1000), True)] * most)
    with pytest.raises(BadEap, match="longer than"):
        fragments.receive(TlsPacket(bytes(1000), True))


def test_data_while_our_own_fragments_are_not_all_sent():
    fragments = Fragments()
    assert fragments.send(bytes(5000)).more
    with pytest.raises(BadEap, match="asks for our next fragment"):
        fragments.receive(TlsPacket(TEN))


# ---------------------------------------------------------------- whole conversations, wounded

LOGINS = {
    "mschapv2": (EapMethod.MSCHAPV2, "carol", b"carol's secret", None),
    "gtc": (EapMethod.GTC, "carol", b"carol's secret", None),
    "md5": (EapMethod.MD5, "carol", b"carol's secret", None),
    "tls": (EapMethod.TLS, "carol@ikegw.example", None, client_certificate()),
}


def wounded(random: Random, packet: bytes) -> bytes:
    """The packet with one change; its length is mostly made right again, so that the change is seen further in."""
    octets = bytearray(packet)
    kind = random.randrange(4)
    if kind == 0 and len(octets) > 5:
        octets = octets[: random.randrange(4, len(octets))]
    elif kind == 1:
        octets += random.randbytes(random.randrange(1, 20))
    elif kind == 2 and len(octets) > 6:
        place = random.randrange(5, min(len(octets), 14))
        octets[place] = random.choice((0, 1, 127, 255, octets[place] ^ 1))
    else:
        octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)
    if random.random() < 0.8:
        octets[2:4] = len(octets).to_bytes(2, "big")
    return bytes(octets)


@pytest.mark.parametrize("name", LOGINS)
@pytest.mark.parametrize("seed", range(60))
def test_a_wounded_conversation_ends_without_anything_else(name, seed):
    method, user, password, certificate = LOGINS[name]
    random = Random(f"{name}{seed}")
    login = make_login(user, password, (method,), certificate)
    dialogue = Site(make_settings(method)).begin()
    when, whose = random.randrange(9 if method is EapMethod.TLS else 3), random.choice(("client", "server"))
    response = now(login.respond(IDENTITY_REQUEST))
    for step in range(40):
        if (step, "client") == (when, whose):
            response = wounded(random, response)
        answer = now(dialogue.respond(response))
        if not isinstance(answer, AaaChallenge):
            break
        request = wounded(random, answer.eap) if (step, "server") == (when, whose) else answer.eap
        try:
            response = now(login.respond(request))
        except SupplicantFailed:
            assert login.complete() is None
            return
    assert isinstance(answer, Accept | Reject)
    keyed = login.complete()
    if isinstance(answer, Accept) and keyed is not None:
        assert keyed.msk == answer.msk
