"""Which payloads each exchange requires, allows once, or allows many: the grammar of RFC 7296, Appendix C, as a table.

The words of the table are the RFC's; N(error) is any notify below 16384, N any other. Order is not looked at (§2.5:
payloads may come in any), V, unknown payloads and N may stand anywhere and in any number, and errors in requests
are like any other N there (§3.10.1). N(ANOTHER_AUTH_FOLLOWS) makes its message another one (RFC 4739). Not in the table, because
nothing here speaks them: the exchanges of RFC 5723, 9242 and 9370.
"""

from collections.abc import Mapping

from attrs import field, frozen

from ikegw.wire.eap import Eap
from ikegw.wire.errors import ParseError
from ikegw.wire.message import Message
from ikegw.wire.notify import Notify
from ikegw.wire.payload import Payload
from ikegw.wire.registry import EapCode, ExchangeType, NotifyType, PayloadType

_EVERYWHERE = "N V ?"


def _parts(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _with_everywhere(words: str) -> frozenset[str]:
    return _parts(words) | _parts(_EVERYWHERE)


@frozen(eq=False)
class Shape:
    """One kind of message: what it must have, what else it may have once, and what in any number.

    Of what is required there may be one, unless `many` names it too. Shapes are compared by identity.
    """

    name: str
    exchange: ExchangeType
    is_response: bool
    requires: frozenset[str] = field(converter=_parts)
    once: frozenset[str] = field(converter=_parts, default="")
    many: frozenset[str] = field(converter=_with_everywhere, default="")
    allows: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "allows", self.requires | self.once | self.many)

    def complaint(self, counts: Mapping[str, int]) -> str:
        """Why a message with so many of each part is not of this shape; empty if it is."""
        present = counts.keys()
        if missing := self.requires - present:
            return f"{', '.join(sorted(missing))} missing"
        if foreign := present - self.allows:
            return f"{', '.join(sorted(foreign))} not allowed"
        doubled = sorted([part for part, count in counts.items() if count > 1 and part not in self.many])
        return f"{', '.join(doubled)} more than once" if doubled else ""


_INIT, _AUTH = ExchangeType.IKE_SA_INIT, ExchangeType.IKE_AUTH
_CHILD, _INFO = ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL

INIT_REQUEST = Shape("IKE_SA_INIT request", _INIT, False, "SA KE Nonce", "N(COOKIE)", "N(error)")
INIT_RESPONSE = Shape("IKE_SA_INIT response", _INIT, True, "SA KE Nonce", "", "CERTREQ")
INIT_COOKIE = Shape("IKE_SA_INIT cookie", _INIT, True, "N(COOKIE)")
INIT_REFUSAL = Shape("IKE_SA_INIT refusal", _INIT, True, "N(error)", "", "N(error)")

AUTH_REQUEST = Shape(
    "IKE_AUTH request", _AUTH, False, "IDi AUTH SA TSi TSr", "IDr CP", "CERT CERTREQ N(error)"
)
AUTH_CHILDLESS_REQUEST = Shape(
    "IKE_AUTH request without a child", _AUTH, False, "IDi AUTH", "IDr CP", "CERT CERTREQ N(error)"
)
AUTH_FIRST_OF_TWO = Shape(
    "IKE_AUTH request that another proof follows",
    _AUTH,
    False,
    "IDi AUTH SA TSi TSr N(ANOTHER_AUTH_FOLLOWS)",
    "IDr CP",
    "CERT CERTREQ N(error)",
)
AUTH_CHILDLESS_FIRST_OF_TWO = Shape(
    "IKE_AUTH request without a child that another proof follows",
    _AUTH,
    False,
    "IDi AUTH N(ANOTHER_AUTH_FOLLOWS)",
    "IDr CP",
    "CERT CERTREQ N(error)",
)
AUTH_EAP_START = Shape(
    "IKE_AUTH request for EAP", _AUTH, False, "IDi SA TSi TSr", "IDr CP", "CERTREQ N(error)"
)
AUTH_EAP_CHILDLESS_START = Shape(
    "IKE_AUTH request for EAP without a child", _AUTH, False, "IDi", "IDr CP", "CERTREQ N(error)"
)
AUTH_EAP_ROUND = Shape("IKE_AUTH EAP response", _AUTH, False, "EAP(response)", "", "N(error)")
AUTH_FINAL = Shape("IKE_AUTH final request", _AUTH, False, "AUTH", "", "N(error)")
AUTH_FINAL_OF_MORE = Shape(
    "IKE_AUTH final request that another proof follows",
    _AUTH,
    False,
    "AUTH N(ANOTHER_AUTH_FOLLOWS)",
    "",
    "N(error)",
)

AUTH_COMPLETE = Shape("IKE_AUTH response", _AUTH, True, "IDr AUTH SA TSi TSr", "CP", "CERT")
AUTH_CHILD_REFUSED = Shape(
    "IKE_AUTH response without a child", _AUTH, True, "IDr AUTH N(error)", "CP", "CERT N(error)"
)
AUTH_CHILDLESS_RESPONSE = Shape("IKE_AUTH response to that", _AUTH, True, "IDr AUTH", "CP", "CERT")
AUTH_RESPONSE_OF_MORE = Shape(
    "IKE_AUTH response that another proof follows",
    _AUTH,
    True,
    "IDr AUTH N(ANOTHER_AUTH_FOLLOWS)",
    "CP",
    "CERT",
)
AUTH_EAP_FIRST = Shape("IKE_AUTH first EAP request", _AUTH, True, "IDr EAP(request)", "AUTH", "CERT")
AUTH_EAP_REQUEST = Shape("IKE_AUTH EAP request", _AUTH, True, "EAP(request)")
AUTH_EAP_END = Shape("IKE_AUTH EAP end", _AUTH, True, "EAP(end)", "", "N(error)")
AUTH_FINAL_COMPLETE = Shape("IKE_AUTH final response", _AUTH, True, "AUTH SA TSi TSr", "CP")
AUTH_FINAL_CHILD_REFUSED = Shape(
    "IKE_AUTH final response without a child", _AUTH, True, "AUTH N(error)", "CP", "N(error)"
)
AUTH_FINAL_CHILDLESS = Shape("IKE_AUTH final response to no child", _AUTH, True, "AUTH", "CP")
AUTH_REFUSAL = Shape("IKE_AUTH refusal", _AUTH, True, "N(error)", "", "N(error)")

REKEY_CHILD_REQUEST = Shape(
    "rekey child request", _CHILD, False, "N(REKEY_SA) SA Nonce TSi TSr", "KE CP", "N(error)"
)
NEW_CHILD_REQUEST = Shape("new child request", _CHILD, False, "SA Nonce TSi TSr", "KE CP", "N(error)")
REKEY_IKE_REQUEST = Shape("rekey IKE request", _CHILD, False, "SA Nonce KE", "", "N(error)")
CHILD_RESPONSE = Shape("child response", _CHILD, True, "SA Nonce TSi TSr", "KE CP N(REKEY_SA)")
REKEY_IKE_RESPONSE = Shape("rekey IKE response", _CHILD, True, "SA Nonce KE")
CHILD_REFUSAL = Shape("CREATE_CHILD_SA refusal", _CHILD, True, "N(error)", "", "N(error)")

INFORMATIONAL_REQUEST = Shape("INFORMATIONAL request", _INFO, False, "", "CP", "D N(error)")
INFORMATIONAL_RESPONSE = Shape("INFORMATIONAL response", _INFO, True, "", "CP", "D N(error)")

SHAPES: tuple[Shape, ...] = tuple([value for value in globals().values() if isinstance(value, Shape)])
"""All of them, in the order in which they are tried."""

_BY_KIND: dict[tuple[int, bool], tuple[Shape, ...]] = {
    (exchange, is_response): tuple(
        [shape for shape in SHAPES if (shape.exchange, shape.is_response) == (exchange, is_response)]
    )
    for exchange in (_INIT, _AUTH, _CHILD, _INFO)
    for is_response in (False, True)
}

_PARTS: dict[int, str] = {
    PayloadType.SA: "SA",
    PayloadType.KE: "KE",
    PayloadType.IDI: "IDi",
    PayloadType.IDR: "IDr",
    PayloadType.CERT: "CERT",
    PayloadType.CERTREQ: "CERTREQ",
    PayloadType.AUTH: "AUTH",
    PayloadType.NONCE: "Nonce",
    PayloadType.DELETE: "D",
    PayloadType.VENDOR: "V",
    PayloadType.TSI: "TSi",
    PayloadType.TSR: "TSr",
    PayloadType.CP: "CP",
    PayloadType.SK: "SK",
    PayloadType.SKF: "SKF",
    PayloadType.NONE: "?",
}
_EAP_PARTS: dict[int, str] = {
    EapCode.REQUEST: "EAP(request)",
    EapCode.RESPONSE: "EAP(response)",
    EapCode.SUCCESS: "EAP(end)",
    EapCode.FAILURE: "EAP(end)",
}
_TELLING: dict[tuple[int, int], str] = {
    (_INIT, NotifyType.COOKIE): "N(COOKIE)",
    (_AUTH, NotifyType.ANOTHER_AUTH_FOLLOWS): "N(ANOTHER_AUTH_FOLLOWS)",
    (_CHILD, NotifyType.REKEY_SA): "N(REKEY_SA)",
}
"""Notifies that make a message another kind of message, in the exchange where they do."""


def shape_of(message: Message) -> Shape:
    """The shape of a message whose payloads are in clear: of IKE_SA_INIT as decoded, else what stood inside SK.

    ParseError if no shape of its exchange and direction fits; it tells what keeps the nearest one from fitting.
    """
    header = message.header
    shapes = _BY_KIND.get((header.exchange, header.is_response))
    if shapes is None:
        raise ParseError(f"nobody here speaks exchange {header.exchange.name}", 18)
    counts: dict[str, int] = {}
    for payload in message.payloads:
        part = _part(payload, header.exchange)
        counts[part] = counts.get(part, 0) + 1
    for shape in shapes:
        if not shape.complaint(counts):
            return shape
    nearest = max(shapes, key=lambda shape: 2 * len(shape.requires & counts.keys()) - len(shape.requires))
    raise ParseError(f"{nearest.name}: {nearest.complaint(counts)}")


def _part(payload: Payload, exchange: ExchangeType) -> str:
    if isinstance(payload, Notify):
        if payload.type < 16384:
            return "N(error)"
        return _TELLING.get((exchange, payload.type), "N")
    if isinstance(payload, Eap):
        return _EAP_PARTS.get(payload.packet[0], "EAP")
    return _PARTS[payload.TYPE]
