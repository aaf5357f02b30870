"""Messages as real peers send them, put together from numbers alone, so that nothing under test helps to make them."""

from hashlib import sha256
from struct import pack

from attrs import frozen

SA, KE, IDI, IDR, CERT, CERTREQ, AUTH, NONCE, N, D, V, TSI, TSR, SK, CP, EAP, SKF = (*range(33, 49), 53)
INIT, IKE_AUTH, CREATE_CHILD, INFORMATIONAL = 34, 35, 36, 37
ENCR, PRF, INTEG, GROUP, ESN = 1, 2, 3, 4, 5
IKE, AH, ESP = 1, 2, 3

Part = tuple[int, bytes]


def noise(count: int, seed: str) -> bytes:
    """Octets that look random and are the same every time."""
    return b"".join(sha256(f"{seed} {n}".encode()).digest() for n in range(count // 32 + 1))[:count]


SPI_I, SPI_R = noise(8, "initiator"), noise(8, "responder")


def chain(*parts: Part) -> bytes:
    """Payloads one after another, each with its generic header."""
    following = [*[kind for kind, _ in parts], 0][1:]
    return b"".join(
        pack("!BBH", after, 0, 4 + len(body)) + body
        for after, (_, body) in zip(following, parts, strict=True)
    )


def datagram(
    exchange: int, flags: int, message_id: int, first: int, after_header: bytes, spi_r: bytes = SPI_R
) -> bytes:
    """A header before octets that are already in order."""
    head = pack("!8s8sBBBBII", SPI_I, spi_r, first, 0x20, exchange, flags, message_id, 28 + len(after_header))
    return head + after_header


def transform(kind: int, number: int, key_bits: int = 0) -> bytes:
    """A transform without the two octets that say whether another follows."""
    attribute = pack("!HH", 0x800E, key_bits) if key_bits else b""
    return pack("!HBBH", 8 + len(attribute), kind, 0, number) + attribute


def proposal(number: int, protocol: int, spi: bytes, *transforms: bytes) -> bytes:
    """A proposal without the two octets that say whether another follows."""
    inside = b"".join([b"\3\0" + one for one in transforms[:-1]] + [b"\0\0" + transforms[-1]])
    return (
        pack("!HBBBB", 8 + len(spi) + len(inside), number, protocol, len(spi), len(transforms)) + spi + inside
    )


def sa(*proposals: bytes) -> Part:
    """An SA payload."""
    return SA, b"".join([b"\2\0" + one for one in proposals[:-1]] + [b"\0\0" + proposals[-1]])


def ke(group: int, octets: int) -> Part:
    """A KE payload with a public value of so many octets."""
    return KE, pack("!HH", group, 0) + noise(octets, f"group {group}")


def notify(kind: int, data: bytes = b"", protocol: int = 0, spi: bytes = b"") -> Part:
    """A Notify payload."""
    return N, pack("!BBH", protocol, len(spi), kind) + spi + data


def nat_detection() -> tuple[Part, Part]:
    """Both NAT_DETECTION notifies."""
    return notify(16388, noise(20, "source")), notify(16389, noise(20, "destination"))


def cp(kind: int, *attributes: tuple[int, bytes]) -> Part:
    """A CP payload."""
    return CP, pack("!B3x", kind) + b"".join(
        pack("!HH", number, len(value)) + value for number, value in attributes
    )


def selector4(
    start: str = "00000000", end: str = "ffffffff", protocol: int = 0, ports: tuple[int, int] = (0, 65535)
) -> bytes:
    """An IPv4 selector; addresses in hexadecimal."""
    return pack("!BBHHH", 7, protocol, 16, *ports) + bytes.fromhex(start + end)


def selector6(start: str = "00" * 16, end: str = "ff" * 16) -> bytes:
    """An IPv6 selector."""
    return pack("!BBHHH", 8, 0, 40, 0, 65535) + bytes.fromhex(start + end)


def ts(kind: int, *selectors: bytes) -> Part:
    """A TSi or TSr payload."""
    return kind, pack("!B3x", len(selectors)) + b"".join(selectors)


def identity(payload: int, kind: int, data: bytes) -> Part:
    """An IDi or IDr payload."""
    return payload, pack("!B3x", kind) + data


def auth(method: int, octets: int) -> Part:
    """An AUTH payload."""
    return AUTH, pack("!B3x", method) + noise(octets, "signature")


def eap(code: int, identifier: int, inside: bytes = b"") -> Part:
    """An EAP payload; `inside` begins with the type."""
    return EAP, pack("!BBH", code, identifier, 4 + len(inside)) + inside


NONCE_I, NONCE_R = (NONCE, noise(32, "Ni")), (NONCE, noise(32, "Nr"))
EVERYTHING = (ts(TSI, selector4(), selector6()), ts(TSR, selector4(), selector6()))
FRAGMENTS, HASHES, MOBIKE = notify(16430), notify(16431, bytes.fromhex("0002000300040005")), notify(16396)


def windows_ike_proposals() -> tuple[bytes, ...]:
    """3DES and AES-CBC with three sizes, each with SHA1, SHA256, SHA384, all with MODP-1024."""
    return tuple(
        proposal(
            4 * row + column + 1,
            IKE,
            b"",
            transform(ENCR, *cipher),
            transform(INTEG, integ),
            transform(PRF, prf),
            transform(GROUP, 2),
        )
        for row, cipher in enumerate([(3,), (12, 256), (12, 128), (12, 192)])
        for column, (integ, prf) in enumerate([(2, 2), (12, 5), (13, 6)])
    )


def android_ike_proposals() -> tuple[bytes, bytes]:
    """One proposal of CTR and CBC with integrity, one of combined modes."""
    sizes = (256, 192, 128)
    groups = [transform(GROUP, group) for group in (16, 31, 15, 14)]
    classic = [transform(ENCR, cipher, size) for cipher in (13, 12) for size in sizes]
    integrity = [transform(INTEG, number) for number in (14, 13, 12, 5, 8)]
    combined = [transform(ENCR, 28)] + [
        transform(ENCR, cipher, size) for cipher in (20, 19, 18) for size in sizes
    ]
    prfs = [transform(PRF, number) for number in (7, 6, 5, 4, 8)]
    return (
        proposal(1, IKE, b"", *classic, *integrity, *prfs, *groups),
        proposal(2, IKE, b"", *combined, *prfs, *groups),
    )


GCM_X25519 = proposal(1, IKE, b"", transform(ENCR, 20, 256), transform(PRF, 5), transform(GROUP, 31))
CBC_ECP256 = proposal(
    1,
    IKE,
    b"",
    transform(ENCR, 12, 128),
    transform(INTEG, 12),
    transform(PRF, 5),
    transform(GROUP, 19),
    transform(GROUP, 31),
)
ESP_SPI = noise(4, "esp")
ESP_GCM = proposal(
    1, ESP, ESP_SPI, transform(ENCR, 20, 128), transform(ENCR, 20, 256), transform(ESN, 1), transform(ESN, 0)
)
ESP_CBC = proposal(2, ESP, ESP_SPI, transform(ENCR, 12, 256), transform(INTEG, 2), transform(ESN, 0))
APPLE_CHOSEN = [transform(ENCR, 12, 256), transform(INTEG, 12), transform(PRF, 5), transform(GROUP, 14)]
NEW_IKE_SPI = noise(8, "rekeyed")
MICROSOFT = [
    bytes.fromhex(octets)
    for octets in (
        "1e2b516905991c7d7c96fcbfb587e46100000009",
        "fb1de3cdf341b7ea16b7e5be0855f120",
        "26244d38eddb61b3172a36e3d0cfb819",
        "01528bbbc00696121849ab9a1c5b2a5100000002",
    )
]
ADDRESS = bytes((10, 3, 0, 7))
ASK_WINDOWS = cp(1, *[(number, b"") for number in (1, 3, 4, 23456, 8, 10, 23457)])
ASK_APPLE = cp(1, *[(number, b"") for number in (1, 2, 6, 3, 8, 12, 10, 25)])
ASK_ANDROID = cp(1, *[(number, b"") for number in (1, 8, 3, 10, 2)], (7, b"Android"))
REPLY = cp(
    2, (1, ADDRESS), (3, bytes((10, 3, 0, 1))), (8, noise(16, "lease") + b"\x80"), (10, noise(16, "dns"))
)


@frozen
class Example:
    """One message: its payloads in clear, and the shape that it is of."""

    name: str
    exchange: int
    is_response: bool
    parts: tuple[Part, ...]
    shape: str

    @property
    def octets(self) -> bytes:
        """The payloads as a datagram with nothing sealed."""
        first = self.parts[0][0] if self.parts else 0
        return datagram(self.exchange, 0x20 if self.is_response else 0x08, 1, first, chain(*self.parts))


def _request(name: str, shape: str, exchange: int, *parts: Part) -> Example:
    return Example(name, exchange, False, parts, shape)


def _response(name: str, shape: str, exchange: int, *parts: Part) -> Example:
    return Example(name, exchange, True, parts, shape)


EXAMPLES: tuple[Example, ...] = (
    # strongSwan: {SA, KE, Ni, N(NATD), N(NATD), N(FRAG_SUP), N(HASH_ALG), N(REDIR_SUP)} -->
    _request("strongSwan INIT", "INIT_REQUEST", INIT,
             sa(CBC_ECP256, GCM_X25519), ke(19, 64), NONCE_I, *nat_detection(), FRAGMENTS, HASHES, notify(16406)),
    _request("strongSwan INIT with a cookie", "INIT_REQUEST", INIT,
             notify(16390, noise(28, "cookie")), sa(GCM_X25519), ke(31, 32), NONCE_I, *nat_detection()),
    _request("Windows INIT", "INIT_REQUEST", INIT,
             sa(*windows_ike_proposals()), ke(2, 128), (NONCE, noise(48, "Ni")), FRAGMENTS, *nat_detection(),
             *[(V, octets) for octets in MICROSOFT]),
    _request("Apple INIT", "INIT_REQUEST", INIT,
             sa(CBC_ECP256), ke(14, 256), (NONCE, noise(16, "Ni")), notify(16406), *nat_detection(), FRAGMENTS),
    _request("Android INIT", "INIT_REQUEST", INIT,
             sa(*android_ike_proposals()), ke(16, 512), NONCE_I, *nat_detection(), FRAGMENTS, HASHES),
    _response("INIT", "INIT_RESPONSE", INIT, sa(GCM_X25519), ke(31, 32), NONCE_R, *nat_detection(), FRAGMENTS, HASHES),
    _response("INIT with CERTREQ", "INIT_RESPONSE", INIT,
              sa(GCM_X25519), ke(31, 32), NONCE_R, *nat_detection(), (CERTREQ, b"\4" + noise(40, "ca")), notify(16404)),
    _response("cookie wanted", "INIT_COOKIE", INIT, notify(16390, noise(28, "cookie"))),
    _response("another group wanted", "INIT_REFUSAL", INIT, notify(17, b"\0\x1f")),
    _response("no proposal chosen", "INIT_REFUSAL", INIT, notify(14)),
    # strongSwan: SK {IDi, N(INIT_CONTACT), IDr, AUTH, CP, SA, TSi, TSr, N(MOBIKE_SUP), N(EAP_ONLY), N(MULT_AUTH)} -->
    _request("strongSwan AUTH by a shared key", "AUTH_REQUEST", IKE_AUTH,
             identity(IDI, 2, b"client.example"), notify(16384), identity(IDR, 2, b"gw.example"), auth(2, 32),
             cp(1, (1, b""), (3, b"")), sa(ESP_GCM, ESP_CBC), *EVERYTHING, MOBIKE, notify(16417), notify(16404)),
    _request("strongSwan AUTH by a certificate", "AUTH_REQUEST", IKE_AUTH,
             identity(IDI, 9, bytes.fromhex("300d310b300906035504030c0261")), (CERT, b"\4" + noise(300, "leaf")),
             (CERT, b"\4" + noise(300, "intermediate")), (CERTREQ, b"\4" + noise(40, "ca")), auth(14, 80),
             sa(ESP_GCM), *EVERYTHING, notify(16398, noise(16, "other address"))),
    _request("AUTH without a child (RFC 6023)", "AUTH_CHILDLESS_REQUEST", IKE_AUTH,
             identity(IDI, 2, b"site.example"), identity(IDR, 2, b"gw.example"), auth(2, 32)),
    _response("AUTH without a child (RFC 6023)", "AUTH_CHILDLESS_RESPONSE", IKE_AUTH,
              identity(IDR, 2, b"gw.example"), auth(2, 32)),
    # Windows: SK {IDi, CERTREQ, N(MOBIKE_SUP), CP(ADDR DNS NBNS SRV ADDR6 DNS6 SRV6), SA, TSi, TSr} -->
    _request("strongSwan AUTH of two", "AUTH_FIRST_OF_TWO", IKE_AUTH,
             identity(IDI, 2, b"laptop.example"), (CERT, b"\4" + noise(700, "certificate")), auth(1, 256), sa(ESP_GCM),
             *EVERYTHING, notify(16404), notify(16405)),
    _request("AUTH of two without a child", "AUTH_CHILDLESS_FIRST_OF_TWO", IKE_AUTH,
             identity(IDI, 2, b"laptop.example"), auth(2, 32), notify(16404), notify(16405)),
    _response("AUTH of two", "AUTH_RESPONSE_OF_MORE", IKE_AUTH, identity(IDR, 2, b"gw.example"), auth(2, 32), notify(16405)),
    _request("AUTH after EAP, and more", "AUTH_FINAL_OF_MORE", IKE_AUTH, auth(2, 32), notify(16405)),
    _request("Windows AUTH for EAP", "AUTH_EAP_START", IKE_AUTH,
             identity(IDI, 1, bytes((192, 168, 1, 20))), (CERTREQ, b"\4" + noise(50 * 20, "authorities")), MOBIKE,
             ASK_WINDOWS, sa(ESP_CBC), *EVERYTHING),
    _request("Windows AUTH by a machine certificate", "AUTH_REQUEST", IKE_AUTH,
             identity(IDI, 9, b"0\0"), (CERT, b"\4" + noise(100, "machine")),
             (CERTREQ, b"\4" + noise(3 * 20, "authorities")), auth(1, 256), MOBIKE, ASK_WINDOWS, sa(ESP_CBC), *EVERYTHING),
    _request("Apple AUTH for EAP", "AUTH_EAP_START", IKE_AUTH,
             identity(IDI, 2, b""), notify(16384), identity(IDR, 2, b"vpn.example"), ASK_APPLE, notify(16394),
             notify(16395), sa(ESP_GCM), *EVERYTHING, MOBIKE, notify(16417)),
    _request("Android AUTH for EAP", "AUTH_EAP_START", IKE_AUTH,
             identity(IDI, 3, b"user@example.org"), identity(IDR, 2, b"vpn.example"), ASK_ANDROID, sa(ESP_GCM), *EVERYTHING),
    _response("AUTH", "AUTH_COMPLETE", IKE_AUTH,
              identity(IDR, 2, b"gw.example"), (CERT, b"\4" + noise(300, "gateway")), auth(14, 80), REPLY, sa(ESP_GCM),
              *EVERYTHING, notify(16403, b"\0\0\x0e\x10"), MOBIKE, notify(16399)),
    _response("AUTH, selectors unacceptable", "AUTH_CHILD_REFUSED", IKE_AUTH,
              identity(IDR, 2, b"gw.example"), auth(2, 32), REPLY, notify(38)),
    _response("AUTH refused", "AUTH_REFUSAL", IKE_AUTH, notify(24)),
    _response("AUTH and an EAP request", "AUTH_EAP_FIRST", IKE_AUTH,
              identity(IDR, 2, b"gw.example"), (CERT, b"\4" + noise(300, "gateway")), auth(1, 256), eap(1, 7, b"\1")),
    _response("EAP only", "AUTH_EAP_FIRST", IKE_AUTH, identity(IDR, 2, b"gw.example"), eap(1, 7, b"\1")),
    _request("EAP identity", "AUTH_EAP_ROUND", IKE_AUTH, eap(2, 7, b"\1EXAMPLE\\user")),
    _response("EAP-MSCHAPv2 challenge", "AUTH_EAP_REQUEST", IKE_AUTH,
              eap(1, 8, b"\x1a\1\x08\0\x17\x10" + noise(16, "ch") + b"gw")),
    _response("EAP success", "AUTH_EAP_END", IKE_AUTH, eap(3, 9)),
    _response("EAP failure", "AUTH_EAP_END", IKE_AUTH, eap(4, 9)),
    _request("AUTH for EAP without a child", "AUTH_EAP_CHILDLESS_START", IKE_AUTH,
             identity(IDI, 3, b"user@example.org"), identity(IDR, 2, b"vpn.example"), MOBIKE),
    _response("AUTH after EAP without a child", "AUTH_FINAL_CHILDLESS", IKE_AUTH, auth(2, 32), MOBIKE),
    _request("AUTH after EAP", "AUTH_FINAL", IKE_AUTH, auth(2, 32)),
    _response("AUTH after EAP", "AUTH_FINAL_COMPLETE", IKE_AUTH, auth(2, 32), REPLY, sa(ESP_GCM), *EVERYTHING),
    _response("AUTH after EAP, no child", "AUTH_FINAL_CHILD_REFUSED", IKE_AUTH, auth(2, 32), notify(36), notify(37)),
    _request("new child", "NEW_CHILD_REQUEST", CREATE_CHILD, sa(ESP_GCM), NONCE_I, ke(31, 32), *EVERYTHING),
    _request("new child without KE", "NEW_CHILD_REQUEST", CREATE_CHILD, sa(ESP_CBC), NONCE_I, *EVERYTHING),
    _request("rekey child", "REKEY_CHILD_REQUEST", CREATE_CHILD,
             notify(16393, b"", ESP, ESP_SPI), notify(16394), sa(ESP_GCM), NONCE_I, *EVERYTHING),
    # Apple rekeys with the proposal once chosen, which keeps its number
    _request("Apple rekey IKE", "REKEY_IKE_REQUEST", CREATE_CHILD,
             sa(proposal(3, IKE, NEW_IKE_SPI, *APPLE_CHOSEN)), NONCE_I, ke(14, 256)),
    _response("child", "CHILD_RESPONSE", CREATE_CHILD, sa(ESP_GCM), NONCE_R, ke(31, 32), *EVERYTHING),
    _response("rekeyed IKE", "REKEY_IKE_RESPONSE", CREATE_CHILD,
              sa(proposal(1, IKE, NEW_IKE_SPI, transform(ENCR, 20, 256), transform(PRF, 5), transform(GROUP, 31))),
              NONCE_R, ke(31, 32)),
    _response("not now", "CHILD_REFUSAL", CREATE_CHILD, notify(43)),
    _response("Windows behind NAT", "CHILD_REFUSAL", CREATE_CHILD, notify(12345, noise(4, "situation"))),
    _request("liveness", "INFORMATIONAL_REQUEST", INFORMATIONAL),
    _request("delete children", "INFORMATIONAL_REQUEST", INFORMATIONAL, (D, pack("!BBH", ESP, 4, 2) + ESP_SPI + b"\0\0\1\1")),
    _request("delete IKE", "INFORMATIONAL_REQUEST", INFORMATIONAL, (D, pack("!BBH", IKE, 0, 0))),
    _request("MOBIKE", "INFORMATIONAL_REQUEST", INFORMATIONAL,
             notify(16400), *nat_detection(), notify(16401, noise(16, "cookie2")), notify(16397, ADDRESS)),
    _request("authentication failed", "INFORMATIONAL_REQUEST", INFORMATIONAL, notify(24)),
    _response("alive", "INFORMATIONAL_RESPONSE", INFORMATIONAL),
    _response("deleted", "INFORMATIONAL_RESPONSE", INFORMATIONAL, (D, pack("!BBH", ESP, 4, 1) + ESP_SPI), cp(2, (1, ADDRESS))),
)  # fmt: skip

SEALED = datagram(IKE_AUTH, 0x08, 1, SK, pack("!BBH", IDI, 0, 4 + 72) + noise(72, "sealed"))
FRAGMENT = datagram(IKE_AUTH, 0x08, 1, SKF, pack("!BBHHH", IDI, 0, 8 + 72, 1, 3) + noise(72, "sealed"))
