"""Bad input at the door of replies: 100,000 mutated ones, and every wrong length. Nothing but counters moves."""

from random import Random

import pytest
from memory_pair import make_pair

from ikegw.radius.granting import grant, msk
from ikegw.radius.packets import (
    BadReply,
    Code,
    Sealed,
    Why,
    decode_header,
    dictionary,
    open_reply,
    seal,
    split,
)
from ikegw.testing.radius import Asked, MemoryServer

SECRET = b"testing123"
MUTATIONS = 100_000


def asked_and_sealed() -> tuple[Asked, Sealed]:
    """A request, and the same as its server sees it."""
    sealed = seal(Code.ACCESS_REQUEST, 7, bytes(range(16)), SECRET, (("User-Name", "alice"),))
    server = MemoryServer(SECRET)
    server.received(server.open(None), sealed.octets)  # type: ignore[arg-type]
    return server.asked[0], sealed


def replies(asked: Asked) -> list[bytes]:
    challenge = (("State", bytes(16)), *split("EAP-Message", bytes(600)))
    granted = (
        ("Framed-IP-Address", "10.99.0.5"),
        ("MS-MPPE-Recv-Key", "r" * 32),
        ("MS-MPPE-Send-Key", "s" * 32),
        ("Framed-Route", "10.77.0.0/24"),
        ("Session-Timeout", 3600),
        ("Framed-IPv6-Prefix", "2001:db8::/64"),
    )
    return [
        asked.reply(Code.ACCESS_CHALLENGE, *challenge),
        asked.reply(Code.ACCESS_ACCEPT, *granted),
        asked.reply(Code.ACCESS_REJECT, ("Reply-Message", "no")),
    ]


def mutated(octets: bytes, random: Random) -> bytes:
    """One to three of: an octet changed, some taken out, some put in, the end cut off, the length field changed."""
    wrong = bytearray(octets)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(wrong))
        kind = random.randrange(5)
        if kind == 0:
            wrong[at] = random.choice((0, 1, 2, 255, random.randrange(256)))
        elif kind == 1:
            del wrong[at : at + random.randint(1, 20)]
        elif kind == 2:
            wrong[at:at] = random.randbytes(random.randint(1, 20))
        elif kind == 3:
            del wrong[at:]
        elif len(wrong) >= 4:
            wrong[2:4] = random.choice((0, 19, 20, len(wrong), len(wrong) + 1, 65535)).to_bytes(2, "big")
        if not wrong:
            return b""
    return bytes(wrong)


def test_100000_mutated_replies_change_nothing_but_counters() -> None:
    p = make_pair()
    answer = p.ask()
    good, random, delivered = replies(p.server.asked[0]), Random(4), 0
    timers = [(call.time, call.func) for call in p.clock.getDelayedCalls()]
    for number in range(MUTATIONS):
        octets = mutated(good[number % len(good)], random)
        if not octets.startswith(tuple(good)):  # what a mutation put after the end, or changed back, is none
            p.server.links[0].deliver(octets)
            delivered += 1
    dropped = {why: p.association.counts[why.value] for why in Why}
    assert sum(dropped.values()) == delivered > MUTATIONS * 0.9
    assert dropped[Why.MALFORMED] > MUTATIONS / 5
    assert dropped[Why.FORGED] > MUTATIONS / 20
    assert answer.waits
    assert (p.association.load, p.association.standing, p.events) == (1, "ALIVE", [])
    assert [(call.time, call.func) for call in p.clock.getDelayedCalls()] == timers
    p.server.asked[0].answer(Code.ACCESS_ACCEPT)
    assert answer.value.code is Code.ACCESS_ACCEPT


def test_what_a_server_signed_and_nobody_can_mean_is_its_fault() -> None:
    asked, sealed = asked_and_sealed()
    random, names = Random(5), sorted({*dictionary().attributes} - {"Message-Authenticator", "Proxy-State"})
    bad = 0
    for _ in range(5_000):
        attributes = [
            (random.choice(names), random.randbytes(random.choice((0, 1, 4, 16, 18, random.randrange(40)))))
            for _ in range(random.randint(1, 4))
        ]
        _, packet = decode_header(asked.reply(Code.ACCESS_ACCEPT, *attributes))
        try:
            reply = open_reply(sealed, packet, demand_signature=True)
            grant(reply, lambda _: None)
            msk(reply)
        except BadReply:
            bad += 1
    assert 1_000 < bad < 4_900


@pytest.mark.parametrize("length", [0, 1, 19, 255])
def test_an_attribute_whose_length_cannot_be(length: int) -> None:
    p = make_pair()
    answer = p.ask()
    good = p.server.asked[0].reply(Code.ACCESS_ACCEPT, ("Filter-Id", "staff"))
    at = good.index(b"staff") - 1
    p.server.links[0].deliver(good[:at] + bytes((length,)) + good[at + 1 :])
    assert p.association.counts["malformed"] == 1
    assert answer.waits


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        bytes(19),
        b"\2\0\0\x13" + bytes(16),
        b"\2\0\0\x15" + bytes(16),
        b"\2\0\x10\x01" + bytes(4093),
        b"\2\0\0\x15" + bytes(17),
        b"\2\0\0\x16" + bytes(16) + b"\x50\2",
        b"\2\0\0\x38" + bytes(16) + (b"\x50\x12" + bytes(16)) * 2,
    ],
    ids=[
        "empty",
        "short",
        "length 19",
        "past the end",
        "4097",
        "half a header",
        "empty signature",
        "two signatures",
    ],
)
def test_what_is_no_packet(octets: bytes) -> None:
    p = make_pair()
    answer = p.ask()
    p.server.links[0].deliver(octets)
    assert p.association.counts["malformed"] == 1
    assert answer.waits


def test_what_follows_the_packet_is_no_part_of_it() -> None:
    p = make_pair()
    answer = p.ask()
    asked = p.server.asked[0]
    asked.link.deliver(asked.reply(Code.ACCESS_ACCEPT) + b"padding")
    assert answer.value.code is Code.ACCESS_ACCEPT
