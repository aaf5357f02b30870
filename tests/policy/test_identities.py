"""Identities as operators write them, as peers send them, and as logs show them."""

from ipaddress import ip_address

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ikegw.policy import distinguished_names
from ikegw.policy.identities import (
    ANY,
    ANY_RANK,
    EXACT_RANK,
    LONGEST_SHOWN,
    IdentityPattern,
    display,
    from_address,
    parse_identity,
    same,
)
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType


@pytest.mark.parametrize(
    ("text", "kind", "data"),
    [
        ("192.0.2.1", IdType.IPV4_ADDR, bytes([192, 0, 2, 1])),
        ("2001:db8::1", IdType.IPV6_ADDR, ip_address("2001:db8::1").packed),
        ("gw.ikegw.example", IdType.FQDN, b"gw.ikegw.example"),
        ("@gw.ikegw.example", IdType.FQDN, b"gw.ikegw.example"),
        ("@192.0.2.1", IdType.FQDN, b"192.0.2.1"),
        ("fqdn:user@host", IdType.FQDN, b"user@host"),
        ("dns:gw", IdType.FQDN, b"gw"),
        ("alice@ikegw.example", IdType.RFC822_ADDR, b"alice@ikegw.example"),
        ("@@alice@ikegw.example", IdType.RFC822_ADDR, b"alice@ikegw.example"),
        ("rfc822:alice", IdType.RFC822_ADDR, b"alice"),
        ("email:alice", IdType.RFC822_ADDR, b"alice"),
        ("@#6b6579", IdType.KEY_ID, b"key"),
        ("keyid:office printer", IdType.KEY_ID, b"office printer"),
        ("keyid:#00ff", IdType.KEY_ID, b"\x00\xff"),
        ("not:an:address", IdType.KEY_ID, b"not:an:address"),
        ("ipv4:192.0.2.1", IdType.IPV4_ADDR, bytes([192, 0, 2, 1])),
        ("fqdn:#6777", IdType.FQDN, b"gw"),
        ("asn1dn:#300c310a300806035504031301 79".replace(" ", ""), IdType.DER_ASN1_DN, None),
        ("  gw  ", IdType.FQDN, b"gw"),
    ],
)
def test_what_is_written_decides_the_type(text: str, kind: IdType, data: bytes | None) -> None:
    identity = parse_identity(text)
    assert identity.type == kind
    assert data is None or identity.data == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%any",
        "0.0.0.0",
        "::",
        "*",
        "keyid:",
        "@#",
        "@#6g",
        "ipv4:::1",
        "ipv6:1.2.3.4",
        "asn1gn:x",
        "CN=",
        "Q=1",
        "C=CHE",
    ],
)
def test_what_is_no_identity(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_identity(text)


def test_a_name_keeps_the_order_in_which_it_is_written() -> None:
    identity = parse_identity("C=CH, O=Example, CN=gw.ikegw.example")
    expected = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "CH"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Example"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "gw.ikegw.example"),
        ]
    )
    assert identity == Identity(IdType.DER_ASN1_DN, expected.public_bytes())
    assert parse_identity("/C=CH/O=Example/CN=gw.ikegw.example") == identity
    assert display(identity) == "C=CH, O=Example, CN=gw.ikegw.example"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (r"O=Smith\, Wesson, CN=a", [("O", "Smith, Wesson"), ("CN", "a")]),
        ('O="Smith, Wesson", CN=a', [("O", "Smith, Wesson"), ("CN", "a")]),
        (r"CN=a\+b", [("CN", "a+b")]),
        (r"CN=a\\", [("CN", "a\\")]),
        (r"CN=trailing\ ", [("CN", "trailing ")]),
        ("CN = spaced out ,O=x", [("CN", "spaced out"), ("O", "x")]),
        ("CN=x=y", [("CN", "x=y")]),
        ("emailAddress=a@b.example", [("E", "a@b.example")]),
        ("2.5.4.3=dotted", [("CN", "dotted")]),
        ("DC=example, DC=ikegw", [("DC", "example"), ("DC", "ikegw")]),
    ],
)
def test_escapes_and_quotes_of_names(text: str, values: list[tuple[str, str]]) -> None:
    short = {
        "O": "2.5.4.10",
        "CN": "2.5.4.3",
        "E": "1.2.840.113549.1.9.1",
        "DC": "0.9.2342.19200300.100.1.25",
    }
    decoded = distinguished_names.decode(parse_identity(text).data)
    assert decoded == tuple(((short[name], value),) for name, value in values)


def test_a_name_with_several_values_in_one_part() -> None:
    identity = parse_identity("O=x, CN=a+UID=7")
    assert IdentityPattern.parse("O=x, UID=7+CN=a").matches(identity)
    assert not IdentityPattern.parse("O=x, CN=a").matches(identity)


def test_names_are_equal_whatever_their_string_type_case_and_spaces() -> None:
    def name(kind: object, value: str) -> Identity:
        attribute = x509.NameAttribute(x509.NameOID.COMMON_NAME, value, _type=kind)  # type: ignore[arg-type]
        return Identity(IdType.DER_ASN1_DN, x509.Name([attribute]).public_bytes())

    from cryptography.x509.name import _ASN1Type  # the types of strings are not public there

    assert same(name(_ASN1Type.UTF8String, "Road  Warrior"), name(_ASN1Type.PrintableString, "road warrior"))
    assert same(name(_ASN1Type.BMPString, "gw"), name(_ASN1Type.UTF8String, "gw"))
    assert not same(name(_ASN1Type.UTF8String, "gw"), name(_ASN1Type.UTF8String, "gx"))


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\x30", b"\x30\x05\x31", b"\x30\x80\x00\x00", b"\x30\x84\x00\x00\x00\x00", b"\x31\x00", b"\x30\x00\x00",
        bytes.fromhex("300c310a30080603550403130179") + b"x", bytes.fromhex("300c310a30080603550483130179"),
        bytes.fromhex("300c310a300806035504030c01ff"),
    ],
)  # fmt: skip
def test_octets_that_are_no_name_are_shown_in_hex_and_match_nothing(octets: bytes) -> None:
    identity = Identity(IdType.DER_ASN1_DN, octets)
    assert display(identity) == f"asn1dn:#{octets.hex()}"
    assert not IdentityPattern.parse("CN=*").matches(identity)
    assert ANY.matches(identity)
    assert same(identity, Identity(IdType.DER_ASN1_DN, octets))


@given(st.sampled_from([*IdType, IdType(200)]), st.binary(max_size=400))
def test_any_identity_can_be_shown_on_one_line_of_plain_text(kind: IdType, data: bytes) -> None:
    shown = display(Identity(kind, data))
    assert shown
    assert len(shown) <= LONGEST_SHOWN
    assert shown.removesuffix("…").isascii()
    assert shown.removesuffix("…").isprintable()
    pattern = IdentityPattern.of(Identity(kind, data))
    assert pattern.matches(Identity(kind, data))


def test_what_an_attacker_writes_cannot_forge_a_log_line() -> None:
    assert (
        display(Identity(IdType.FQDN, b"a\nINFO alice logged in\x1b[2J")) == r"a\nINFO alice logged in\x1b[2J"
    )
    assert display(Identity(IdType.RFC822_ADDR, "jörg@x".encode())) == r"j\xc3\xb6rg@x"
    assert display(parse_identity("CN=Jörg\n")) == "CN=J\\xf6rg"
    assert display(Identity(IdType.IPV4_ADDR, b"abc")) == "1:#616263"


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1", "2001:db8::1", "gw.ikegw.example", "alice@ikegw.example", "keyid:printer", "keyid:#00ff", "rfc822:alice",
        "fqdn:user@host", r"C=CH, O=Smith\, Wesson, CN=a+UID=7",
    ],
)  # fmt: skip
def test_what_is_shown_can_be_written(text: str) -> None:
    assert display(parse_identity(text)) == text
    assert parse_identity(display(parse_identity(text))) == parse_identity(text)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("%any", ["gw", "a@b", "192.0.2.1", "CN=x"], []),
        ("Gw.Ikegw.Example", ["gw.ikegw.EXAMPLE"], ["gw.ikegw.example.", "xgw.ikegw.example", "@@gw.ikegw.example@"]),
        ("*.ikegw.example", ["a.ikegw.example", "A.b.Ikegw.Example"], ["ikegw.example", ".ikegw.example", "a@b.ikegw.example"]),
        ("*@ikegw.example", ["alice@ikegw.example", "Bob@IKEGW.example"], ["@@@ikegw.example", "a@evil@ikegw.example"]),
        ("@@*@ikegw.example", ["alice@ikegw.example"], ["ikegw.example"]),
        ("email:*@ikegw.example", ["alice@ikegw.example"], ["fqdn:alice@ikegw.example"]),
        ("C=CH, O=Example, CN=*", ["C=CH, O=Example, CN=alice", "C=ch, O=EXAMPLE, CN=b"],
         ["C=CH, O=Other, CN=alice", "C=CH, CN=alice", "O=Example, C=CH, CN=alice", "C=CH, O=Example, OU=x, CN=alice"]),
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "@192.0.2.1", "2001:db8::1"]),
        ("2001:db8::/32", ["2001:db8::1"], ["2001:db9::1"]),
        ("192.0.2.1", ["192.0.2.1"], ["192.0.2.2", "@192.0.2.1"]),
        ("@#6b6579", ["keyid:key"], ["keyid:KEY", "key"]),
    ],
)  # fmt: skip
def test_patterns(pattern: str, good: list[str], bad: list[str]) -> None:
    parsed = IdentityPattern.parse(pattern)
    assert str(parsed) == pattern
    assert [text for text in good if not parsed.matches(parse_identity(text))] == []
    assert [text for text in bad if parsed.matches(parse_identity(text))] == []


@pytest.mark.parametrize(
    "text", ["a*.example.org", "*", "**.example.org", "gw.*", "*x@example.org", "*@", "CN=*,", "*example.org"]
)
def test_a_wildcard_only_stands_where_it_means_something(text: str) -> None:
    if text == "*":
        assert IdentityPattern.parse(text) == ANY
    else:
        with pytest.raises(ValueError, match=r"\w"):
            IdentityPattern.parse(text)


def test_ranks_put_the_certain_before_the_vague() -> None:
    alice = parse_identity("alice@dev.ikegw.example")
    ranks = [
        IdentityPattern.parse(text).rank(alice)
        for text in ("bob@x", "%any", "*@dev.ikegw.example", "alice@dev.ikegw.example")
    ]
    assert ranks == sorted(ranks)
    assert (ranks[0], ranks[1], ranks[3]) == (0, ANY_RANK, EXACT_RANK)
    name = parse_identity("C=CH, O=x, CN=y")
    assert (
        ANY_RANK
        < IdentityPattern.parse("C=*, O=*, CN=*").rank(name)
        < IdentityPattern.parse("C=CH, O=x, CN=*").rank(name)
        < IdentityPattern.parse("C=CH, O=x, CN=y").rank(name)
    )
    address = parse_identity("192.0.2.1")
    assert (
        ANY_RANK
        < IdentityPattern.parse("0.0.0.0/0").rank(address)
        < IdentityPattern.parse("192.0.2.0/24").rank(address)
    )


def test_an_address_is_an_identity() -> None:
    assert from_address(ip_address("192.0.2.1")) == parse_identity("192.0.2.1")
    assert from_address(ip_address("2001:db8::1")) == parse_identity("2001:db8::1")
