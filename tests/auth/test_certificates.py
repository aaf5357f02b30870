"""A certificate read once into a value, and whose it is."""

from ipaddress import ip_network

import pytest
from auth_world import World
from cryptography import x509

from ikegw.auth.certificates import MOST_NAMES, X509, BadCertificate, carries
from ikegw.policy.identities import display, parse_identity
from ikegw.testing.pki import subject
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType


def test_names_are_subject_and_alternatives(world: World) -> None:
    gateway = X509.parse(world.gateway.der)
    assert [display(name) for name in gateway.names] == [
        "C=CH, O=ikegw, CN=gw.ikegw.example",
        "gw.ikegw.example",
        "192.0.2.1",
        "2001:db8::1",
    ]
    assert gateway.names_text() == ", ".join(display(name) for name in gateway.names)
    assert not gateway.is_authority
    assert not gateway.self_issued


def test_directory_names_count_and_other_kinds_do_not(world: World) -> None:
    alternatives = x509.SubjectAlternativeName(
        [
            x509.DirectoryName(subject("alias")),
            x509.UniformResourceIdentifier("https://ikegw.example/"),
            x509.IPAddress(ip_network("192.0.2.0/24")),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01x"),
        ]
    )
    parsed = X509.parse(world.issue(names=(), extensions=[(alternatives, False)]).der)
    assert [display(name) for name in parsed.names] == [
        "C=CH, O=ikegw, CN=carol@ikegw.example",
        "C=CH, O=ikegw, CN=alias",
    ]


@pytest.mark.parametrize(
    ("names", "identity", "good"),
    [
        ("gw.ikegw.example", "gw.ikegw.example", True),
        ("gw.ikegw.example", "GW.ikegw.Example", True),
        ("gw.ikegw.example", "gw2.ikegw.example", False),
        ("gw.ikegw.example", "rfc822:gw.ikegw.example", False),
        ("gw.ikegw.example", "keyid:gw.ikegw.example", False),
        ("gw.ikegw.example", "C=CH, O=ikegw, CN=subject", True),
        ("gw.ikegw.example", "C=ch, O=IKEGW, CN=Subject", True),
        ("gw.ikegw.example", "CN=subject, O=ikegw, C=CH", False),
        ("gw.ikegw.example", "O=ikegw, CN=subject", False),
        ("gw.ikegw.example", "subject", False),  # a common name is no host name
        ("*.ikegw.example", "gw.ikegw.example", True),
        ("*.ikegw.example", "GW.IKEGW.example", True),
        ("*.ikegw.example", "a.gw.ikegw.example", False),
        ("*.ikegw.example", "ikegw.example", False),
        ("*.ikegw.example", "rfc822:gw.ikegw.example", False),
        ("*.example", "gw.example", False),
        ("g*.ikegw.example", "gw.ikegw.example", False),
        ("*.*.example", "a.b.example", False),
        ("*.2.0.192", "1.2.0.192", False),
        ("carol@ikegw.example", "carol@ikegw.example", True),
        ("carol@ikegw.example", "Carol@IKEGW.example", True),
        ("carol@ikegw.example", "dave@ikegw.example", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "fqdn:192.0.2.1", False),
        ("2001:db8::1", "2001:0db8::0001", True),
    ],
)
def test_whose_certificate_it_is(world: World, names: str, identity: str, good: bool) -> None:
    parsed = X509.parse(world.root.issue("subject", "ecdsa256", [names]).der)
    assert carries(parsed.names, parse_identity(identity)) is good


@pytest.mark.parametrize(
    "octets", [b"gw.ikegw.example\0", b"gw\0.ikegw.example", b"\xff\xfe", b"", b"*.ikegw.example "]
)
def test_odd_octets_in_an_identity_match_no_wildcard(world: World, octets: bytes) -> None:
    parsed = X509.parse(world.root.issue("subject", "ecdsa256", ["*.ikegw.example"]).der)
    assert not carries(parsed.names, Identity(IdType.FQDN, octets))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        bytes(1000),
        b"-----BEGIN CERTIFICATE-----",
    ],
)
def test_what_is_no_certificate(octets: bytes) -> None:
    with pytest.raises(BadCertificate, match="not a certificate that can be read"):
        X509.parse(octets)


def test_trailing_octets_are_refused(world: World) -> None:
    with pytest.raises(BadCertificate):
        X509.parse(world.carol.der + b"\0")


def test_a_flood_of_names_is_refused(world: World) -> None:
    names = [f"host{number}.ikegw.example" for number in range(MOST_NAMES)]
    with pytest.raises(BadCertificate, match="more than 64 names"):
        X509.parse(world.issue(names=names).der)


def test_repr_shows_who_it_is_and_not_what_it_is_made_of(world: World) -> None:
    shown = repr(X509.parse(world.carol.der))
    assert "CN=carol@ikegw.example" in shown
    assert "Certificate(" not in shown
    assert "b'" not in shown
