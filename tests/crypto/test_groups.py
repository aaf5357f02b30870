"""Key exchange: RFC 5903's and RFC 7748's vectors, MODP against pow, and every public value that must be refused (RFC 6989)."""

import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ikegw.crypto.curves import ORDERS
from ikegw.crypto.groups import BadPublicValue, generate
from ikegw.crypto.modp import PRIME_2048, PRIME_3072, PRIME_4096
from ikegw.crypto.transforms import GROUPS, NO_GROUP
from ikegw.wire.registry import KeGroup

Random = Callable[[int], bytes]

PUBLIC_OCTETS = {
    KeGroup.X25519: 32,
    KeGroup.X448: 56,
    KeGroup.ECP_256: 64,
    KeGroup.ECP_384: 96,
    KeGroup.ECP_521: 132,
    KeGroup.MODP_2048: 256,
    KeGroup.MODP_3072: 384,
    KeGroup.MODP_4096: 512,
}
PRIMES = {
    KeGroup.MODP_2048: (PRIME_2048, 32),
    KeGroup.MODP_3072: (PRIME_3072, 40),
    KeGroup.MODP_4096: (PRIME_4096, 48),
}
ECP = {KeGroup.ECP_256: 32, KeGroup.ECP_384: 48, KeGroup.ECP_521: 66}


def gives(value: int) -> Random:
    """A source of randomness that makes the number `value`."""
    return lambda octets: value.to_bytes(octets, "big")


def every_group() -> list[KeGroup]:
    return [group.id for group in GROUPS if group != NO_GROUP]


def name(group: KeGroup) -> str:
    return group.name


@pytest.mark.parametrize("group", every_group(), ids=name)
def test_both_sides_have_the_same_secret_of_fixed_length(group: KeGroup) -> None:
    ours, theirs = generate(group, os.urandom), generate(group, os.urandom)
    assert len(ours.public) == len(theirs.public) == PUBLIC_OCTETS[group]
    assert ours.public != theirs.public
    secret = ours.shared(theirs.public)
    assert secret == theirs.shared(ours.public)
    assert len(secret) == PUBLIC_OCTETS[group] // (2 if group in ECP else 1)


@pytest.mark.parametrize("group", every_group(), ids=name)
def test_the_handed_in_randomness_is_the_only_one(group: KeGroup) -> None:
    def fixed(octets: bytes) -> Random:
        return lambda n: (octets * n)[:n]

    assert generate(group, fixed(b"\x35")).public == generate(group, fixed(b"\x35")).public
    assert generate(group, fixed(b"\x35")).public != generate(group, fixed(b"\x53")).public


@pytest.mark.parametrize("group", every_group(), ids=name)
def test_a_value_of_another_length_is_refused(group: KeGroup) -> None:
    pair = generate(group, os.urandom)
    for octets in (b"", pair.public[:-1], pair.public + b"\0", b"\0" + pair.public, b"\4" + pair.public):
        with pytest.raises(BadPublicValue, match=f"{len(octets)} octets instead of {len(pair.public)}"):
            pair.shared(octets)


@pytest.mark.parametrize("group", every_group(), ids=name)
def test_repr_hides_the_private_key(group: KeGroup) -> None:
    assert "private" not in repr(generate(group, os.urandom))


def test_a_group_outside_the_registry_is_not_generated() -> None:
    for number in (0, 2, 5, 22, 1025):
        with pytest.raises(KeyError):
            generate(KeGroup(number), os.urandom)


# ---------------------------------------------------------------- RFC 5903

RFC_5903 = [
    (
        KeGroup.ECP_256,
        0xC88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433,
        "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
        "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
        0xC6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53,
        "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
        "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
    ),
    (
        KeGroup.ECP_384,
        0x099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194,
        "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa"
        "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
        0x41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC,
        "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571"
        "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
        "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746",
    ),
    (
        KeGroup.ECP_521,
        0x0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A095AA85A30FE1C2952C6771D937BA9777F5957B2639BAB072462F68C27A57382D4A52,
        "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d107564"
        "941885942af5a7f4601723c4195d176ced3e"
        "017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7799dc75e7b7d5b6c"
        "f2261a6a7f1507438bf01beb6ca3926f9582",
        0x0145BA99A847AF43793FDD0E872E7CDFA16BE30FDC780F97BCCC3F078380201E9C677D600B343757A3BDBF2A3163E4C2F869CCA7458AA4A4EFFC311F5CB151685EB9,
        "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6"
        "c2912d4ef2d0433ced2b6171640012d9460f"
        "015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2aebb8e86d678ae"
        "49cb57091f4732296579ab44fcd17f0fc56a",
        "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06"
        "b3c715a3a8cc3151f2bee417996d19f3ddea",
    ),
]


@pytest.mark.parametrize(("group", "i", "gi", "r", "gr", "secret"), RFC_5903)
def test_rfc_5903(group: KeGroup, i: int, gi: str, r: int, gr: str, secret: str) -> None:
    initiator = generate(group, gives(i - 1))  # 1 is added, so that 0 cannot be
    responder = generate(group, gives(r - 1))
    assert initiator.public.hex() == gi
    assert responder.public.hex() == gr
    assert initiator.shared(responder.public).hex() == secret
    assert responder.shared(initiator.public).hex() == secret


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name)
def test_orders_of_the_curves(curve: ec.EllipticCurve) -> None:
    # (n-1)G = -G has the x coordinate of G and another y.
    one = ec.derive_private_key(1, curve).public_key().public_numbers()
    last = ec.derive_private_key(ORDERS[curve.name] - 1, curve).public_key().public_numbers()
    assert last.x == one.x
    assert last.y != one.y


@pytest.mark.parametrize("group", ECP, ids=name)
def test_points_off_the_curve_are_refused(group: KeGroup) -> None:
    pair, size = generate(group, os.urandom), ECP[group]
    other = generate(group, os.urandom).public
    x, y = other[:size], other[size:]
    off_by_one = int.from_bytes(y, "big") ^ 1
    for octets in (
        bytes(2 * size),  # what some encode infinity as
        x + off_by_one.to_bytes(size, "big"),
        b"\xff" * (2 * size),  # coordinates beyond the field
        y + x,
    ):
        with pytest.raises(BadPublicValue, match="not a point"):
            pair.shared(octets)


# ---------------------------------------------------------------- RFC 7748, RFC 8031


RFC_7748 = [
    (
        KeGroup.X25519,
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
    ),
    (
        KeGroup.X448,
        "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d"
        "9ac2d8c0a598726b",
        "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53"
        "177f80e532c41fa0",
        "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0"
        "366f10b65173992d",
        "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae"
        "07bdc1c67bf33609",
        "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a"
        "449a5037514a879d",
    ),
]


@pytest.mark.parametrize(("group", "a", "ga", "b", "gb", "secret"), RFC_7748)
def test_rfc_7748(group: KeGroup, a: str, ga: str, b: str, gb: str, secret: str) -> None:
    alice = generate(group, gives(int(a, 16)))
    bob = generate(group, gives(int(b, 16)))
    assert alice.public.hex() == ga
    assert bob.public.hex() == gb
    assert alice.shared(bob.public).hex() == bob.shared(alice.public).hex() == secret


SMALL_ORDER_X25519 = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),  # p - 1
    (2**255 - 19).to_bytes(32, "little"),  # p, that is 0
    (2**255 - 18).to_bytes(32, "little"),  # p + 1, that is 1
]
P448 = 2**448 - 2**224 - 1
SMALL_ORDER_X448 = [n.to_bytes(56, "little") for n in (0, 1, P448 - 1, P448, P448 + 1)]


@pytest.mark.parametrize(
    ("group", "public"),
    [(KeGroup.X25519, public) for public in SMALL_ORDER_X25519]
    + [(KeGroup.X448, public) for public in SMALL_ORDER_X448],
)
def test_points_of_small_order_are_refused(group: KeGroup, public: bytes) -> None:
    with pytest.raises(BadPublicValue, match="small order"):
        generate(group, os.urandom).shared(public)


# ---------------------------------------------------------------- RFC 3526


def floor_of_pi_times_2_to(bits: int) -> int:
    """By Machin's formula."""
    precision = bits + 64

    def arctan_of_inverse(x: int) -> int:
        total = term = (1 << precision) // x
        divisor, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 64


@pytest.mark.parametrize(
    ("prime", "bits", "addend"),
    [(PRIME_2048, 2048, 124476), (PRIME_3072, 3072, 1690314), (PRIME_4096, 4096, 240904)],
)
def test_rfc_3526_primes_are_what_they_are_defined_to_be(prime: int, bits: int, addend: int) -> None:
    assert prime == 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (floor_of_pi_times_2_to(bits - 130) + addend)
    assert prime % 8 == 7  # so 2 is a square, and generates the subgroup of order (p-1)/2


def exponent(octets: int) -> int:
    return int.from_bytes(b"\xc3" * octets, "big")


@pytest.mark.parametrize("group", PRIMES, ids=name)
def test_modp_agrees_with_pow(group: KeGroup) -> None:
    prime, octets = PRIMES[group]
    x, y = exponent(octets), exponent(octets) // 3
    pair = generate(group, gives(x))
    assert int.from_bytes(pair.public, "big") == pow(2, x, prime)
    peer = pow(2, y, prime).to_bytes(prime.bit_length() // 8, "big")
    assert int.from_bytes(pair.shared(peer), "big") == pow(2, x * y, prime)


def test_a_modp_private_value_always_has_its_full_length() -> None:
    assert int.from_bytes(generate(KeGroup.MODP_2048, bytes).public, "big") == pow(2, 2**255, PRIME_2048)


@pytest.mark.parametrize("group", PRIMES, ids=name)
def test_modp_values_of_small_order_or_out_of_range_are_refused(group: KeGroup) -> None:
    prime, _ = PRIMES[group]
    pair = generate(group, os.urandom)
    size = prime.bit_length() // 8
    for value in (0, 1, prime - 1, prime, prime + 1, 2 ** (8 * size) - 1):
        with pytest.raises(BadPublicValue, match="not between"):
            pair.shared(value.to_bytes(size, "big"))
    for value in (2, prime - 2):
        assert len(pair.shared(value.to_bytes(size, "big"))) == size


def test_modp_secrets_keep_their_leading_zeros() -> None:
    x = exponent(32)
    pair = generate(KeGroup.MODP_2048, gives(x))
    # A peer's value whose secret begins with a zero octet: the x-th root of a small number of the subgroup.
    order = (PRIME_2048 - 1) // 2
    peer = pow(4, pow(x, -1, order), PRIME_2048)
    secret = pair.shared(peer.to_bytes(256, "big"))
    assert secret == (4).to_bytes(256, "big")
