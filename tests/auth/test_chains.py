"""From a peer's certificate to an authority of ours: what holds, and for each thing that does not, what the operator reads."""

import re
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from attrs import evolve
from auth_world import World
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from ikegw.auth.certificates import X509, carries
from ikegw.auth.chains import MOST_CERTIFICATES, Chain, Trust
from ikegw.auth.errors import AuthenticationError
from ikegw.events import AuthFailure
from ikegw.pki.authority import authority_extensions
from ikegw.testing.pki import KINDS, Authority, Party, Period, general_name, key_usage, subject
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType


def trusting(*authorities: Authority | x509.Certificate) -> Trust:
    return Trust(
        [X509.of(each if isinstance(each, x509.Certificate) else each.certificate) for each in authorities]
    )


def ders(party: Party) -> list[bytes]:
    return [party.der, *(each.public_bytes(Encoding.DER) for each in party.intermediates)]


def chain(trust: Trust, party: Party, now: datetime) -> Chain:
    return trust.chain(ders(party), now)


def refusal(trust: Trust, certificates: list[bytes], now: datetime) -> tuple[AuthFailure, str]:
    with pytest.raises(AuthenticationError) as caught:
        trust.chain(certificates, now)
    return caught.value.reason, caught.value.detail


def refuse(
    trust: Trust, party: Party, now: datetime, expected: AuthFailure = AuthFailure.NOT_AUTHENTIC
) -> str:
    reason, detail = refusal(trust, ders(party), now)
    assert reason is expected
    return detail


def test_directly_under_the_root(world: World) -> None:
    found = chain(trusting(world.root), world.carol, world.now)
    assert found.subject == "C=CH, O=ikegw, CN=carol@ikegw.example"
    assert found.authority == "C=CH, O=ikegw, CN=Root"
    assert found.public_key == world.carol.key.public_key()


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"rsa3072", "rsa4096"}))
def test_every_kind_of_key_may_issue_and_be_issued(world: World, kind: str) -> None:
    root = Authority.root("Root", kind, world.period)
    party = root.intermediate("Middle", kind).issue("carol@ikegw.example", kind)
    assert chain(trusting(root), party, world.now).public_key == party.key.public_key()


def test_through_an_intermediate_that_the_peer_sends_or_that_we_have(world: World) -> None:
    assert chain(trusting(world.root), world.below, world.now).authority.endswith("CN=Root")
    ours = Trust([X509.of(world.root.certificate)], [X509.of(world.middle.certificate)])
    assert ours.chain([world.below.der], world.now).authority.endswith("CN=Root")


def test_an_intermediate_may_be_the_authority_and_then_the_root_is_not(world: World) -> None:
    trust = trusting(world.middle)
    assert trust.chain([world.below.der], world.now).authority.endswith("CN=Middle")
    assert "issued by C=CH, O=ikegw, CN=Root" in refuse(trust, world.carol, world.now)


def test_order_and_noise_among_what_comes_with_the_certificate_do_not_matter(world: World) -> None:
    lower = world.middle.intermediate("Lower", "ecdsa256")
    party = lower.issue("erin@ikegw.example", "ecdsa256")
    assert len(party.intermediates) == 2
    noise = [
        world.root.certificate.public_bytes(Encoding.DER),
        world.foreign.certificate.public_bytes(Encoding.DER),
        b"?",
    ]
    mixed = [party.der, *noise, *ders(party)[:0:-1]]
    assert trusting(world.root).chain(mixed, world.now).authority.endswith("CN=Root")


def test_foreign(world: World) -> None:
    party = world.foreign.issue("carol@ikegw.example", "ecdsa256")
    detail = refuse(trusting(world.root, world.middle), party, world.now)
    assert detail == (
        "certificate C=CH, O=ikegw, CN=carol@ikegw.example was issued by C=CH, O=ikegw, CN=Foreign, which is none of the "
        "authorities here (C=CH, O=ikegw, CN=Middle, C=CH, O=ikegw, CN=Root) nor led to by what the peer sent; put its "
        "authority into ca/ or have the peer send its intermediate certificates"
    )


def test_intermediate_missing_or_unreadable(world: World) -> None:
    reason, detail = refusal(trusting(world.root), [world.below.der, b"\x30\x03\x02\x01\x00"], world.now)
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert "was issued by C=CH, O=ikegw, CN=Middle" in detail
    assert "; certificate 2 that it sent: not a certificate" in detail


def test_an_authority_of_the_same_name_but_another_key_is_no_authority(world: World) -> None:
    twin = Authority.root("Root", "ecdsa256", world.period)
    assert "Root" in refuse(trusting(twin), world.carol, world.now)
    assert "Root" in refuse(trusting(world.root), twin.issue("carol@ikegw.example", "ecdsa256"), world.now)


def test_a_self_signed_certificate_is_not_its_own_authority(world: World) -> None:
    selfish = Authority.root("carol@ikegw.example", "ecdsa256", world.period)
    reason, detail = refusal(
        trusting(world.root), [selfish.certificate.public_bytes(Encoding.DER)], world.now
    )
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert (
        "CN=carol@ikegw.example was issued by C=CH, O=ikegw, CN=carol@ikegw.example, which is none" in detail
    )


@pytest.mark.parametrize(
    ("later", "text"),
    [
        (timedelta(days=17, hours=3), "(17 days ago)"),
        (timedelta(days=1), "(1 day ago)"),
        (timedelta(hours=5), "(5 hours ago)"),
        (timedelta(minutes=1, seconds=59), "(1 minute ago)"),
        (timedelta(seconds=1), "(less than a minute ago)"),
    ],
)
def test_expired(world: World, later: timedelta, text: str) -> None:
    party = world.issue(period=Period(world.now - timedelta(days=90), world.now - later))
    detail = refuse(trusting(world.root), party, world.now, AuthFailure.OUT_OF_TIME)
    ended = f"{world.now - later:%Y-%m-%d %H:%M} UTC"
    assert detail == (
        f"certificate C=CH, O=ikegw, CN=carol@ikegw.example expired {ended} {text}; this host's clock says 2026-01-19 12:00 UTC: "
        "if that is right, issue a new one"
    )


def test_not_yet_valid(world: World) -> None:
    party = world.issue(period=world.period.future())
    detail = refuse(trusting(world.root), party, world.now, AuthFailure.OUT_OF_TIME)
    assert "is not valid before 2027-01-19 12:00 UTC (in 365 days)" in detail
    assert "this host's clock says 2026-01-19 12:00 UTC: is that right?" in detail


def test_the_ends_of_validity_are_valid(world: World) -> None:
    trust = trusting(world.root)
    chain(trust, world.carol, world.carol.certificate.not_valid_before_utc)
    chain(trust, world.carol, world.carol.certificate.not_valid_after_utc)


def test_an_expired_authority_is_named(world: World) -> None:
    root = Authority.root("Old", "ecdsa256", world.period.past())
    party = evolve(root, period=world.period).issue("carol@ikegw.example", "ecdsa256")
    assert refuse(trusting(root), party, world.now, AuthFailure.OUT_OF_TIME).startswith(
        "certificate C=CH, O=ikegw, CN=Old expired 2026-01-17"
    )


def test_a_chain_from_the_cache_expires_all_the_same(world: World) -> None:
    trust, party = trusting(world.root), world.issue()
    first = chain(trust, party, world.now)
    assert chain(trust, party, world.now + timedelta(days=300)) is first
    late, early = world.now + timedelta(days=366), world.now - timedelta(days=2)
    assert "expired" in refuse(trust, party, late, AuthFailure.OUT_OF_TIME)
    assert "not valid before" in refuse(trust, party, early, AuthFailure.OUT_OF_TIME)


def test_the_cache_is_bounded_and_keeps_what_is_used(world: World) -> None:
    trust = Trust([X509.of(world.root.certificate)], remembered=2)
    key = KINDS["ecdsa256"]()
    parties = [world.root.issue(f"user{number}", "ecdsa256", key=key) for number in range(3)]
    first = chain(trust, parties[0], world.now)
    second = chain(trust, parties[1], world.now)
    assert chain(trust, parties[0], world.now) is first
    chain(trust, parties[2], world.now)
    assert chain(trust, parties[0], world.now) is first
    assert chain(trust, parties[1], world.now) is not second


def test_what_failed_is_not_remembered_as_good(world: World) -> None:
    trust = trusting(world.root)
    foreign = world.foreign.issue("carol@ikegw.example", "ecdsa256")
    for _ in range(2):
        refuse(trust, foreign, world.now)
    assert not trust._chains


def test_a_signature_that_the_issuer_did_not_make(world: World) -> None:
    der = bytearray(world.carol.der)
    der[-1] ^= 1
    reason, detail = refusal(trusting(world.root), [bytes(der)], world.now)
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert "bears a signature that its issuer did not make" in detail


@pytest.mark.parametrize("usages", [("key_encipherment",), ("key_agreement",), ("key_cert_sign", "crl_sign")])
def test_key_usage_without_signing(world: World, usages: tuple[str, ...]) -> None:
    assert "may not sign: its keyUsage has neither" in refuse(
        trusting(world.root), world.issue(key_usages=usages), world.now
    )


@pytest.mark.parametrize("usages", [(), ("content_commitment",), ("digital_signature", "key_encipherment")])
def test_key_usage_that_signs_or_none(world: World, usages: tuple[str, ...]) -> None:
    chain(trusting(world.root), world.issue(key_usages=usages), world.now)


@pytest.mark.parametrize(
    "purpose",
    [
        "1.3.6.1.5.5.7.3.17",
        "1.3.6.1.5.5.8.2.2",
        "1.3.6.1.5.5.7.3.1",
        "1.3.6.1.5.5.7.3.2",
        "2.5.29.37.0",
        None,
    ],
)
def test_purposes_that_serve(world: World, purpose: str | None) -> None:
    purposes = () if purpose is None else (ExtendedKeyUsageOID.CODE_SIGNING, ObjectIdentifier(purpose))
    chain(trusting(world.root), world.issue(usages=purposes), world.now)


def test_purposes_that_do_not(world: World) -> None:
    detail = refuse(trusting(world.root), world.issue(usages=(ExtendedKeyUsageOID.CODE_SIGNING,)), world.now)
    assert "is for other purposes (extendedKeyUsage 1.3.6.1.5.5.7.3.3); it needs serverAuth" in detail


def test_an_end_entity_that_issues(world: World) -> None:
    carol = Authority(world.carol.certificate, world.carol.key, world.period)
    party = carol.issue("mallory@ikegw.example", "ecdsa256")
    detail = refuse(trusting(world.root), party, world.now)
    assert re.search(r"CN=carol@ikegw.example has issued another, but|CN=mallory.* was issued by", detail)


@pytest.mark.parametrize("key_usages", [("digital_signature",), ("key_cert_sign",), ()])
def test_an_issuer_without_basic_constraints(world: World, key_usages: tuple[str, ...]) -> None:
    false = world.root.issue("False", "ecdsa256", key_usages=key_usages)
    party = Authority(false.certificate, false.key, world.period).issue("mallory@ikegw.example", "ecdsa256")
    assert "CN=False" in refuse(trusting(world.root), party, world.now)


@pytest.mark.parametrize("usages", [("key_cert_sign",), ("digital_signature",)])
def test_an_issuer_that_leaves_basic_constraints_out(world: World, usages: tuple[str, ...]) -> None:
    """OpenSSL before 4.0 takes keyCertSign alone for an authority; whoever links us with one must not."""
    key = KINDS["ecdsa256"]()
    bare = world.root._sign(subject("Bare"), key, world.period, [(key_usage(usages), True)])
    party = Authority(bare, key, world.period).issue("mallory@ikegw.example", "ecdsa256")
    assert "CN=Bare" in refuse(trusting(world.root), party, world.now)


def test_path_length(world: World) -> None:
    root = Authority.root("Short", "ecdsa256", world.period, path_length=0)
    chain(trusting(root), root.issue("carol@ikegw.example", "ecdsa256"), world.now)
    detail = refuse(
        trusting(root), root.intermediate("Middle", "ecdsa256").issue("dave", "ecdsa256"), world.now
    )
    assert "stands too far below its authority (path length)" in detail


def test_path_length_counts_no_certificate_of_the_authority_for_itself(world: World) -> None:
    """A root that changed its key certifies the new one with the old (RFC 5280 §6.1.4 (l))."""
    root = Authority.root("Short", "ecdsa256", world.period, path_length=1)
    key = KINDS["ecdsa256"]()
    renewed = root._sign(root.certificate.subject, key, world.period, authority_extensions(None))
    middle = Authority(renewed, key, world.period).intermediate("Middle", "ecdsa256")
    party = evolve(
        middle.issue("carol@ikegw.example", "ecdsa256"), intermediates=(middle.certificate, renewed)
    )
    assert len(chain(trusting(root), party, world.now).path) == 4


def test_an_issuer_whose_key_may_not_sign_certificates(world: World) -> None:
    key = KINDS["ecdsa256"]()
    extensions = [(x509.BasicConstraints(True, None), True), (key_usage(("crl_sign",)), True)]
    false = world.root._sign(subject("False"), key, world.period, extensions)
    party = Authority(false, key, world.period).issue("mallory@ikegw.example", "ecdsa256")
    assert "CN=False" in refuse(trusting(world.root), party, world.now)


def test_an_intermediate_that_expired_is_named(world: World) -> None:
    middle = world.root.intermediate("Old", "ecdsa256", period=world.period.past())
    party = middle.issue("carol@ikegw.example", "ecdsa256", period=world.period)
    assert "CN=Old expired" in refuse(trusting(world.root), party, world.now, AuthFailure.OUT_OF_TIME)


def test_authorities_that_certify_each_other_lead_nowhere(world: World) -> None:
    """Nor round and round."""
    one, other = (Authority.root(name, "ecdsa256", world.period) for name in ("One", "Other"))
    crossed = [
        issuer._sign(of.certificate.subject, of.key, world.period, authority_extensions(None))
        for issuer, of in ((one, other), (other, one))
    ]
    party = evolve(one.issue("carol@ikegw.example", "ecdsa256"), intermediates=tuple(crossed))
    assert "none of the authorities here" in refuse(trusting(world.root), party, world.now)
    assert chain(trusting(other), party, world.now).authority == "C=CH, O=ikegw, CN=Other"


@pytest.mark.parametrize(
    ("permitted", "good", "bad"),
    [
        (x509.RFC822Name("ikegw.example"), "carol@ikegw.example", "carol@evil.example"),
        (x509.DNSName("ikegw.example"), "gw.ikegw.example", "gw.evil.example"),
        (x509.IPAddress(ip_network("10.1.0.0/16")), "10.1.2.3", "10.2.2.3"),
        (x509.IPAddress(ip_network("2001:db8::/32")), "2001:db8::1", "2001:db9::1"),
        (x509.DirectoryName(subject("x")), None, None),
    ],
)
def test_name_constraints(
    world: World, permitted: x509.GeneralName, good: str | None, bad: str | None
) -> None:
    constraint = x509.NameConstraints([permitted], None), True
    middle = world.root.intermediate("Middle", "ecdsa256", extensions=[constraint])
    if good is not None:
        chain(trusting(world.root), middle.issue(good, "ecdsa256"), world.now)
    detail = refuse(trusting(world.root), middle.issue(bad or "other", "ecdsa256"), world.now)
    assert "has a name outside those that its authority may certify" in detail


@pytest.mark.parametrize(
    ("excluded", "names"),
    [
        ("evil.example", ["gw.evil.example"]),
        ("evil.example", ["evil.example"]),
        ("EVIL.example", ["gw.Evil.Example"]),
        ("evil.example", ["good.example", "gw.evil.example"]),
        ("evil.example", ["*.evil.example"]),
    ],
)
def test_excluded_names(world: World, excluded: str, names: list[str]) -> None:
    constraint = x509.NameConstraints(None, [general_name(excluded)]), True
    middle = world.root.intermediate("Middle", "ecdsa256", extensions=[constraint])
    party = middle.issue("somebody", "ecdsa256", names)
    assert "must not certify" in refuse(trusting(world.root), party, world.now)


@pytest.mark.parametrize(
    "name", ["gw.evil.example.", "evil.example\0.good.example", ".evil.example", "gw..evil.example"]
)
def test_a_name_that_is_spelled_oddly_gets_around_no_exclusion(world: World, name: str) -> None:
    """Either it is refused, or it is not the name of whom it should not be."""
    constraint = x509.NameConstraints(None, [general_name("evil.example")]), True
    middle = world.root.intermediate("Middle", "ecdsa256", extensions=[constraint])
    party = middle.issue("somebody", "ecdsa256", [name])
    try:
        found = chain(trusting(world.root), party, world.now)
    except AuthenticationError:
        return
    for host in ("gw.evil.example", "evil.example"):
        assert not carries(found.names, Identity(IdType.FQDN, host.encode()))


def test_constraints_hold_for_all_below_and_not_for_those_beside(world: World) -> None:
    constraint = x509.NameConstraints([x509.DNSName("ikegw.example")], None), True
    middle = world.root.intermediate("Middle", "ecdsa256", extensions=[constraint])
    below = middle.intermediate("Below", "ecdsa256")
    assert "outside those" in refuse(
        trusting(world.root), below.issue("gw.evil.example", "ecdsa256"), world.now
    )
    chain(trusting(world.root), below.issue("gw.ikegw.example", "ecdsa256"), world.now)
    chain(trusting(world.root), world.root.issue("gw.evil.example", "ecdsa256"), world.now)


def test_a_common_name_is_no_host_name(world: World) -> None:
    """What no constraint of DNS names looks at vouches for no DNS name."""
    found = chain(trusting(world.root), world.root.issue("gw.evil.example", "ecdsa256", ()), world.now)
    assert not carries(found.names, Identity(IdType.FQDN, b"gw.evil.example"))


def test_unknown_critical_extension(world: World) -> None:
    odd = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    chain(trusting(world.root), world.issue(extensions=[(odd, False)]), world.now)
    detail = refuse(trusting(world.root), world.issue(extensions=[(odd, True)]), world.now)
    assert "has a critical extension that is not understood" in detail


def test_small_rsa_key(world: World) -> None:
    party = world.issue(key=rsa.generate_private_key(65537, 1024))  # noqa: S505
    detail = refuse(trusting(world.root), party, world.now)
    assert "CN=carol@ikegw.example has an RSA key of less than 2048 bits, which can be broken" in detail


def test_curve_that_ike_does_not_know(world: World) -> None:
    party = world.issue(key=ec.generate_private_key(ec.SECP256K1()))
    assert "its key is on curve secp256k1" in refuse(trusting(world.root), party, world.now)


def test_a_weak_hash_under_the_authority_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    party = world.issue(digest=hashes.SHA384())
    monkeypatch.setattr("ikegw.auth.certificates.STRONG_HASHES", frozenset({"sha256"}))
    detail = refuse(trusting(world.root), party, world.now)
    assert "was signed with SHA384, which is broken; have it issued again with SHA-256" in detail


def test_too_many_certificates(world: World) -> None:
    reason, detail = refusal(trusting(world.root), [world.carol.der] * (MOST_CERTIFICATES + 1), world.now)
    assert reason is AuthFailure.NOT_AUTHENTIC
    assert "sent 11 certificates, more than 10" in detail


def test_no_authority_is_our_own_fault(world: World) -> None:
    reason, detail = refusal(Trust([]), [world.carol.der], world.now)
    assert reason is AuthFailure.NO_OWN_MATERIAL
    assert "put one into ca/" in detail
