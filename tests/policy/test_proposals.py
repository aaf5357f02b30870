"""Choosing and accepting: tables of cases, what real clients send, and properties over arbitrary offers."""

from collections.abc import Iterable

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from ikegw.crypto.suites import EspSuite, IkeSuite
from ikegw.crypto.transforms import ENCRYPTIONS, ESN, GROUPS, INTEGRITIES, NO_ESN, NO_GROUP, PRFS
from ikegw.policy.proposals import (
    DEFAULT_ESP,
    DEFAULT_IKE,
    Chosen,
    Offer,
    accepted_esp,
    accepted_ike,
    choose_esp,
    choose_ike,
    explain,
    groups_of,
    offers_suite,
    parse_offer,
    to_wire,
)
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import KeGroup, ProtocolId, TransformType

ESP_SPI = bytes.fromhex("0a0b0c0d")
IKE_SPI = bytes.fromhex("0102030405060708")

ENCR, PRF, INTEG, KE, ESN_TYPE = (
    TransformType.ENCR,
    TransformType.PRF,
    TransformType.INTEG,
    TransformType.KE,
    TransformType.ESN,
)
GCM256, CBC256, CBC128 = Transform(ENCR, 20, 256), Transform(ENCR, 12, 256), Transform(ENCR, 12, 128)
TRIPLE_DES = Transform(ENCR, 3)
PRFSHA256, SHA256, NO_INTEG = Transform(PRF, 5), Transform(INTEG, 12), Transform(INTEG, 0)
X25519, MODP2048, MODP1024, NO_KE = Transform(KE, 31), Transform(KE, 14), Transform(KE, 2), Transform(KE, 0)
NOESN, WITH_ESN = Transform(ESN_TYPE, 0), Transform(ESN_TYPE, 1)


def ike_offers(*texts: str) -> tuple[Offer, ...]:
    return tuple(offer for text in texts for offer in parse_offer("ike", text))


def esp_offers(*texts: str) -> tuple[Offer, ...]:
    return tuple(offer for text in texts for offer in parse_offer("esp", text))


def ike_sa(*proposals: Iterable[Transform], spi: bytes = b"", first: int = 1) -> SecurityAssociation:
    return SecurityAssociation(
        tuple(Proposal(n, ProtocolId.IKE, spi, tuple(each)) for n, each in enumerate(proposals, first))
    )


def esp_sa(*proposals: Iterable[Transform], spi: bytes = ESP_SPI, first: int = 1) -> SecurityAssociation:
    return SecurityAssociation(
        tuple(Proposal(n, ProtocolId.ESP, spi, tuple(each)) for n, each in enumerate(proposals, first))
    )


def answered(chosen: Chosen[IkeSuite] | Chosen[EspSuite] | None) -> set[Transform]:
    assert chosen is not None
    (proposal,) = chosen.answer.proposals
    assert len(set(proposal.transforms)) == len(proposal.transforms)
    return set(proposal.transforms)


def suite(chosen: Chosen[IkeSuite] | Chosen[EspSuite] | None) -> str | None:
    return None if chosen is None else str(chosen.suite)


GCM, CBC = ike_offers("aes256gcm16-prfsha256-x25519"), ike_offers("aes256-sha256-x25519")


# ---------------------------------------------------------------- as responder: IKE


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (GCM, ike_sa([GCM256, PRFSHA256, X25519]), "aes256gcm16-prfsha256-x25519"),
        (GCM, ike_sa([GCM256, PRFSHA256, X25519, NO_INTEG]), "aes256gcm16-prfsha256-x25519"),
        (GCM, ike_sa([GCM256, PRFSHA256, X25519, SHA256, NO_INTEG]), "aes256gcm16-prfsha256-x25519"),
        (GCM, ike_sa([GCM256, PRFSHA256, X25519, SHA256]), None),
        (CBC, ike_sa([CBC256, PRFSHA256, X25519, SHA256]), "aes256-sha256-x25519"),
        (CBC, ike_sa([CBC256, PRFSHA256, X25519]), None),
        (CBC, ike_sa([CBC256, PRFSHA256, X25519, NO_INTEG]), None),
        (CBC, ike_sa([CBC256, PRFSHA256, SHA256]), None),
        (CBC, ike_sa([CBC256, SHA256, X25519]), None),
        (CBC, ike_sa([PRFSHA256, SHA256, X25519]), None),
        (CBC, ike_sa([CBC128, PRFSHA256, X25519, SHA256]), None),
        (CBC, ike_sa([Transform(ENCR, 12), PRFSHA256, X25519, SHA256]), None),
        (CBC, ike_sa([CBC256, PRFSHA256, NO_KE, SHA256]), None),
        (CBC, ike_sa([CBC256, PRFSHA256, X25519, NO_KE, SHA256]), "aes256-sha256-x25519"),
        (CBC, ike_sa([]), None),
        (CBC, ike_sa(), None),
        (GCM + CBC, ike_sa([CBC256, GCM256, SHA256, PRFSHA256, X25519]), "aes256-sha256-x25519"),
        (
            CBC + GCM,
            ike_sa([GCM256, PRFSHA256, X25519], [CBC256, SHA256, PRFSHA256, X25519]),
            "aes256-sha256-x25519",
        ),
        ((), ike_sa([GCM256, PRFSHA256, X25519]), None),
    ],
)
def test_choose_ike(ours: tuple[Offer, ...], theirs: SecurityAssociation, chosen: str | None) -> None:
    assert suite(choose_ike(ours, theirs)) == chosen


def test_our_order_decides() -> None:
    theirs = to_wire(ike_offers("aes128-aes256-sha1-sha256-modp2048-x25519"))
    assert suite(choose_ike(ike_offers("aes256-aes128-sha256-sha1-x25519-modp2048"), theirs)) == (
        "aes256-sha256-x25519"
    )
    assert suite(choose_ike(ike_offers("aes128-aes256-sha1-sha256-modp2048-x25519"), theirs)) == (
        "aes128-sha1-modp2048"
    )


def test_our_order_decides_between_the_peer_s_proposals_too() -> None:
    ours = ike_offers("aes256-aes128-sha256-sha1-prfsha256-prfsha1-x25519-modp2048")
    sha1, prfsha1 = Transform(INTEG, 2), Transform(PRF, 2)
    worse = [
        [CBC128, SHA256, PRFSHA256, X25519],
        [CBC256, sha1, PRFSHA256, X25519],
        [CBC256, SHA256, prfsha1, X25519],
    ]
    best = [CBC256, SHA256, PRFSHA256, MODP2048]
    chosen = choose_ike(ours, ike_sa(*worse, best))
    assert chosen is not None
    assert chosen.answer.proposals[0].number == 4


def test_between_the_peer_s_proposals_the_group_does_not_count() -> None:
    ours = ike_offers("aes256-sha256-x25519-modp2048")
    rest = [CBC256, SHA256, PRFSHA256]
    assert suite(choose_ike(ours, ike_sa([*rest, MODP2048], [*rest, X25519]))) == "aes256-sha256-modp2048"
    assert suite(choose_ike(ours, ike_sa([*rest, MODP2048, X25519]))) == "aes256-sha256-x25519"


def test_offers_suite() -> None:
    def chosen(text: str) -> IkeSuite:
        found = choose_ike(ike_offers(text), to_wire(ike_offers(text)))
        assert found is not None
        return found.suite

    offers = ike_offers("aes256gcm16-prfsha256-x25519", "aes256-aes128-sha256-x25519")
    assert offers_suite(offers, chosen("aes256gcm16-prfsha256-x25519"))
    assert offers_suite(offers, chosen("aes128-sha256-x25519"))
    for other in (
        "aes128gcm16-prfsha256-x25519",
        "aes256gcm16-prfsha384-x25519",
        "aes256gcm16-prfsha256-ecp256",
        "aes256-sha256-ecp256",
        "aes256-sha1-prfsha256-x25519",
        "aes192-sha256-x25519",
    ):
        assert not offers_suite(offers, chosen(other))


def test_the_answer_is_the_proposal_with_its_number_and_one_transform_of_each_type() -> None:
    theirs = ike_sa(
        [TRIPLE_DES, PRFSHA256, SHA256, MODP1024], [CBC256, CBC128, PRFSHA256, SHA256, X25519, MODP2048]
    )
    chosen = choose_ike(CBC, theirs)
    assert chosen is not None
    assert chosen.answer == ike_sa([CBC256, PRFSHA256, SHA256, X25519], first=2)
    assert chosen.spi == b""


def test_integrity_none_is_answered_if_it_was_offered() -> None:
    assert answered(choose_ike(GCM, ike_sa([GCM256, PRFSHA256, X25519, NO_INTEG]))) == {
        GCM256,
        PRFSHA256,
        X25519,
        NO_INTEG,
    }
    assert NO_INTEG not in answered(choose_ike(GCM, ike_sa([GCM256, PRFSHA256, X25519])))


UNKNOWN = {
    "cipher": Transform(ENCR, 1025),
    "private cipher with our key length": Transform(ENCR, 1025, 256),
    "PRF": Transform(PRF, 65000),
    "integrity": Transform(INTEG, 1024),
    "group": Transform(KE, 1025),
    "key length of our cipher": Transform(ENCR, 12, 512),
    "attribute of our cipher": Transform(ENCR, 12, 256, ((0x8000 | 99, b"\0\1"),)),
    "attribute of our group": Transform(KE, 31, None, ((99, b"long"),)),
    "key length of our PRF": Transform(PRF, 5, 256),
    "key length of our group": Transform(KE, 31, 256),
}


@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unknown_transform_or_attribute_spoils_only_its_alternative(unknown: Transform) -> None:
    good = [CBC256, PRFSHA256, SHA256, X25519]
    assert suite(choose_ike(CBC, ike_sa([unknown, *good]))) == "aes256-sha256-x25519"
    assert suite(choose_ike(CBC, ike_sa([*good, unknown]))) == "aes256-sha256-x25519"
    alone = [unknown if transform.type == unknown.type else transform for transform in good]
    assert choose_ike(CBC, ike_sa(alone)) is None


@pytest.mark.parametrize("kind", [0, 6, 12, 13, 241, 255])
def test_an_unknown_transform_type_spoils_its_proposal(kind: int) -> None:
    good = [CBC256, PRFSHA256, SHA256, X25519]
    spoiled = [*good, Transform(TransformType(kind), 0)]
    assert choose_ike(CBC, ike_sa(spoiled)) is None
    assert choose_ike(CBC, ike_sa(spoiled, good)) == choose_ike(CBC, ike_sa(good, first=2))


def test_types_of_the_other_protocol_spoil_a_proposal() -> None:
    assert choose_ike(CBC, ike_sa([CBC256, PRFSHA256, SHA256, X25519, NOESN])) is None
    esp = esp_offers("aes256-sha256")
    assert choose_esp(esp, esp_sa([CBC256, SHA256, NOESN, PRFSHA256]), with_group=False) is None


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 200])
def test_other_protocols_are_passed_over(protocol: int) -> None:
    (proposal,) = ike_sa([GCM256, PRFSHA256, X25519]).proposals
    foreign = evolve(proposal, protocol=ProtocolId(protocol))
    assert choose_ike(GCM, SecurityAssociation((foreign,))) is None
    assert choose_ike(GCM, SecurityAssociation((foreign, proposal))) is not None


@pytest.mark.parametrize(
    ("spi", "octets", "fine"),
    [
        (b"", 0, True),
        (IKE_SPI, 0, False),
        (IKE_SPI, 8, True),
        (b"", 8, False),
        (bytes(8), 8, False),
        (IKE_SPI[:4], 8, False),
        (IKE_SPI + b"\0", 8, False),
    ],
)
def test_the_spi_of_an_ike_proposal(spi: bytes, octets: int, fine: bool) -> None:
    chosen = choose_ike(GCM, ike_sa([GCM256, PRFSHA256, X25519], spi=spi), octets)
    assert (chosen is not None) == fine
    if chosen is not None:
        assert chosen.spi == spi
        assert chosen.answer.proposals[0].spi == b""


@pytest.mark.parametrize(
    ("spi", "fine"),
    [
        (ESP_SPI, True),
        (b"\0\0\1\0", True),
        (b"\0\0\0\xff", False),
        (bytes(4), False),
        (b"", False),
        (ESP_SPI[:3], False),
        (IKE_SPI, False),
    ],
)
def test_the_spi_of_an_esp_proposal(spi: bytes, fine: bool) -> None:
    offers = esp_offers("aes256gcm16")
    chosen = choose_esp(offers, esp_sa([GCM256, NOESN], spi=spi), with_group=False)
    assert (chosen is not None) == fine
    if chosen is not None:
        assert chosen.spi == spi
        ours = chosen.answer_with(b"\1\2\3\4")
        assert ours == esp_sa([GCM256, NOESN], spi=b"\1\2\3\4")


# ---------------------------------------------------------------- as responder: ESP


@pytest.mark.parametrize(
    ("ours", "theirs", "with_group", "chosen", "answer"),
    [
        ("aes256gcm16", [GCM256, NOESN], False, "aes256gcm16", {GCM256, NOESN}),
        ("aes256gcm16", [GCM256, NO_INTEG, NOESN], False, "aes256gcm16", {GCM256, NO_INTEG, NOESN}),
        ("aes256gcm16", [GCM256], False, "aes256gcm16", {GCM256}),  # no ESN transform means none
        ("aes256gcm16-esn", [GCM256], False, None, None),
        ("aes256gcm16-esn", [GCM256, NOESN], False, None, None),
        ("aes256gcm16-esn-noesn", [GCM256, NOESN, WITH_ESN], False, "aes256gcm16-esn", {GCM256, WITH_ESN}),
        ("aes256gcm16-noesn-esn", [GCM256, WITH_ESN], False, "aes256gcm16-esn", {GCM256, WITH_ESN}),
        ("aes256gcm16", [GCM256, Transform(ESN_TYPE, 2)], False, None, None),
        # IKE_AUTH: groups do not matter, NONE is answered if it was offered
        ("aes256gcm16-x25519", [GCM256, NOESN], False, "aes256gcm16", {GCM256, NOESN}),
        ("aes256gcm16-x25519", [GCM256, NOESN, NO_KE], False, "aes256gcm16", {GCM256, NOESN, NO_KE}),
        ("aes256gcm16-x25519", [GCM256, NOESN, MODP1024], False, "aes256gcm16", {GCM256, NOESN}),
        # CREATE_CHILD_SA
        ("aes256gcm16-x25519", [GCM256, NOESN, X25519], True, "aes256gcm16-x25519", {GCM256, NOESN, X25519}),
        (
            "aes256gcm16-x25519",
            [GCM256, NOESN, NO_KE, X25519],
            True,
            "aes256gcm16-x25519",
            {GCM256, NOESN, X25519},
        ),
        ("aes256gcm16-x25519", [GCM256, NOESN], True, None, None),
        ("aes256gcm16-x25519", [GCM256, NOESN, NO_KE], True, None, None),
        ("aes256gcm16-x25519-none", [GCM256, NOESN], True, "aes256gcm16", {GCM256, NOESN}),
        ("aes256gcm16-x25519-none", [GCM256, NOESN, NO_KE], True, "aes256gcm16", {GCM256, NOESN, NO_KE}),
        ("aes256gcm16-x25519-none", [GCM256, NOESN, MODP1024], True, None, None),
        (
            "aes256gcm16-x25519-none",
            [GCM256, NOESN, MODP1024, NO_KE],
            True,
            "aes256gcm16",
            {GCM256, NOESN, NO_KE},
        ),
        (
            "aes256gcm16-none-x25519",
            [GCM256, NOESN, X25519, NO_KE],
            True,
            "aes256gcm16",
            {GCM256, NOESN, NO_KE},
        ),
        (
            "aes256gcm16-none-x25519",
            [GCM256, NOESN, X25519],
            True,
            "aes256gcm16-x25519",
            {GCM256, NOESN, X25519},
        ),
        ("aes256gcm16", [GCM256, NOESN, X25519], True, None, None),
        ("aes256gcm16", [GCM256, NOESN, X25519, NO_KE], True, "aes256gcm16", {GCM256, NOESN, NO_KE}),
        # integrity
        ("aes256-sha256", [CBC256, SHA256, NOESN], True, "aes256-sha256", {CBC256, SHA256, NOESN}),
        ("aes256-sha256", [CBC256, NOESN], True, None, None),
        ("aes256-sha256", [CBC256, NO_INTEG, NOESN], True, None, None),
    ],
)
def test_choose_esp(
    ours: str, theirs: list[Transform], with_group: bool, chosen: str | None, answer: set[Transform] | None
) -> None:
    found = choose_esp(esp_offers(ours), esp_sa(theirs), with_group)
    assert suite(found) == chosen
    if answer is not None:
        assert answered(found) == answer


# ---------------------------------------------------------------- what real clients send


def windows(*groups: int) -> SecurityAssociation:
    """3DES and AES-CBC with SHA-1, SHA-256, SHA-384, a proposal for each of 12 combinations and each group."""
    ciphers = (TRIPLE_DES, CBC128, Transform(ENCR, 12, 192), CBC256)
    return ike_sa(
        *(
            [cipher, Transform(INTEG, integ), Transform(PRF, prf), Transform(KE, group)]
            for group in groups
            for cipher in ciphers
            for integ, prf in ((2, 2), (12, 5), (13, 6))
        )
    )


def test_windows_with_its_default_offers_nothing_sound() -> None:
    theirs = windows(2)
    assert choose_ike(DEFAULT_IKE, theirs) is None
    told = explain(DEFAULT_IKE, theirs)
    assert "12 aes256-sha384-prfsha384-MODP_1024" in told
    assert "TRIPLE_DES-sha1-prfsha1-MODP_1024" in told


def test_windows_with_negotiate_dh2048_aes256() -> None:
    assert suite(choose_ike(DEFAULT_IKE, windows(2, 14))) == "aes256-sha256-modp2048"


def test_windows_esp() -> None:
    sha1 = Transform(INTEG, 2)
    theirs = esp_sa(
        [CBC256, sha1, NOESN],
        [CBC128, sha1, NOESN],
        [TRIPLE_DES, sha1, NOESN],
        [Transform(ENCR, 2), sha1, NOESN],
        [Transform(ENCR, 11), sha1, NOESN],
    )
    assert suite(choose_esp(DEFAULT_ESP, theirs, with_group=False)) == "aes256-sha1"
    assert suite(choose_esp(DEFAULT_ESP, theirs, with_group=True)) == "aes256-sha1"


def test_apple() -> None:
    ike = ike_sa(
        [CBC256, PRFSHA256, SHA256, MODP2048],
        [CBC256, PRFSHA256, SHA256, Transform(KE, 19)],
        [CBC256, PRFSHA256, SHA256, Transform(KE, 5)],
        [CBC128, Transform(PRF, 2), Transform(INTEG, 2), MODP1024],
        [TRIPLE_DES, Transform(PRF, 2), Transform(INTEG, 2), MODP1024],
    )
    assert suite(choose_ike(DEFAULT_IKE, ike)) == "aes256-sha256-modp2048"


def test_apple_rekeys_with_a_single_proposal_numbered_3() -> None:
    theirs = ike_sa([CBC256, PRFSHA256, SHA256, MODP2048], spi=IKE_SPI, first=3)
    chosen = choose_ike(DEFAULT_IKE, theirs, spi_octets=8)
    assert chosen is not None
    assert chosen.answer_with(b"ourspiii").proposals[0].number == 3
    child = choose_esp(DEFAULT_ESP, esp_sa([CBC256, SHA256, NOESN], first=3), with_group=True)
    assert child is not None
    assert child.answer.proposals[0].number == 3


def test_apple_s_opportunistic_pfs() -> None:
    theirs = esp_sa([CBC256, SHA256, NOESN, MODP2048], [CBC256, SHA256, NOESN])
    assert suite(choose_esp(DEFAULT_ESP, theirs, with_group=True)) == "aes256-sha256-modp2048"
    assert suite(choose_esp(esp_offers("aes256-sha256"), theirs, with_group=True)) == "aes256-sha256"


def test_android() -> None:
    aes = [Transform(ENCR, number, bits) for number in (13, 12) for bits in (256, 192, 128)]
    aeads = [Transform(ENCR, number, bits) for number in (20, 19, 18) for bits in (256, 192, 128)]
    prfs = [Transform(PRF, number) for number in (7, 6, 5, 4, 8)]
    groups = [Transform(KE, number) for number in (16, 31, 15, 14)]
    theirs = ike_sa(
        [*aes, *(Transform(INTEG, number) for number in (14, 13, 12, 5, 8)), *groups, *prfs],
        [Transform(ENCR, 28), *aeads, *groups, *prfs],
    )
    assert suite(choose_ike(DEFAULT_IKE, theirs)) == "aes256gcm16-prfsha256-x25519"


# ---------------------------------------------------------------- as initiator: what we send


def test_to_wire_numbers_our_offers_from_1() -> None:
    sa = to_wire(ike_offers("aes256gcm16-prfsha256-x25519-modp2048", "aes256-sha256-x25519"))
    assert sa == ike_sa([GCM256, PRFSHA256, X25519, MODP2048], [CBC256, PRFSHA256, SHA256, X25519])
    assert to_wire(GCM, IKE_SPI) == ike_sa([GCM256, PRFSHA256, X25519], spi=IKE_SPI)


def test_to_wire_survives_its_own_coding() -> None:
    for offers, spi in ((DEFAULT_IKE, b""), (DEFAULT_IKE, IKE_SPI), (DEFAULT_ESP, ESP_SPI)):
        sa = to_wire(offers, spi)
        assert SecurityAssociation.decode(sa.encode(), 0) == sa


def test_the_group_of_the_ke_payload_goes_first() -> None:
    offers = ike_offers("aes256gcm16-prfsha256-x25519-modp2048", "aes256gcm16-prfsha256-x25519")
    sa = to_wire(offers, first_group=KeGroup.MODP_2048)
    assert sa == ike_sa([GCM256, PRFSHA256, MODP2048, X25519], [GCM256, PRFSHA256, X25519])
    assert to_wire(offers, first_group=KeGroup.X25519) == to_wire(offers)
    assert to_wire(offers, first_group=KeGroup.ECP_521) == to_wire(offers)


def test_esp_without_groups_in_ike_auth() -> None:
    offers = esp_offers("aes256gcm16-x25519", "aes256-sha256")
    assert to_wire(offers, ESP_SPI, with_groups=False) == esp_sa([GCM256, NOESN], [CBC256, SHA256, NOESN])
    assert to_wire(offers, ESP_SPI) == esp_sa([GCM256, X25519, NOESN], [CBC256, SHA256, NOESN])


def test_a_child_that_may_do_without_a_group_is_offered_twice_and_never_with_none() -> None:
    offers = esp_offers("aes256gcm16-x25519-modp2048-none", "aes256-sha256-none")
    assert to_wire(offers, ESP_SPI, KeGroup.MODP_2048) == esp_sa(
        [GCM256, MODP2048, X25519, NOESN], [GCM256, NOESN], [CBC256, SHA256, NOESN]
    )


def test_groups_of() -> None:
    offers = esp_offers("aes256gcm16-x25519-modp2048-none", "aes256gcm16-ecp256-x25519", "aes256gcm16")
    assert groups_of(offers) == (KeGroup.X25519, KeGroup.MODP_2048, KeGroup.ECP_256)


# ---------------------------------------------------------------- as initiator: what we accept

TWO = ike_offers("aes256gcm16-prfsha256-x25519-modp2048", "aes256-aes128-sha256-x25519")
GOOD = [CBC256, PRFSHA256, SHA256, X25519]


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (ike_sa([GCM256, PRFSHA256, X25519]), "aes256gcm16-prfsha256-x25519"),
        (ike_sa([X25519, PRFSHA256, GCM256]), "aes256gcm16-prfsha256-x25519"),
        (ike_sa([GCM256, PRFSHA256, X25519, NO_INTEG]), "aes256gcm16-prfsha256-x25519"),
        (ike_sa(GOOD, first=2), "aes256-sha256-x25519"),
        (ike_sa(GOOD, first=1), None),  # that is not our proposal 1
        (ike_sa([GCM256, PRFSHA256, X25519], first=2), None),
        (ike_sa(GOOD, first=0), None),
        (ike_sa(GOOD, first=3), None),
        (ike_sa(), None),
        (ike_sa([GCM256, PRFSHA256, X25519], GOOD), None),
        (ike_sa([*GOOD, CBC128], first=2), None),
        (ike_sa([*GOOD, CBC256], first=2), None),
        (ike_sa([*GOOD, MODP2048], first=2), None),
        (ike_sa(GOOD[:3], first=2), None),
        (ike_sa(GOOD[1:], first=2), None),
        (ike_sa([*GOOD, NOESN], first=2), None),
        (ike_sa([*GOOD, Transform(TransformType(6), 35)], first=2), None),
        (ike_sa([CBC256, PRFSHA256, NO_INTEG, X25519], first=2), None),
        (ike_sa([GCM256, PRFSHA256, SHA256, X25519]), None),
        (ike_sa([GCM256, PRFSHA256, NO_KE]), None),
        (ike_sa([Transform(ENCR, 20, 128), PRFSHA256, X25519]), None),
        (ike_sa([Transform(ENCR, 20), PRFSHA256, X25519]), None),
        (ike_sa([evolve(GCM256, attributes=((99, b""),)), PRFSHA256, X25519]), None),
        (ike_sa([GCM256, PRFSHA256, Transform(KE, 30)]), None),
        (ike_sa([GCM256, PRFSHA256, X25519], spi=IKE_SPI), None),
        (esp_sa([GCM256, PRFSHA256, X25519], spi=b""), None),
    ],
)
def test_accepted_ike(answer: SecurityAssociation, accepted: str | None) -> None:
    assert suite(accepted_ike(TWO, answer)) == accepted


def test_accepted_ike_when_rekeying() -> None:
    answer = ike_sa([GCM256, PRFSHA256, X25519], spi=IKE_SPI)
    chosen = accepted_ike(TWO, answer, spi_octets=8)
    assert chosen is not None
    assert chosen.spi == IKE_SPI
    assert accepted_ike(TWO, ike_sa([GCM256, PRFSHA256, X25519]), spi_octets=8) is None
    assert accepted_ike(TWO, ike_sa([GCM256, PRFSHA256, X25519], spi=bytes(8)), spi_octets=8) is None


@pytest.mark.parametrize(
    ("ours", "answer", "with_group", "accepted"),
    [
        ("aes256gcm16", esp_sa([GCM256, NOESN]), False, "aes256gcm16"),
        ("aes256gcm16", esp_sa([GCM256]), False, "aes256gcm16"),
        ("aes256gcm16", esp_sa([GCM256, NOESN, NO_KE]), False, "aes256gcm16"),
        ("aes256gcm16", esp_sa([GCM256, NOESN, X25519]), False, None),
        ("aes256gcm16-x25519", esp_sa([GCM256, NOESN, X25519]), False, None),
        ("aes256gcm16-x25519", esp_sa([GCM256, NOESN]), False, "aes256gcm16"),
        ("aes256gcm16-x25519", esp_sa([GCM256, NOESN, X25519]), True, "aes256gcm16-x25519"),
        ("aes256gcm16-x25519", esp_sa([GCM256, NOESN]), True, None),
        ("aes256gcm16-x25519", esp_sa([GCM256, NOESN, NO_KE]), True, None),
        ("aes256gcm16-x25519-none", esp_sa([GCM256, NOESN]), True, None),  # 1 is the one with a group
        ("aes256gcm16-x25519-none", esp_sa([GCM256, NOESN], first=2), True, "aes256gcm16"),
        ("aes256gcm16-x25519-none", esp_sa([GCM256, NOESN, X25519], first=2), True, None),
        ("aes256gcm16", esp_sa([GCM256, WITH_ESN]), False, None),
        ("aes256gcm16-noesn-esn", esp_sa([GCM256, WITH_ESN]), False, "aes256gcm16-esn"),
        ("aes256gcm16-noesn-esn", esp_sa([GCM256, NOESN, WITH_ESN]), False, None),
        ("aes256gcm16-esn", esp_sa([GCM256]), False, None),
        ("aes256gcm16", esp_sa([GCM256, NOESN], spi=b""), False, None),
        ("aes256gcm16", esp_sa([GCM256, NOESN], spi=bytes(4)), False, None),
        ("aes256gcm16", ike_sa([GCM256, NOESN], spi=ESP_SPI), False, None),
    ],
)
def test_accepted_esp(ours: str, answer: SecurityAssociation, with_group: bool, accepted: str | None) -> None:
    chosen = accepted_esp(esp_offers(ours), answer, with_group)
    assert suite(chosen) == accepted
    if chosen is not None:
        assert chosen.spi == ESP_SPI


# ---------------------------------------------------------------- explain


def test_explain_shows_both_lists_in_one_spelling() -> None:
    theirs = ike_sa(
        [TRIPLE_DES, Transform(ENCR, 12, 64), Transform(ENCR, 4711), Transform(PRF, 5, 128), MODP1024],
        [
            evolve(CBC256, attributes=((99, b""),)),
            Transform(TransformType(6), 35),
            X25519,
            NO_KE,
            WITH_ESN,
            NOESN,
        ],
    )
    assert explain(GCM, theirs) == (
        "ours: aes256gcm16-prfsha256-x25519; the peer's: "
        "1 TRIPLE_DES-AES_CBC/64-ENCR:4711-HMAC_SHA2_256/128-MODP_1024, "
        "2 AES_CBC/256+attributes-ADDKE1:35-x25519-none-esn"
    )


def test_explain_has_an_end() -> None:
    theirs = ike_sa(*([Transform(ENCR, 60000 + n) for n in range(500)],) * 60)
    assert len(explain(GCM, theirs)) < 2200


# ---------------------------------------------------------------- properties

aeads = st.lists(st.sampled_from([e for e in ENCRYPTIONS if e.aead]), min_size=1, max_size=4, unique=True)
ciphers = st.lists(
    st.sampled_from([e for e in ENCRYPTIONS if not e.aead]), min_size=1, max_size=4, unique=True
)
integrities = st.lists(st.sampled_from(INTEGRITIES), min_size=1, max_size=3, unique=True)
prfs = st.lists(st.sampled_from(PRFS), min_size=1, max_size=3, unique=True)
esns = st.lists(st.sampled_from([ESN, NO_ESN]), min_size=1, unique=True)
sound_groups = st.lists(
    st.sampled_from([group for group in GROUPS if group != NO_GROUP]), min_size=1, max_size=4, unique=True
)
any_groups = st.lists(st.sampled_from(GROUPS), max_size=4, unique=True)
no_integrities: st.SearchStrategy[list[object]] = st.just([])
protections = st.one_of(st.tuples(aeads, no_integrities), st.tuples(ciphers, integrities))
ike_lists = st.lists(
    st.builds(
        lambda protection, prf, group: Offer(
            ProtocolId.IKE, tuple(protection[0]), tuple(protection[1]), tuple(prf), tuple(group)
        ),
        protections,
        prfs,
        sound_groups,
    ),
    min_size=1,
    max_size=3,
)
esp_lists = st.lists(
    st.builds(
        lambda protection, group, esn: Offer(
            ProtocolId.ESP, tuple(protection[0]), tuple(protection[1]), (), tuple(group), tuple(esn)
        ),
        protections,
        any_groups,
        esns,
    ),
    min_size=1,
    max_size=3,
)


def has_ike(offer: Offer, chosen: IkeSuite) -> bool:
    integrity = () if chosen.integrity is None else (chosen.integrity,)
    return (
        chosen.encryption in offer.encryptions
        and (set(integrity) <= set(offer.integrities))
        and bool(integrity) != chosen.encryption.aead
        and chosen.prf in offer.prfs
        and chosen.group in offer.groups
    )


def has_esp(offer: Offer, chosen: EspSuite, with_groups: bool) -> bool:
    integrity = () if chosen.integrity is None else (chosen.integrity,)
    group = chosen.group or NO_GROUP
    return (
        chosen.encryption in offer.encryptions
        and (set(integrity) <= set(offer.integrities))
        and bool(integrity) != chosen.encryption.aead
        and (group in (offer.groups or (NO_GROUP,)) if with_groups else group == NO_GROUP)
        and (ESN if chosen.esn else NO_ESN) in offer.esns
    )


@given(ike_lists, ike_lists, st.sampled_from([b"", IKE_SPI]))
def test_what_ike_chooses_is_within_both_offers_and_accepted(
    ours: list[Offer], theirs: list[Offer], spi: bytes
) -> None:
    sent = SecurityAssociation.decode(to_wire(theirs, spi, groups_of(theirs)[-1]).encode(), 0)
    chosen = choose_ike(ours, sent, len(spi))
    in_common = any(
        set(one.encryptions) & set(two.encryptions)
        and (one.encryptions[0].aead or set(one.integrities) & set(two.integrities))
        and set(one.prfs) & set(two.prfs)
        and set(one.groups) & set(two.groups)
        for one in ours
        for two in theirs
    )
    assert (chosen is not None) == in_common
    if chosen is not None:
        assert any(has_ike(offer, chosen.suite) for offer in ours)
        assert any(has_ike(offer, chosen.suite) for offer in theirs)
        accepted = accepted_ike(theirs, chosen.answer_with(spi), len(spi))
        assert accepted is not None
        assert accepted.suite == chosen.suite


@given(esp_lists, esp_lists, st.booleans())
def test_what_esp_chooses_is_within_both_offers_and_accepted(
    ours: list[Offer], theirs: list[Offer], with_groups: bool
) -> None:
    first = next(iter(groups_of(theirs)), None)
    sent = SecurityAssociation.decode(to_wire(theirs, ESP_SPI, first, with_groups).encode(), 0)
    chosen = choose_esp(ours, sent, with_groups)
    if chosen is not None:
        assert any(has_esp(offer, chosen.suite, with_groups) for offer in ours)
        assert any(has_esp(offer, chosen.suite, with_groups) for offer in theirs)
        accepted = accepted_esp(theirs, chosen.answer_with(b"\1\2\3\4"), with_groups)
        assert accepted is not None
        assert accepted.suite == chosen.suite


@given(esp_lists, st.booleans())
def test_whoever_offers_what_we_offer_is_answered(offers: list[Offer], with_groups: bool) -> None:
    assert choose_esp(offers, to_wire(offers, ESP_SPI, None, with_groups), with_groups) is not None


transforms = st.builds(
    Transform,
    st.integers(0, 7).map(TransformType),
    st.one_of(st.integers(0, 40), st.integers(0, 65535)),
    st.one_of(st.none(), st.sampled_from([0, 128, 192, 256]), st.integers(0, 65535)),
    st.one_of(st.just(()), st.just(((99, b"x"),))),
)
anything = st.builds(
    lambda proposals: SecurityAssociation(tuple(proposals)),
    st.lists(
        st.builds(
            Proposal,
            st.integers(0, 255),
            st.sampled_from([ProtocolId.IKE, ProtocolId.ESP, ProtocolId.AH, ProtocolId(0)]),
            st.sampled_from([b"", ESP_SPI, IKE_SPI, bytes(4), b"odd"]),
            st.lists(transforms, max_size=8).map(tuple),
        ),
        max_size=4,
    ),
)


@given(anything, st.sampled_from([0, 8]), st.booleans())
def test_anything_at_all_is_chosen_from_or_not_but_never_raises(
    sa: SecurityAssociation, spi_octets: int, with_group: bool
) -> None:
    for chosen in (
        choose_ike(DEFAULT_IKE, sa, spi_octets),
        choose_esp(DEFAULT_ESP, sa, with_group),
    ):
        if chosen is not None:
            (answer,) = chosen.answer.proposals
            source = next(proposal for proposal in sa.proposals if proposal.number == answer.number)
            assert set(answer.transforms) <= {t for p in sa.proposals for t in p.transforms}
            assert source is not None
    accepted_ike(DEFAULT_IKE, sa, spi_octets)
    accepted_esp(DEFAULT_ESP, sa, with_group)
    assert explain(DEFAULT_IKE, sa)
