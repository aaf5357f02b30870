"""The table of shapes both ways: what it admits, and that it refuses whatever lacks, doubles or adds a payload."""

import pytest
from wire_examples import (
    AUTH,
    CERT,
    EVERYTHING,
    EXAMPLES,
    IDR,
    NONCE,
    NONCE_I,
    SA,
    TSI,
    Example,
    Part,
    auth,
    chain,
    eap,
    identity,
    ke,
    notify,
)

from ikegw.wire import shapes
from ikegw.wire.encrypted import Encrypted
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Message, decode_chain, decode_message
from ikegw.wire.registry import ExchangeType, PayloadType
from ikegw.wire.shapes import SHAPES, Shape, shape_of

EACH = pytest.mark.parametrize("example", [pytest.param(example, id=example.name) for example in EXAMPLES])
TYPES = {
    "SA": 33, "KE": 34, "IDi": 35, "IDr": 36, "CERT": 37, "CERTREQ": 38, "AUTH": 39, "Nonce": 40, "D": 42, "TSi": 44,
    "TSr": 45, "CP": 47, "EAP(request)": 48, "EAP(response)": 48, "EAP(end)": 48,
    "N(COOKIE)": 41, "N(REKEY_SA)": 41, "N(ANOTHER_AUTH_FOLLOWS)": 41, "N(error)": 41,
}  # fmt: skip


def message_of(example: Example, *parts: Part) -> Message:
    """Joined payload by payload: decoding a whole one would refuse doubled payloads before the table sees them."""
    header = decode_message(
        Example(example.name, example.exchange, example.is_response, (), "").octets
    ).header
    return Message(header, sum([decode_chain(PayloadType(part[0]), chain(part)) for part in parts], ()))


def is_part(part: Part, word: str) -> bool:
    kind, body = part
    if kind != TYPES[word]:
        return False
    number = int.from_bytes(body[2:4], "big")
    return {
        "N(error)": number < 16384,
        "N(COOKIE)": number == 16390,
        "N(REKEY_SA)": number == 16393,
        "N(ANOTHER_AUTH_FOLLOWS)": number == 16405,
    }.get(word, True)


def shape_or_none(message: Message) -> Shape | None:
    try:
        return shape_of(message)
    except ParseError:
        return None


@EACH
def test_every_example_has_the_shape_that_it_is_meant_to_have(example: Example) -> None:
    assert shape_of(message_of(example, *example.parts)) is getattr(shapes, example.shape)


def test_every_shape_has_an_example() -> None:
    assert {getattr(shapes, example.shape) for example in EXAMPLES} == set(SHAPES)


@EACH
def test_the_order_of_payloads_does_not_matter(example: Example) -> None:
    assert shape_of(message_of(example, *reversed(example.parts))) is getattr(shapes, example.shape)


@EACH
def test_without_a_required_payload_it_is_not_that_shape(example: Example) -> None:
    shape = getattr(shapes, example.shape)
    for word in shape.requires:
        rest = [part for part in example.parts if not is_part(part, word)]
        assert len(rest) < len(example.parts)
        assert shape_or_none(message_of(example, *rest)) is not shape


@EACH
def test_a_payload_allowed_once_twice_is_refused(example: Example) -> None:
    shape = getattr(shapes, example.shape)
    for word in (shape.requires | shape.once) - shape.many:
        for doubled in [part for part in example.parts if is_part(part, word)]:
            with pytest.raises(ParseError, match=r"more than once|not allowed"):
                shape_of(message_of(example, *example.parts, doubled))


@EACH
def test_a_payload_that_does_not_belong_is_refused(example: Example) -> None:
    shape = getattr(shapes, example.shape)
    for word, foreign in {
        "SA": next(part for part in EXAMPLES[0].parts if part[0] == SA),
        "KE": ke(31, 32),
        "IDr": identity(IDR, 2, b"gw.example"),
        "CERT": (CERT, b"\4certificate"),
        "AUTH": auth(2, 32),
        "Nonce": (NONCE, bytes(16)),
        "TSi": EVERYTHING[0],
        "EAP(response)": eap(2, 1, b"\1me"),
        "EAP(end)": eap(3, 1),
    }.items():
        if word in shape.allows:
            continue
        found = shape_or_none(message_of(example, *example.parts, foreign))
        assert found is not shape, word


@EACH
def test_what_may_stand_everywhere(example: Example) -> None:
    more = (
        notify(50000, b"private"),
        notify(16385, b"\0\0\0\1"),
        (43, b"vendor"),
        (43, b"vendor"),
        (200, b"unknown"),
        (54, b"PS"),
    )
    assert shape_of(message_of(example, *more, *example.parts)) is getattr(shapes, example.shape)


@EACH
def test_an_unknown_error_fails_a_response_and_means_nothing_in_a_request(example: Example) -> None:
    """RFC 7296 §3.10.1."""
    shape = getattr(shapes, example.shape)
    found = shape_or_none(message_of(example, *example.parts, notify(9999)))
    if not example.is_response or "N(error)" in shape.allows:
        assert found is shape
    else:
        assert found is not shape
        assert found is None or "N(error)" in found.requires


def test_the_complaint_names_the_nearest_shape_and_what_is_wrong() -> None:
    windows = next(example for example in EXAMPLES if example.name == "Windows AUTH for EAP")
    rest = [part for part in windows.parts if part[0] != TSI]
    with pytest.raises(ParseError, match="IKE_AUTH request for EAP: TSi missing"):
        shape_of(message_of(windows, *rest))
    with pytest.raises(ParseError, match="IKE_AUTH request: Nonce not allowed"):
        shape_of(message_of(windows, *windows.parts, auth(2, 32), NONCE_I))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("an early success", (identity(IDR, 2, b"gw"), auth(2, 32), eap(3, 1))),
        ("a success with the child", (eap(3, 1), auth(2, 32), *EVERYTHING)),
        ("half a child", (identity(IDR, 2, b"gw"), auth(2, 32), EVERYTHING[0])),
        ("nothing", ()),
        ("an EAP response in a response", (eap(2, 1, b"\1"),)),
        ("an EAP packet of no known code", (eap(6, 1, b"\1"),)),
    ],
)
def test_answers_to_ike_auth_that_no_shape_admits(name: str, parts: tuple[Part, ...]) -> None:
    with pytest.raises(ParseError):
        shape_of(decode_message(Example(name, 35, True, parts, "").octets))


def test_auth_and_eap_in_one_request_are_refused() -> None:
    with pytest.raises(ParseError):
        shape_of(decode_message(Example("both", 35, False, (auth(2, 32), eap(2, 1, b"\1")), "").octets))
    assert AUTH == PayloadType.AUTH


@pytest.mark.parametrize("exchange", [0, 33, 38, 43, 44, 255])
@pytest.mark.parametrize("is_response", [False, True])
def test_exchanges_that_nobody_speaks(exchange: int, is_response: bool) -> None:
    with pytest.raises(ParseError, match="exchange") as refused:
        shape_of(decode_message(Example("odd", exchange, is_response, (NONCE_I,), "").octets))
    assert refused.value.unsupported_critical is None


def test_what_is_still_sealed_has_no_shape() -> None:
    header = decode_message(EXAMPLES[-1].octets).header
    with pytest.raises(ParseError, match="SK not allowed"):
        shape_of(Message(header, (Encrypted(PayloadType.NONCE, b""),)))


def test_the_four_exchanges_have_shapes_in_both_directions() -> None:
    kinds = {(shape.exchange, shape.is_response) for shape in SHAPES}
    exchanges = (
        ExchangeType.IKE_SA_INIT,
        ExchangeType.IKE_AUTH,
        ExchangeType.CREATE_CHILD_SA,
        ExchangeType.INFORMATIONAL,
    )
    assert kinds == {(exchange, direction) for exchange in exchanges for direction in (False, True)}
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) == 32
