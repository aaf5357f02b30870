"""Bad input at the gateway's door: nothing is raised, nothing grows, nobody else notices (hazards of IKE daemons)."""

from random import Random

import pytest
from attrs import evolve

from ikegw.events import IkeUp
from ikegw.ike.sa import IkeSa
from ikegw.paths import Endpoint, Path
from ikegw.policy.proposals import parse_offer
from ikegw.testing.login import login_pair
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.wire.delete import Delete
from ikegw.wire.message import Header
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType, ProtocolId
from ikegw.wire.unknown import UnknownPayload


def recorded() -> list[tuple[bytes, bytes, bytes, bytes]]:
    """The four messages of a whole connection, for a cipher of each kind."""
    runs = []
    for suite in ("aes256gcm16-prfsha256-x25519", "aes128-sha256-modp2048"):
        offers = parse_offer("ike", suite)
        pair = make_pair(evolve(GATEWAY, proposals=offers), evolve(CLIENT, proposals=offers))
        pair.client.gateway.initiate("home")
        pair.world.run()
        runs.append(tuple(d.octets for d in pair.world.wire.history))
    return runs


def size(pair: Pair) -> tuple[int, ...]:
    """Everything at the gateway that could grow."""
    gateway = pair.gateway.gateway
    return (
        len(gateway._by_spi),
        len(gateway._table.half_open),
        gateway.admission.half_open_total,
        len(pair.gateway.plane.installed),
        len(pair.gateway.plane.spis.taken),
        sum(use.lent for use in pair.gateway.pool.usage()),
    )


def connects(pair: Pair) -> bool:
    """An honest client gets in."""
    before = len(pair.gateway.heard(IkeUp))
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run()
    return len(pair.gateway.heard(IkeUp)) == before + 1


def from_stranger(number: int) -> Path:
    remote = f"198.51.{number >> 8 & 255}.{number & 255}"
    from ipaddress import ip_address

    return Path(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address(remote), 500))


def settle(pair: Pair) -> None:
    """Long enough for every half-open IKE SA to be forgotten."""
    pair.world.run(40.0, 1.0)


def test_every_prefix_of_a_recorded_exchange():
    pair = make_pair()
    for messages in recorded():
        for message in messages:
            for length in range(len(message)):
                pair.gateway.gateway.datagram_received(from_stranger(length), message[:length])
    settle(pair)
    assert size(pair) == (0, 0, 0, 0, 0, 0)
    assert connects(pair)


def test_every_single_bit_flip_of_a_recorded_exchange():
    pair = make_pair()
    for number, messages in enumerate(recorded()):
        for message in messages:
            for bit in range(8 * len(message)):
                octets = bytearray(message)
                octets[bit // 8] ^= 1 << bit % 8
                pair.gateway.gateway.datagram_received(from_stranger(bit + number), bytes(octets))
            settle(pair)
    assert size(pair) == (0, 0, 0, 0, 0, 0)
    assert connects(pair)


@pytest.mark.parametrize("make", [make_pair, login_pair], ids=["shared key", "EAP"])
def test_flipped_bits_inside_a_running_handshake_change_nothing(make):
    """Each protected datagram comes damaged first, then whole: the handshake goes on as if nothing had been."""
    pair = make()
    generator = Random(5)

    def damage(datagram):
        damaged = []
        for _ in range(40):
            octets = bytearray(datagram.octets)
            octets[generator.randrange(28, len(octets))] ^= 1 << generator.randrange(8)
            damaged.append(evolve(datagram, octets=bytes(octets)))
        protected = datagram.octets[18] != ExchangeType.IKE_SA_INIT
        return [*damaged, datagram] if protected else [datagram]

    pair.world.wire.tap = damage
    assert connects(pair)
    assert pair.gateway.gateway.listing()[0].state == "SM_MATURE"


def test_prefixes_and_flipped_bits_of_a_recorded_login():
    recording = login_pair()
    assert connects(recording)
    pair, generator = login_pair(), Random(6)
    for number, datagram in enumerate(recording.world.wire.history):
        message = datagram.octets
        for length in range(0, len(message), 3):
            pair.gateway.gateway.datagram_received(from_stranger(length), message[:length])
        for _ in range(300):
            octets = bytearray(message)
            octets[generator.randrange(len(octets))] ^= 1 << generator.randrange(8)
            pair.gateway.gateway.datagram_received(from_stranger(number), bytes(octets))
        settle(pair)
    assert size(pair) == (0, 0, 0, 0, 0, 0)
    assert connects(pair)


def test_two_hundred_thousand_random_datagrams_and_an_honest_client_meanwhile():
    pair = make_pair()
    generator = Random(7)
    examples = [message for run in recorded() for message in run]
    for number in range(200_000):
        octets = _random_datagram(generator, examples)
        pair.gateway.gateway.datagram_received(from_stranger(generator.randrange(65536)), octets)
        if number % 1000 == 0:
            pair.world.clock.advance(0.5)
    assert connects(pair)
    pair.client.gateway.terminate(1)
    settle(pair)
    assert size(pair) == (0, 0, 0, 0, 0, 0)


def _random_datagram(generator: Random, examples: list[bytes]) -> bytes:
    kind = generator.randrange(4)
    if kind == 0:
        return generator.randbytes(generator.randrange(64))
    octets = bytearray(generator.choice(examples))
    for _ in range(generator.randrange(1, 6)):
        octets[generator.randrange(len(octets))] = generator.randrange(256)
    if kind == 1:
        return bytes(octets)
    cut = octets[: generator.randrange(28, len(octets) + 1)]
    cut[24:28] = len(cut).to_bytes(4, "big")
    return bytes(cut)


# ------------------------------------------------------------ exchanges at the wrong time (RE-15, §9)


def half_open(pair: Pair) -> tuple[IkeSa, IkeSa]:
    """(the client's IKE SA, the gateway's), with keys on both sides and IKE_AUTH lost."""
    pair.world.wire.tap = lambda d: [d] if d.octets[18] == ExchangeType.IKE_SA_INIT else []
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(0.1)
    (client,), (gateway,) = pair.client.gateway._by_spi.values(), pair.gateway.gateway._by_spi.values()
    return client, gateway


def sealed_by(
    sa: IkeSa, exchange: ExchangeType, message_id: int, payloads: tuple, *, response: bool = False
) -> bytes:
    header = Header(sa.spi_initiator, sa.spi_responder, exchange, response, sa.initiator, message_id)
    return sa.channel.seal(header, payloads)


@pytest.mark.parametrize(
    "exchange", [ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL, ExchangeType.IKE_AUTH]
)
@pytest.mark.parametrize("response", [False, True])
def test_RE_15_an_exchange_before_authentication_changes_nothing(pair, exchange, response):
    """The class of CVE-2019-12312 and CVE-2014-2338: authentic under the keys, but too early."""
    client, gateway = half_open(pair)
    before = size(pair)
    octets = sealed_by(
        client, exchange, 1, (Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"abcd"),), response=response
    )
    if exchange is ExchangeType.IKE_AUTH and not response:
        octets = sealed_by(client, ExchangeType.CREATE_CHILD_SA, 1, ())
    pair.gateway.gateway.datagram_received(gateway.path, octets)
    assert size(pair) == before
    assert gateway.state == "SMR_AUTH"


@pytest.mark.parametrize(
    "payload",
    [Notify(NotifyType.AUTHENTICATION_FAILED), Delete(ProtocolId.IKE, ())],
    ids=["notify", "delete"],
)
def test_RE_14_the_initiator_rejects_us_before_authentication(pair, payload):
    client, gateway = half_open(pair)
    pair.gateway.gateway.datagram_received(
        gateway.path, sealed_by(client, ExchangeType.INFORMATIONAL, 1, (payload,))
    )
    assert size(pair) == (0, 0, 0, 0, 0, 0)
    assert "SM_DEAD" in pair.gateway.states("responder")


def test_RE_16_an_authentic_request_that_cannot_be_read(pair):
    client, gateway = half_open(pair)
    octets = sealed_by(client, ExchangeType.IKE_AUTH, 1, (Notify(NotifyType.INITIAL_CONTACT),))
    pair.gateway.gateway.datagram_received(gateway.path, octets)
    answer = client.channel.open(pair.world.wire.history[-1].octets)
    assert [notify.type for notify in answer.every(Notify)] == [NotifyType.INVALID_SYNTAX]
    assert size(pair) == (0, 0, 0, 0, 0, 0)


def test_the_initiator_serves_nothing_before_it_is_mature(pair):
    client, gateway = half_open(pair)
    before = client.state
    for exchange in (ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL):
        octets = sealed_by(gateway, exchange, 0, (Delete(ProtocolId.IKE, ()),) if exchange == 37 else ())
        pair.client.gateway.datagram_received(client.path, octets)
    assert client.state == before == "SMI_AUTH_WAIT"


def mature(pair: Pair) -> tuple[IkeSa, IkeSa]:
    assert connects(pair)
    (client,), (gateway,) = pair.client.gateway._by_spi.values(), pair.gateway.gateway._by_spi.values()
    return client, gateway


def test_P_10_invalid_syntax_is_fatal_for_both(pair):
    client, gateway = mature(pair)
    broken = sealed_by(client, ExchangeType.INFORMATIONAL, 2, (UnknownPayload(1, True, b""),))
    pair.gateway.gateway.datagram_received(gateway.path, broken)
    assert gateway.state == "SM_MATURE"  # P-11: an unknown critical payload is told, and that is all
    answer = client.channel.open(pair.world.wire.history[-1].octets)
    assert answer.every(Notify)[0].type is NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD
    broken = sealed_by(client, ExchangeType.CREATE_CHILD_SA, 3, ())
    pair.gateway.gateway.datagram_received(gateway.path, broken)
    assert not pair.gateway.gateway.listing()
    answer = client.channel.open(pair.world.wire.history[-1].octets)
    assert answer.every(Notify)[0].type is NotifyType.INVALID_SYNTAX


def test_P_12_old_exchanges_on_a_mature_ike_sa_are_dropped(pair):
    client, gateway = mature(pair)
    first = pair.world.wire.history[2].octets
    sent = len(pair.world.wire.history)
    pair.gateway.gateway.datagram_received(gateway.path, first)
    assert (
        pair.world.wire.history[sent].octets == pair.world.wire.history[3].octets
    )  # L-03: the stored answer again
    for exchange in (ExchangeType.IKE_AUTH, ExchangeType.IKE_SA_INIT):
        pair.gateway.gateway.datagram_received(gateway.path, sealed_by(client, exchange, 2, ()))
    stale = sealed_by(client, ExchangeType.INFORMATIONAL, 0, ())
    pair.gateway.gateway.datagram_received(gateway.path, stale)
    ahead = sealed_by(client, ExchangeType.INFORMATIONAL, 9, ())
    pair.gateway.gateway.datagram_received(gateway.path, ahead)
    assert len(pair.world.wire.history) == sent + 1
    assert gateway.state == "SM_MATURE"


def test_L_08_unprotected_messages_on_a_mature_ike_sa_change_nothing(pair):
    from ikegw.wire.message import Message, encode_message

    client, gateway = mature(pair)
    sent = len(pair.world.wire.history)
    for exchange in (ExchangeType.INFORMATIONAL, ExchangeType.CREATE_CHILD_SA, ExchangeType.IKE_AUTH):
        for response in (False, True):
            header = Header(client.spi_initiator, client.spi_responder, exchange, response, True, 2)
            octets = encode_message(
                Message(header, (Delete(ProtocolId.IKE, ()), Notify(NotifyType.AUTHENTICATION_FAILED)))
            )
            pair.gateway.gateway.datagram_received(gateway.path, octets)
    assert gateway.state == "SM_MATURE"
    assert len(pair.world.wire.history) == sent


def test_the_answer_to_a_delete_is_repeated_after_the_end(pair):
    """§9, SM_DEAD: P-01's answer may have been lost."""
    client, gateway = mature(pair)
    delete = sealed_by(client, ExchangeType.INFORMATIONAL, 2, (Delete(ProtocolId.IKE, ()),))
    path = gateway.path
    pair.gateway.gateway.datagram_received(path, delete)
    answered = pair.world.wire.history[-1].octets
    sent = len(pair.world.wire.history)
    pair.gateway.gateway.datagram_received(path, delete)
    assert pair.world.wire.history[sent].octets == answered
    pair.world.run(35.0, 1.0)
    sent = len(pair.world.wire.history)
    pair.gateway.gateway.datagram_received(path, delete)
    assert all(d.octets != answered for d in pair.world.wire.history[sent:])
