"""Proposals as operators write them, and what they are told when they write them wrongly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikegw.crypto.transforms import BY_NAME, ESN, NO_ESN, NO_GROUP
from ikegw.policy.offers import DEFAULT_ESP, DEFAULT_IKE, BadOffer, Offer, parse_offer
from ikegw.wire.registry import ProtocolId


def ike(text: str) -> Offer:
    (offer,) = parse_offer("ike", text)
    return offer


def esp(text: str) -> Offer:
    (offer,) = parse_offer("esp", text)
    return offer


def names(algorithms: tuple[object, ...]) -> list[str]:
    return [algorithm.name for algorithm in algorithms]  # type: ignore[attr-defined]


def test_one_of_each() -> None:
    offer = ike("aes256gcm16-prfsha256-x25519")
    assert offer.protocol == ProtocolId.IKE
    assert names(offer.encryptions) == ["aes256gcm16"]
    assert offer.integrities == ()
    assert names(offer.prfs) == ["prfsha256"]
    assert names(offer.groups) == ["x25519"]
    assert offer.esns == ()


def test_several_of_a_kind_keep_their_order() -> None:
    offer = ike("aes128-aes256-sha256-sha1-modp2048-ecp256")
    assert names(offer.encryptions) == ["aes128", "aes256"]
    assert names(offer.integrities) == ["sha256", "sha1"]
    assert names(offer.groups) == ["modp2048", "ecp256"]


def test_the_prf_follows_the_integrity_algorithm() -> None:
    assert names(ike("aes128-sha256-sha1-modp2048").prfs) == ["prfsha256", "prfsha1"]
    assert names(ike("aes128-sha256-prfsha512-modp2048").prfs) == ["prfsha512"]


def test_with_an_aead_an_integrity_word_means_the_prf_as_in_swanctl() -> None:
    offer = ike("aes128gcm16-sha384-ecp384")
    assert offer.integrities == ()
    assert names(offer.prfs) == ["prfsha384"]


def test_esp() -> None:
    offer = esp("aes256gcm16-x25519-none-esn-noesn")
    assert offer.protocol == ProtocolId.ESP
    assert offer.prfs == ()
    assert names(offer.groups) == ["x25519", "none"]
    assert offer.esns == (ESN, NO_ESN)
    assert esp("aes128-sha1").esns == (NO_ESN,)
    assert esp("aes128-sha1").groups == ()


def test_spelling_is_forgiven() -> None:
    assert ike(" AES256GCM16-PRFSHA256-Curve25519 ") == ike("aes256gcm16-prfsha256-x25519")
    assert ike("aes-sha-modp2048") == ike("aes128-sha1-modp2048")
    assert ike("aes128-aes128-sha1-sha1-modp2048") == ike("aes128-sha1-modp2048")
    assert esp("aes128ccm128-curve448") == esp("aes128ccm16-x448")


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("ike", "aes257gcm16-prfsha256-x25519", 'unknown algorithm "aes257gcm16"; did you mean aes256gcm16?'),
        ("ike", "aes128-sha265-modp2048", 'unknown algorithm "sha265"; did you mean sha256?'),
        ("ike", "aes128-sha256-mopd2048", "did you mean modp2048?"),
        ("ike", "aes128--sha256-x25519", "an empty word: write names with one hyphen"),
        ("ike", "", "an empty word"),
        ("ike", "whirlpool", 'unknown algorithm "whirlpool"$'),
        ("ike", "3des-sha1-modp2048", "3des is too weak"),
        ("ike", "aes128-sha1-modp1024", r"modp1024 is too weak \(RFC 8247"),
        ("esp", "null-sha256", "null is too weak"),
        ("ike", "prfsha256-x25519", "names no encryption, for example aes256gcm16"),
        (
            "ike",
            "aes256gcm16-x25519",
            "no PRF, and none can be derived from aes256gcm16: add one, for example prfsha256",
        ),
        ("ike", "aes256gcm16-sha256-prfsha256-x25519", "aes256gcm16 brings its own integrity; remove sha256"),
        ("ike", "aes128-x25519", "names no integrity algorithm, which aes128 needs, for example sha256"),
        ("ike", "aes128-prfsha256-x25519", "names no integrity algorithm"),
        ("ike", "aes128-sha256", "names no key exchange group, for example x25519"),
        ("ike", "aes128-sha256-none", "always has a key exchange; remove none"),
        ("ike", "aes128-sha256-x25519-none", "always has a key exchange; remove none"),
        ("ike", "aes128-sha256-x25519-esn", "remove esn"),
        (
            "ike",
            "aes128-aes256gcm16-sha256-x25519",
            r"mixes .*\(aes256gcm16\) with others \(aes128\): write two proposals",
        ),
        ("esp", "x25519", "names no encryption"),
        ("esp", "aes128", "names no integrity algorithm"),
        ("esp", "aes128ctr-x25519", "names no integrity algorithm, which aes128ctr needs"),
        ("esp", "aes256gcm16-sha256", "aes256gcm16 brings its own integrity; remove sha256"),
        ("esp", "aes256gcm16-prfsha256", "a CHILD SA has no PRF of its own; remove prfsha256"),
        ("esp", "aes256-chacha20poly1305-sha256", "write two proposals"),
        ("ike", "default-x25519", 'unknown algorithm "default"'),
    ],
)
def test_what_is_wrong_is_told(kind: str, text: str, told: str) -> None:
    with pytest.raises(BadOffer, match=told) as error:
        parse_offer(kind, text)  # type: ignore[arg-type]
    assert f'"{text}"' in str(error.value)


def test_default_is_several_proposals() -> None:
    assert parse_offer("ike", "default") is DEFAULT_IKE
    assert parse_offer("esp", " Default ") is DEFAULT_ESP


def test_an_offer_is_written_as_it_is_read() -> None:
    for text in (
        "aes256gcm16-aes128gcm16-prfsha256-x25519",
        "aes128-sha256-modp2048",
        "aes128-sha256-prfsha512-modp2048",
    ):
        assert str(ike(text)) == text
    for text in ("aes256gcm16", "aes128-sha256-x25519-none", "aes128-sha1-noesn-esn", "aes128ctr-sha384-esn"):
        assert str(esp(text)) == text


@given(st.sampled_from(["ike", "esp"]), st.lists(st.sampled_from(sorted(BY_NAME)), max_size=8).map("-".join))
def test_any_words_give_an_offer_that_reads_back_or_bad_offer(kind: str, text: str) -> None:
    try:
        (offer,) = parse_offer(kind, text)  # type: ignore[arg-type]
    except BadOffer:
        return
    assert parse_offer(kind, str(offer)) == (offer,)  # type: ignore[arg-type]
    assert len({encryption.aead for encryption in offer.encryptions}) == 1
    assert bool(offer.integrities) != offer.encryptions[0].aead
    assert bool(offer.prfs) == (kind == "ike")
    assert kind == "esp" or (offer.groups and NO_GROUP not in offer.groups)


@given(st.sampled_from(["ike", "esp"]), st.text(max_size=40))
def test_any_text_gives_an_offer_or_bad_offer(kind: str, text: str) -> None:
    try:
        parse_offer(kind, text)  # type: ignore[arg-type]
    except BadOffer as error:
        assert str(error)  # noqa: PT017
