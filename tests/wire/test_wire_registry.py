"""Registries: names where IANA has them, numbers where it has none, and no memory for what strangers send."""

import copy
import gc
import pickle
import tracemalloc

import pytest

from ikegw.wire import registry
from ikegw.wire.registry import (
    AuthMethod,
    ConfigAttributeType,
    EncryptionId,
    ExchangeType,
    KeGroup,
    Members,
    NotifyType,
    OctetRegistry,
    PayloadType,
    ProtocolId,
    Registry,
)

ALL = [
    kind
    for kind in vars(registry).values()
    if isinstance(kind, type) and issubclass(kind, Registry) and kind not in (Registry, OctetRegistry)
]


def largest(kind: type[Registry]) -> int:
    return 0xFF if issubclass(kind, OctetRegistry) else 0xFFFF


@pytest.mark.parametrize("kind", ALL)
def test_every_number_is_a_value_and_keeps_it(kind: type[Registry]) -> None:
    members = Members(kind)
    known = {int(member) for member in kind}
    top = largest(kind)
    for number in sorted({*range(min(top, 2048) + 1), *range(2048, top, 97), *known, top}):
        value = members[number]
        assert isinstance(value, kind)
        assert value == number
        assert hash(value) == hash(number)
        assert (value.name == str(number)) is (number not in known)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("wrong", [-1, 0x10000, "SA", 1.5, None])
def test_what_does_not_fit_the_field_is_no_value(kind: type[Registry], wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        kind(wrong)


def test_an_octet_ends_at_255() -> None:
    with pytest.raises(ValueError, match="256"):
        PayloadType(256)


def test_unknown_values_are_equal_and_travel() -> None:
    value = NotifyType(65000)
    assert value.name == "65000"
    assert value == NotifyType(65000) == 65000
    assert value in {NotifyType(65000)}
    assert "65000" in repr(value)
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301


def test_unknown_numbers_leave_nothing_behind() -> None:
    members = Members(NotifyType)
    before = (len(members), len(NotifyType._value2member_map_))
    gc.collect()
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    for number in range(0, 0x10000, 5):
        members[number]
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    assert grown < 10_000
    assert (len(members), len(NotifyType._value2member_map_)) == before


def test_known_members_are_the_members_themselves() -> None:
    for kind in ALL:
        members = Members(kind)
        for member in kind:
            assert members[int(member)] is member


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (ExchangeType.IKE_SA_INIT, 34),
        (ExchangeType.INFORMATIONAL, 37),
        (PayloadType.SKF, 53),
        (ProtocolId.ESP, 3),
        (EncryptionId.AES_GCM_16, 20),
        (EncryptionId.CHACHA20_POLY1305, 28),
        (KeGroup.MODP_2048, 14),
        (KeGroup.ECP_521, 21),
        (KeGroup.X25519, 31),
        (KeGroup.ML_KEM_1024, 37),
        (AuthMethod.DIGITAL_SIGNATURE, 14),
        (NotifyType.MOBIKE_SUPPORTED, 16396),
        (NotifyType.AUTH_LIFETIME, 16403),
        (NotifyType.REDIRECT_SUPPORTED, 16406),
        (NotifyType.EAP_ONLY_AUTHENTICATION, 16417),
        (NotifyType.CHILDLESS_IKEV2_SUPPORTED, 16418),
        (NotifyType.IKEV2_FRAGMENTATION_SUPPORTED, 16430),
        (NotifyType.SIGNATURE_HASH_ALGORITHMS, 16431),
        (ConfigAttributeType.INTERNAL_DNS_DOMAIN, 25),
    ],
)
def test_numbers_of_iana(value: Registry, number: int) -> None:
    assert value == number


def test_notifies_below_16384_are_errors() -> None:
    assert all(
        NotifyType(number).is_error == (number < 16384)
        for number in (1, 43, 12345, 16383, 16384, 40960, 65535)
    )
