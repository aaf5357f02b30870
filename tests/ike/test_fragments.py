"""IKE fragmentation (RFC 7383; rows L-06 and L-09): cutting, collecting in any order, bounds, repeats, and smaller packets."""

from functools import cache
from ipaddress import ip_address
from itertools import permutations

import pytest
from attrs import evolve

from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.crypto.protection import IntegrityError
from ikegw.events import Dropped, IkeUp
from ikegw.ike.channel import Channel
from ikegw.ike.fragmentation import ORDINARY_PACKET, SMALL_PACKET, Fragmentation
from ikegw.ike.fragments import KEPT_SECONDS, MOST_FRAGMENTS, Collection, Memory, Unwanted
from ikegw.ike.sa import IkeSa
from ikegw.paths import Endpoint, Path
from ikegw.policy.connections import AuthKind
from ikegw.policy.proposals import parse_offer
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair, shared_key
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Party, Period
from ikegw.testing.wire import Datagram
from ikegw.testing.world import NOW, Host
from ikegw.wire.encrypted import EncryptedFragment
from ikegw.wire.errors import ParseError
from ikegw.wire.message import (
    Header,
    Message,
    decode_header,
    decode_message,
    encode_chain,
    encode_fragment_prefix,
)
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType, PayloadType

ROOM = ORDINARY_PACKET - 20 - 8 - 4
SMALL_ROOM = SMALL_PACKET - 20 - 8 - 4
SIDES = pytest.mark.parametrize("side", ["client", "gateway"])


@cache
def pki() -> tuple[Authority, Party, Party]:
    """A root, and a gateway and a client below an intermediate: chains that need three fragments."""
    root = Authority.root("root", "rsa2048", Period.around(NOW))
    below = root.intermediate("between", "rsa2048")
    names = ["gw.test", *(f"gw.department-{number}.example.test" for number in range(25))]
    gateway = below.issue("gw.test", "rsa2048", names, usages=GATEWAY_USAGES)
    return root, gateway, below.issue("carol@test", "rsa2048")


def credentials(party: Party) -> Credentials:
    own = X509.of(party.certificate)
    return Credentials(
        certificates={"own.pem": (own, *map(X509.of, party.intermediates))},
        authorities={"ca.pem": (X509.of(pki()[0].certificate),)},
        private_keys={own.key_hash: party.key},
    )


def certified(gateway=GATEWAY, client=CLIENT) -> Pair:
    """Both authenticate with certificates: every IKE_AUTH message is too large for a packet."""
    kinds = [
        evolve(
            one,
            local=evolve(one.local, kind=AuthKind.PUBKEY, certificates=("own.pem",)),
            remote=evolve(one.remote, kind=AuthKind.PUBKEY),
        )
        for one in (gateway, client)
    ]
    _, ours, theirs = pki()
    return make_pair(*kinds, credentials(ours), credentials(theirs))


def fragment_in(datagram: Datagram) -> EncryptedFragment | None:
    return decode_message(datagram.octets).one(EncryptedFragment)


def sent_by(pair: Pair, side: str, message_id: int = 1) -> list[Datagram]:
    """What a side sent of one Message ID, in order."""
    address = getattr(pair, side).address
    return [
        each
        for each in pair.world.wire.history
        if each.path.local.address == address and decode_header(each.octets)[0].message_id == message_id
    ]


def connect(pair: Pair, seconds: float = 1.0, step: float = 0.005) -> None:
    failed = []
    pair.client.gateway.initiate("home").addErrback(failed.append)
    pair.world.run(seconds, step)
    assert not failed, failed[0].getErrorMessage()
    assert len(pair.gateway.heard(IkeUp)) == len(pair.client.heard(IkeUp)) == 1


def sa_of(host: Host) -> IkeSa:
    (sa,) = (one for one in host.gateway._by_spi.values() if one.successor is None)
    return sa


def kept(host: Host) -> int:
    return host.gateway._surroundings.fragments.used


def dropped(host: Host) -> list[str]:
    return [event.reason for event in host.heard(Dropped)]


def nothing_is_left(pair: Pair) -> None:
    """Neither of fragments, nor, once the client has left, of anything; no timer either."""
    assert kept(pair.client) == kept(pair.gateway) == 0
    for host in (pair.client, pair.gateway):
        for sa in host.gateway._by_spi.values():
            assert not any(name.startswith("fragments") for name in sa._timers)
    for sa in tuple(pair.client.gateway._by_spi.values()):
        sa.phase.told_to_end("the test is over")
    pair.world.run(60.0, 0.25)
    assert pair.is_empty
    assert not pair.world.clock.getDelayedCalls()


# ---------------------------------------------------------------- a handshake


def test_both_sides_say_that_they_can_and_large_messages_are_cut():
    """
    IKE_SA_INIT { SA, KE, Ni, N(IKEV2_FRAGMENTATION_SUPPORTED) … } -->
    <-- IKE_SA_INIT { SA, KE, Nr, N(IKEV2_FRAGMENTATION_SUPPORTED) … }
    IKE_AUTH { SKF 1/3 } --> IKE_AUTH { SKF 2/3 } --> IKE_AUTH { SKF 3/3 } -->
    <-- IKE_AUTH { SKF 1/3 } <-- IKE_AUTH { SKF 2/3 } <-- IKE_AUTH { SKF 3/3 }
    """
    pair = certified()
    connect(pair)
    for side in ("client", "gateway"):
        (opening,) = sent_by(pair, side, 0)
        assert decode_message(opening.octets).notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) == Notify(
            NotifyType.IKEV2_FRAGMENTATION_SUPPORTED
        )
        cut = [fragment_in(each) for each in sent_by(pair, side)]
        assert [(each.number, each.total) for each in cut] == [(1, 3), (2, 3), (3, 3)]
        assert cut[0].first is (PayloadType.IDI if side == "client" else PayloadType.IDR)
        assert {each.first for each in cut[1:]} == {PayloadType.NONE}
        sizes = [len(each.octets) for each in sent_by(pair, side)]
        assert sizes[:2] == [ROOM, ROOM]
        assert sizes[2] < ROOM
    assert sa_of(pair.client).method == sa_of(pair.gateway).method
    nothing_is_left(pair)


@pytest.mark.parametrize(
    "suite", ["aes128-sha256-x25519", "aes256ctr-sha384-x25519", "chacha20poly1305-prfsha256-x25519"]
)
def test_every_kind_of_cipher_fills_the_packet_and_no_more(suite):
    offers = parse_offer("ike", suite)
    pair = certified(evolve(GATEWAY, proposals=offers), evolve(CLIENT, proposals=offers))
    connect(pair)
    for side in ("client", "gateway"):
        sizes = [len(each.octets) for each in sent_by(pair, side)]
        assert ROOM - 16 < sizes[0] <= ROOM
    nothing_is_left(pair)


@pytest.mark.parametrize("suite", ["aes128-sha256-x25519", "aes256gcm16-prfsha256-x25519"])
def test_a_fragment_holds_as_much_as_can_be(suite):
    offers = parse_offer("ike", suite)
    pair = make_pair(evolve(GATEWAY, proposals=offers), evolve(CLIENT, proposals=offers))
    connect(pair)
    channel = sa_of(pair.client).channel
    for most in range(200, 240):
        size = channel._most_inside(most)
        assert channel._ours.sealed_length(size) <= most < channel._ours.sealed_length(size + 1)


def test_what_fits_into_a_packet_is_not_cut(pair):
    connect(pair)
    assert sa_of(pair.gateway).fragmentation is not None
    assert [fragment_in(each) for each in pair.world.wire.history] == [None] * 4


@pytest.mark.parametrize(("ours", "theirs"), [(False, True), (True, False), (False, False)])
def test_a_side_that_does_not_want_it_is_sent_whole_messages(ours, theirs):
    pair = certified(evolve(GATEWAY, fragmentation=ours), evolve(CLIENT, fragmentation=theirs))
    connect(pair)
    said = [
        decode_message(sent_by(pair, side, 0)[0].octets).notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)
        for side in ("client", "gateway")
    ]
    assert [notify is not None for notify in said] == [theirs, False]
    assert sa_of(pair.client).fragmentation is sa_of(pair.gateway).fragmentation is None
    assert all(len(sent_by(pair, side)) == 1 for side in ("client", "gateway"))
    nothing_is_left(pair)


def test_fragments_that_were_not_agreed_on_are_not_kept():
    pair = make_pair(evolve(GATEWAY, fragmentation=False))
    connect(pair)
    channel, header = sa_of(pair.client).channel, next_request(sa_of(pair.client))
    for octets in channel.seal_within(header, (Nonce(bytes(200)),), 150):
        deliver(pair, pair.gateway, octets)
    assert set(dropped(pair.gateway)) == {"malformed"}
    assert kept(pair.gateway) == 0


def test_ike_sa_init_has_no_fragments(pair):
    connect(pair)
    (sa,) = pair.gateway.gateway.listing()
    before = len(pair.world.wire.history)
    for is_response in (False, True):
        header = Header(b"12345678", bytes(8), ExchangeType.IKE_SA_INIT, is_response, not is_response, 0)
        deliver(pair, pair.gateway, encode_fragment_prefix(header, PayloadType.SA, 1, 2, 40) + bytes(40))
    assert len(pair.world.wire.history) == before
    assert pair.gateway.gateway.listing() == [sa]
    assert len(dropped(pair.gateway)) == 2


# ---------------------------------------------------------------- what a wire may do


@SIDES
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_L_06_fragments_arrive_in_any_order(side, order):
    pair, held = certified(), []
    sender = getattr(pair, side).address

    def reorder(datagram):
        if datagram.path.local.address != sender or fragment_in(datagram) is None:
            return [datagram]
        held.append(datagram)
        return [held[place] for place in order] if len(held) == 3 else []

    pair.world.wire.tap = reorder
    connect(pair)
    assert len(held) == 3
    assert not dropped(pair.client)
    assert not dropped(pair.gateway)
    nothing_is_left(pair)


@SIDES
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_L_09_a_fragment_is_lost_and_all_are_sent_again_octet_for_octet(side, lost):
    pair, done = certified(), []
    sender = getattr(pair, side).address

    def lose(datagram):
        fragment = fragment_in(datagram)
        if done or fragment is None or datagram.path.local.address != sender or fragment.number != lost:
            return [datagram]
        done.append(datagram)
        return []

    pair.world.wire.tap = lose
    connect(pair, 4.0)
    sent = [each.octets for each in sent_by(pair, "client")]
    assert sent[:3] == sent[3:]
    answers = [each.octets for each in sent_by(pair, "gateway")]
    assert len(answers) == (6 if side == "gateway" else 3)
    assert answers[:3] == answers[-3:]
    assert pair.gateway.states("responder") == ["SMR_AUTH", "SMR_AUTH_FINALIZE", "SM_MATURE"]
    nothing_is_left(pair)


def test_every_fragment_twice_is_one_message_and_one_answer():
    pair = certified()
    pair.world.wire.tap = lambda datagram: [datagram, datagram] if fragment_in(datagram) else [datagram]
    connect(pair)
    assert len(sent_by(pair, "gateway")) == 3
    assert dropped(pair.gateway) == ["fragment-repeated"] * 3
    assert dropped(pair.client) == ["fragment-repeated"] * 2 + ["response-not-awaited"]
    nothing_is_left(pair)


@SIDES
def test_forged_companions_cost_a_counter(side):
    """Before each fragment come others with its Message ID: bits flipped, another number, another total, the same number."""
    pair = certified()
    host = pair.gateway if side == "client" else pair.client
    sender = getattr(pair, side).address

    def accompany(datagram):
        fragment = fragment_in(datagram)
        if fragment is None or datagram.path.local.address != sender:
            return [datagram]
        octets, forged = datagram.octets, []
        for at, value in (
            (-1, octets[-1] ^ 1),
            (33, 2),
            (33, 3),
            (35, 9),
            (35, MOST_FRAGMENTS),
            (28, 33),
            (40, octets[40] ^ 1),
        ):
            altered = bytearray(octets)
            altered[at] = value
            if altered != octets:
                forged.append(evolve(datagram, octets=bytes(altered)))
        return [*forged, datagram]

    pair.world.wire.tap = accompany
    connect(pair)
    assert set(dropped(host)) <= {
        "forged",
        "malformed",
        "fragment-repeated",
        "request-busy",
        "response-not-awaited",
        "request-repeated-otherwise",
    }
    assert dropped(host).count("forged") > 10
    nothing_is_left(pair)


def test_a_narrow_path_gets_smaller_fragments_after_two_repetitions():
    """RFC 7383 §2.5.2. Both sides learn it: what they send later is small at once, also in the IKE SA after this one."""
    pair = certified()
    pair.world.wire.tap = lambda datagram: [datagram] if len(datagram.octets) <= SMALL_ROOM else []
    connect(pair, 60.0, 0.05)
    sent = [each.octets for each in sent_by(pair, "client")]
    assert sent[:3] == sent[3:6] == sent[6:9]
    assert max(map(len, sent[9:])) == SMALL_ROOM
    assert max(len(each.octets) for each in sent_by(pair, "gateway")[-3:]) <= SMALL_ROOM
    assert pair.gateway.states("responder") == ["SMR_AUTH", "SMR_AUTH_FINALIZE", "SM_MATURE"]
    pair.client.gateway.rekey(1)
    pair.world.run(40.0, 0.25)
    for host in (pair.client, pair.gateway):
        assert sa_of(host).fragmentation.packet_octets == SMALL_PACKET
    nothing_is_left(pair)


def test_a_path_that_is_narrow_for_answers_alone():
    """The same request comes a third time: so the answer is cut smaller; its stored octets do not change before."""
    pair = certified()
    gateway = pair.gateway.address
    pair.world.wire.tap = lambda datagram: (
        [datagram] if datagram.path.local.address != gateway or len(datagram.octets) <= SMALL_ROOM else []
    )
    connect(pair, 60.0, 0.05)
    answers = [each.octets for each in sent_by(pair, "gateway")]
    assert answers[:3] == answers[3:6]
    assert max(map(len, answers[9:])) == SMALL_ROOM
    nothing_is_left(pair)


def test_what_is_not_cut_is_repeated_unchanged_to_the_last():
    pair = make_pair()
    pair.world.wire.tap = lambda datagram: [] if decode_header(datagram.octets)[0].message_id else [datagram]
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(150.0, 0.25)
    assert len({each.octets for each in sent_by(pair, "client")}) == 1
    assert len(sent_by(pair, "client")) == 1 + CLIENT.retransmit.tries


# ---------------------------------------------------------------- repeats


def deliver(pair: Pair, host: Host, octets: bytes) -> None:
    """Hand a datagram to a host as from its peer, and let the answer come."""
    sa = sa_of(pair.gateway if host is pair.client else pair.client)
    pair.world.wire.deliver(Datagram(sa.path, octets))
    pair.world.run(0.02)


def next_request(sa: IkeSa, exchange: ExchangeType = ExchangeType.INFORMATIONAL) -> Header:
    return sa._header(exchange, sa.asking.next_id, is_response=False)


def answers_to(pair: Pair, octets: bytes) -> list[bytes]:
    before = len(pair.world.wire.history)
    deliver(pair, pair.gateway, octets)
    return [each.octets for each in pair.world.wire.history[before:]]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_L_03_a_repeated_request_is_answered_once_whatever_the_order(order):
    pair = certified()
    connect(pair)
    request = [each.octets for each in sent_by(pair, "client")]
    answer = [each.octets for each in sent_by(pair, "gateway")]
    for _ in range(2):
        sent = [octets for place in order for octets in answers_to(pair, request[place])]
        assert sent == answer
    assert len(pair.gateway.heard(IkeUp)) == 1
    nothing_is_left(pair)


def test_an_answer_asked_for_a_third_time_is_cut_smaller_for_good():
    pair = certified()
    connect(pair)
    first, *_ = (each.octets for each in sent_by(pair, "client"))
    answer = [each.octets for each in sent_by(pair, "gateway")]
    assert answers_to(pair, first) == answers_to(pair, first) == answer
    smaller = answers_to(pair, first)
    assert max(map(len, smaller)) == SMALL_ROOM
    assert answers_to(pair, first) == smaller


def test_L_03_a_request_repeated_in_other_fragments_or_whole_is_answered_once():
    pair = certified()
    connect(pair)
    request = tuple(each.octets for each in sent_by(pair, "client"))
    channel = sa_of(pair.client).channel
    smaller = channel.cut_anew(request, SMALL_ROOM)
    assert len(smaller) > len(request)
    answered = [len(answers_to(pair, octets)) for octets in smaller]
    assert answered[0] > 3, "the peer made the trial of smaller fragments: so do we"
    assert not any(answered[1:])
    collection = Collection(Memory())
    whole = [collection.take(sa_of(pair.gateway).channel, octets) for octets in request][-1]
    message = channel.read(whole.header, whole.first, whole.plain, whole.opening)
    assert len(answers_to(pair, channel.seal(message.header, message.payloads))) == answered[0]
    forged = bytearray(smaller[0])
    forged[-1] ^= 1
    assert not answers_to(pair, bytes(forged))
    assert dropped(pair.gateway)[-1] == "forged"
    nothing_is_left(pair)


def test_a_fragmented_request_to_an_ike_sa_that_is_gone_is_answered_once():
    pair = certified()
    pair.gateway.gateway.authenticator.credentials = shared_key("%any")
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run()
    request = sent_by(pair, "client")
    answer = [each.octets for each in sent_by(pair, "gateway")]
    assert pair.is_empty
    before = len(pair.world.wire.history)
    for each in request:
        pair.world.wire.deliver(each)
    assert [each.octets for each in pair.world.wire.history[before:]] == answer


def test_half_of_it_in_fragments_then_the_whole():
    """A peer changes its mind: it stops fragmenting, and what was collected is forgotten."""
    pair = make_pair()
    connect(pair)
    sa = sa_of(pair.client)
    header, payloads = next_request(sa), (Notify(NotifyType(40000), bytes(300)),)
    cut = sa.channel.seal_within(header, payloads, 150)
    assert len(cut) == 4
    for octets in cut[:3]:
        assert not answers_to(pair, octets)
    assert kept(pair.gateway)
    assert len(answers_to(pair, sa.channel.seal(header, payloads))) == 1
    assert not answers_to(pair, cut[3])
    assert kept(pair.gateway) == 0


def test_the_answer_to_a_whole_request_comes_in_fragments(pair):
    connect(pair)
    ours, theirs = sa_of(pair.client), sa_of(pair.gateway)
    pair.world.wire.leave(pair.gateway.address)
    ours.phase.told_to_end("a request of ours")
    pair.world.run(0.02)
    header = theirs._header(ExchangeType.INFORMATIONAL, ours.asking.outstanding, is_response=True)
    for octets in reversed(theirs.channel.seal_within(header, (Notify(NotifyType(40000), bytes(300)),), 150)):
        assert not ours.ended.called
        deliver(pair, pair.client, octets)
    assert ours.ended.called
    assert kept(pair.client) == 0


def test_RE_16_authentic_nonsense_in_fragments_is_answered_once_as_such():
    pair = certified()
    pair.world.wire.tap = lambda datagram: [] if fragment_in(datagram) else [datagram]
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(0.1)
    (sa,) = pair.client.gateway._by_spi.values()
    header = sa._header(ExchangeType.IKE_AUTH, 1, is_response=False)
    chain = b"\x27\0\xff\xff" + bytes(400)
    pair.world.wire.tap = lambda datagram: [datagram]
    for octets in sa.channel._cut(header, PayloadType.IDI, chain, 200):
        pair.world.wire.deliver(Datagram(sa.path, octets))
    (answer,) = sent_by(pair, "gateway")
    assert sa.channel.open(answer.octets).notify(NotifyType.INVALID_SYNTAX)
    assert pair.gateway.is_empty
    assert kept(pair.gateway) == 0


# ---------------------------------------------------------------- rekeying


@SIDES
def test_the_ike_sa_that_comes_after_rekeying_is_cut_too(side):
    """CREATE_CHILD_SA with a group whose public value alone is larger than a small packet."""
    offers = parse_offer("ike", "aes256gcm16-prfsha256-modp4096")
    pair = make_pair(evolve(GATEWAY, proposals=offers), evolve(CLIENT, proposals=offers))
    connect(pair)
    for host in (pair.client, pair.gateway):
        sa_of(host).fragmentation.packet_octets = SMALL_PACKET
    for number in (1, 2):
        before = len(pair.world.wire.history)
        getattr(pair, side).gateway.rekey(1)
        pair.world.run(2.0)
        cut = [fragment_in(each) for each in pair.world.wire.history[before:]]
        assert [(each.number, each.total) for each in cut if each] == [(1, 2), (2, 2)] * 2, number
        assert sa_of(pair.client).spi_initiator == sa_of(pair.gateway).spi_initiator
    nothing_is_left(pair)


# ---------------------------------------------------------------- bounds


def half_open(number: int) -> tuple[Pair, list[bytes]]:
    """A client that has sent IKE_SA_INIT alone, and the fragments that it would go on with."""
    pair = certified(evolve(GATEWAY, half_open_seconds=100.0))
    pair.world.wire.tap = lambda datagram: [] if fragment_in(datagram) else [datagram]
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(0.1)
    sent = sent_by(pair, "client")
    for datagram in sent[:number]:
        pair.world.wire.deliver(datagram)
    return pair, [each.octets for each in sent]


def test_the_unfinished_message_of_a_stranger_is_bounded_and_forgotten():
    pair, _ = half_open(2)
    assert 2 * ROOM < kept(pair.gateway) < 4 * ROOM
    pair.world.run(KEPT_SECONDS, 0.25)
    assert kept(pair.gateway) == 0
    pair.world.run(150.0, 0.25)
    assert pair.is_empty
    assert not pair.world.clock.getDelayedCalls()


def test_fragments_of_a_repetition_complete_what_an_earlier_one_began():
    pair, _ = half_open(2)
    pair.world.wire.tap = lambda datagram: (
        [datagram] if (cut := fragment_in(datagram)) is None or cut.number > 2 or cut.total > 3 else []
    )
    pair.world.run(3.0)
    assert pair.gateway.heard(IkeUp)


def test_an_ike_sa_that_ends_takes_its_fragments_along():
    pair, _ = half_open(2)
    for sa in tuple(pair.gateway.gateway._by_spi.values()):
        sa.end()
    assert kept(pair.gateway) == 0


def test_an_exchange_that_is_not_served_now_is_not_collected():
    """RE-15: CREATE_CHILD_SA before SM_MATURE."""
    pair, _ = half_open(0)
    (sa,) = pair.client.gateway._by_spi.values()
    header = sa._header(ExchangeType.CREATE_CHILD_SA, 1, is_response=False)
    for octets in sa.channel.seal_within(header, (Nonce(bytes(200)),), 150):
        pair.world.wire.deliver(Datagram(sa.path, octets))
    assert set(dropped(pair.gateway)) == {"exchange-not-now"}
    assert kept(pair.gateway) == 0


@pytest.mark.parametrize("offset", [-2, -1, 1, 2, 1000])
def test_only_the_message_id_in_the_window_is_collected(pair, offset):
    connect(pair)
    sa = sa_of(pair.client)
    header = evolve(next_request(sa), message_id=sa.asking.next_id + offset)
    cut = sa.channel.seal_within(header, (Nonce(bytes(200)),), 150)
    deliver(pair, pair.gateway, cut[1])
    assert dropped(pair.gateway)
    response = evolve(header, is_response=True)
    deliver(pair, pair.gateway, sa.channel.seal_within(response, (Nonce(bytes(200)),), 150)[0])
    assert dropped(pair.gateway)[-1] == "response-not-awaited"
    assert kept(pair.gateway) == 0


def test_when_the_memory_is_full_the_oldest_give_way(channels):
    ours, theirs = channels
    memory = Memory(3000)
    cut = ours.seal_within(HEADER, (Nonce(bytes(250)),), 200)
    patient = [Collection(memory) for _ in range(30)]
    for collection in patient:
        collection.take(theirs, cut[0])
        assert memory.used <= 3000
    holding = [each.is_begun for each in patient]
    assert holding == [False] * (30 - sum(holding)) + [True] * sum(holding)
    assert 3000 // 600 <= sum(holding) < 3000 // 300
    honest = Collection(memory)
    assert [honest.take(theirs, octets) for octets in cut][-1] is not None
    for collection in patient:
        collection.drop()
    assert memory.used == 0


def test_a_message_larger_than_the_whole_memory_does_no_harm(channels):
    ours, theirs = channels
    memory = Memory(100)
    collection = Collection(memory)
    for octets in ours.seal_within(HEADER, (Nonce(bytes(250)),), 200):
        assert collection.take(theirs, octets) is None
    assert memory.used == 0


# ---------------------------------------------------------------- one collection

HEADER = Header(b"initiate", b"responds", ExchangeType.INFORMATIONAL, False, True, 7)
PAYLOADS = (Notify(NotifyType(40000), bytes(range(256))), Notify(NotifyType(40001), b"the end"))


@pytest.fixture
def channels(pair: Pair) -> tuple[Channel, Channel]:
    """What the client seals with and the gateway opens with."""
    connect(pair)
    return sa_of(pair.client).channel, sa_of(pair.gateway).channel


def craft(
    channel: Channel,
    piece: bytes,
    number: int,
    total: int,
    first: PayloadType = PayloadType.NONE,
    header: Header = HEADER,
) -> bytes:
    """One authentic fragment, as only a peer of ill will or with bugs would send it."""
    prefix = encode_fragment_prefix(header, first, number, total, channel._ours.sealed_length(len(piece)))
    return prefix + channel._ours.seal(prefix, piece)


def taken(collection: Collection, channel: Channel, octets: bytes) -> str:
    """What became of a fragment, as a word."""
    try:
        return "whole" if collection.take(channel, octets) else "kept"
    except Unwanted as unwanted:
        return unwanted.reason
    except IntegrityError:
        return "forged"
    except ParseError:
        return "malformed"


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_every_order_gives_the_same_message(channels, order):
    ours, theirs = channels
    cut = ours.seal_within(HEADER, PAYLOADS, 150)
    collection = Collection(Memory())
    wholes = [collection.take(theirs, cut[place]) for place in order]
    assert wholes[:3] == [None] * 3
    whole = wholes[3]
    assert theirs.read(whole.header, whole.first, whole.plain, whole.opening) == Message(HEADER, PAYLOADS)
    assert whole.opening == cut[0]
    assert not collection.is_begun


def test_a_larger_total_begins_anew_and_a_smaller_one_is_dropped(channels):
    ours, theirs = channels
    memory = Memory()
    collection = Collection(memory)
    large = ours.seal_within(HEADER, PAYLOADS, 200)
    small = ours.cut_anew(large, 120)
    assert [taken(collection, theirs, octets) for octets in large[:2]] == ["kept", "kept"]
    assert taken(collection, theirs, small[1]) == "kept"
    assert len(collection._pieces) == 1
    assert taken(collection, theirs, large[2]) == "fragment-of-older-cut"
    rest = [small[0], *small[2:]]
    whole = [collection.take(theirs, octets) for octets in rest][-1]
    assert whole.was_recut
    assert (whole.first, whole.plain) == encode_chain(PAYLOADS)
    assert memory.used == 0


def test_a_forged_larger_total_does_not_begin_anew(channels):
    ours, theirs = channels
    collection = Collection(Memory())
    first, second, *_ = ours.seal_within(HEADER, PAYLOADS, 200)
    assert taken(collection, theirs, first) == "kept"
    forged = bytearray(second)
    forged[35] = 60
    assert taken(collection, theirs, bytes(forged)) == "forged"
    assert taken(collection, theirs, second) == "kept"


def test_numbers_that_cannot_be(channels):
    ours, theirs = channels
    collection = Collection(Memory())
    assert taken(collection, theirs, craft(ours, b"", 0, 3)) == "malformed"
    assert taken(collection, theirs, craft(ours, b"", 4, 3)) == "malformed"
    assert taken(collection, theirs, craft(ours, b"", 0, 0)) == "malformed"
    assert taken(collection, theirs, craft(ours, b"", 1, MOST_FRAGMENTS + 1)) == "fragments-too-many"
    assert taken(collection, theirs, craft(ours, b"", 65535, 65535)) == "fragments-too-many"
    assert not collection.is_begun
    assert taken(collection, theirs, craft(ours, b"", 1, MOST_FRAGMENTS)) == "kept"


def test_only_the_first_fragment_names_the_first_payload(channels):
    ours, theirs = channels
    first, chain = encode_chain(PAYLOADS)
    collection = Collection(Memory())
    octets = [
        craft(ours, chain[200:], 3, 3, PayloadType.DELETE),
        craft(ours, chain[:100], 1, 3, first),
        craft(ours, chain[100:200], 2, 3, PayloadType(77)),
    ]
    whole = [collection.take(theirs, each) for each in octets][-1]
    assert (whole.first, whole.plain) == (first, chain)


def test_fragments_without_octets_are_fragments(channels):
    ours, theirs = channels
    first, chain = encode_chain(PAYLOADS)
    collection = Collection(Memory())
    assert taken(collection, theirs, craft(ours, b"", 2, 3)) == "kept"
    assert taken(collection, theirs, craft(ours, b"", 2, 3)) == "fragment-repeated"
    assert taken(collection, theirs, craft(ours, b"", 3, 3)) == "kept"
    assert collection.take(theirs, craft(ours, chain, 1, 3, first)).plain == chain
    assert taken(collection, theirs, craft(ours, chain, 1, 1, first)) == "whole"


def test_a_message_has_one_exchange(channels):
    ours, theirs = channels
    collection = Collection(Memory())
    assert taken(collection, theirs, craft(ours, b"one", 1, 2)) == "kept"
    other = evolve(HEADER, exchange=ExchangeType.CREATE_CHILD_SA)
    assert taken(collection, theirs, craft(ours, b"two", 2, 2, header=other)) == "fragment-of-another"


def test_in_a_larger_window_each_message_id_has_its_own(pair):
    """RFC 7296 §2.3: requests inside the window come and are answered in any order, and so do their fragments."""
    connect(pair)
    peer, sa = sa_of(pair.client), sa_of(pair.gateway)
    sa.answering.size = 3
    payloads = (Notify(NotifyType(40000), bytes(200)),)
    cut = [
        peer.channel.seal_within(evolve(next_request(peer), message_id=message_id), payloads, 200)
        for message_id in (2, 3, 4)
    ]
    for octets in (cut[0][0], cut[1][1], cut[2][0]):
        assert not answers_to(pair, octets)
    answered = [
        decode_header(answers_to(pair, octets)[0])[0].message_id
        for octets in (cut[2][1], cut[0][1], cut[1][0])
    ]
    assert answered == [4, 2, 3]
    assert kept(pair.gateway) == 0


def test_a_message_of_too_many_octets_is_given_up(channels):
    ours, theirs = channels
    memory = Memory()
    collection = Collection(memory)
    words = [taken(collection, theirs, craft(ours, bytes(30000), number, 3)) for number in (1, 2, 3)]
    assert words == ["kept", "kept", "fragments-too-large"]
    assert memory.used == 0


def test_payloads_beside_a_fragment_are_no_way_in(channels):
    """CVE-2026-12413 of another daemon: payloads in clear around a fragment fill a table."""
    ours, theirs = channels
    collection = Collection(Memory())
    octets = bytearray(craft(ours, b"one", 1, 2))
    more = bytes([0, 0, 0, 8]) + b"more"
    octets[24:28] = (len(octets) + len(more)).to_bytes(4, "big")
    assert taken(collection, theirs, bytes(octets) + more) == "malformed"
    before = bytearray(craft(ours, b"one", 1, 2))
    before[16] = 200
    before[24:28] = (len(before) + 8).to_bytes(4, "big")
    before[28:28] = bytes([PayloadType.SKF, 0, 0, 8]) + b"more"
    assert taken(collection, theirs, bytes(before)) == "forged"
    assert not collection.is_begun


@pytest.mark.parametrize(("remote", "packet"), [("192.0.2.1", 28), ("2001:db8::1", 48)])
def test_room_is_what_ip_udp_and_marker_leave(remote, packet):
    path = Path(Endpoint(ip_address(remote), 4500), Endpoint(ip_address(remote), 4500))
    assert Fragmentation(Memory()).room(path) + packet + 4 == ORDINARY_PACKET
