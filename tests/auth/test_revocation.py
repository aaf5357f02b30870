"""What CRLs and OCSP answers say of a certificate, and that what is wrong with them in any way says nothing."""

from datetime import timedelta

import pytest
from auth_world import NOW, World
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikegw.auth.archive import Archive, Kept
from ikegw.auth.bundles import MOST, BadBundle, read_bundle
from ikegw.auth.certificates import X509
from ikegw.auth.crls import BadCrl, Crl
from ikegw.auth.ocsp import BadAnswer, OcspAnswer, read_answer
from ikegw.auth.revocation import NOTHING_KNOWN, Link, by_answer, by_crl
from ikegw.testing.pki import Authority, Party, Period, crl_at

HERE = "http://pki.test/root.crl"


def link(world: World, party: Party) -> Link:
    return Link(X509.of(party.certificate), X509.of(world.root.certificate))


def listed(world: World) -> Party:
    return world.issue(extensions=(crl_at(HERE),))


def scope(**said: object) -> tuple[x509.ExtensionType, bool]:
    """The extension that says what a CRL is for."""
    said = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    } | said
    return x509.IssuingDistributionPoint(**said), True  # type: ignore[arg-type]


# ---------------------------------------------------------------- CRLs


def test_a_crl_says_who_is_revoked_and_who_is_not(world: World) -> None:
    carol, crl = link(world, world.carol), Crl.parse(world.root.crl([world.carol]))
    assert crl.signed_by(carol.issuer)
    assert "keyCompromise" in by_crl(carol, [crl], NOW).revoked
    good = by_crl(link(world, world.gateway), [crl], NOW)
    assert not good.revoked
    assert good.until == crl.next_update


def test_a_crl_that_ran_out_or_is_not_yet_says_nothing(world: World) -> None:
    for period in (world.period.past(), world.period.future()):
        crl = Crl.parse(world.root.crl([world.carol], period=period))
        assert by_crl(link(world, world.carol), [crl], NOW) == NOTHING_KNOWN


def test_a_crl_of_another_of_the_same_name_is_not_its_issuers(world: World) -> None:
    impostor = type(world.root).root("Root", "ecdsa256", world.period)
    assert not Crl.parse(impostor.crl()).signed_by(X509.of(world.root.certificate))


@pytest.mark.parametrize(
    ("said", "covered"),
    [
        ({"only_contains_user_certs": True}, True),
        ({"only_contains_ca_certs": True}, False),
        ({"full_name": [x509.UniformResourceIdentifier(HERE)]}, True),
        ({"full_name": [x509.UniformResourceIdentifier("http://pki.test/other.crl")]}, False),
    ],
)
def test_a_crl_counts_only_for_what_it_is_for(world: World, said: dict[str, object], covered: bool) -> None:
    party = listed(world)
    crl = Crl.parse(world.root.crl([party], extensions=(scope(**said),)))
    assert bool(by_crl(link(world, party), [crl], NOW).revoked) is covered


@pytest.mark.parametrize(
    "said",
    [
        {"indirect_crl": True},
        {"only_contains_attribute_certs": True},
        {"only_some_reasons": frozenset({x509.ReasonFlags.superseded})},
    ],
)
def test_a_crl_of_a_kind_that_is_not_understood_is_refused(world: World, said: dict[str, object]) -> None:
    with pytest.raises(BadCrl):
        Crl.parse(world.root.crl(extensions=(scope(**said),)))


def test_a_delta_crl_adds_to_the_complete_one_and_takes_back(world: World) -> None:
    carol, gateway = link(world, world.carol), link(world, world.gateway)
    complete = Crl.parse(world.root.crl([world.carol], number=5))
    back = Crl.parse(
        world.root.crl(
            [world.carol],
            number=6,
            extensions=((x509.DeltaCRLIndicator(5), True),),
            reason=x509.ReasonFlags.remove_from_crl,
        )
    )
    more = Crl.parse(
        world.root.crl([world.gateway], number=7, extensions=((x509.DeltaCRLIndicator(5), True),))
    )
    assert not by_crl(carol, [complete, back], NOW).revoked
    assert by_crl(gateway, [complete, more], NOW).revoked
    assert by_crl(gateway, [more], NOW) == NOTHING_KNOWN, "a delta alone"
    late = Crl.parse(
        world.root.crl([world.gateway], number=9, extensions=((x509.DeltaCRLIndicator(8), True),))
    )
    assert not by_crl(gateway, [complete, late], NOW).revoked, "a delta to a later one"


def test_an_older_crl_never_takes_the_place_of_a_newer_one(world: World) -> None:
    kept, issuer = list[Crl](), X509.of(world.root.certificate)
    archive = Archive(lambda crl, signer: kept.append(crl))
    newer, older = Crl.parse(world.root.crl([world.carol], number=2)), Crl.parse(world.root.crl(number=1))
    archive.put_crl(newer, issuer, NOW)
    archive.put_crl(older, issuer, NOW + timedelta(hours=1))
    (held,) = archive.crls(issuer)
    assert held.crl is newer
    assert kept == [newer]


def test_what_was_found_on_disk_counts_as_soon_as_its_issuer_is_known(world: World) -> None:
    """Another authority of the same name may have made it."""
    twin = Authority.root("Root", "ecdsa256", world.period)
    theirs, ours = Crl.parse(twin.crl([world.carol])), Crl.parse(world.root.crl(number=2))
    written = list[Crl]()
    archive = Archive(lambda crl, signer: written.append(crl))
    archive.find([Kept(theirs, NOW), Kept(ours, NOW)])
    assert [each.crl for each in archive.crls(X509.of(world.root.certificate))] == [ours]
    assert [each.crl for each in archive.crls(X509.of(twin.certificate))] == [theirs]
    assert not archive.crls(X509.of(world.foreign.certificate))
    assert not written, "it is on disk already"


def test_what_was_fetched_meanwhile_is_newer_than_what_was_found(world: World) -> None:
    issuer, archive = X509.of(world.root.certificate), Archive()
    newer = Crl.parse(world.root.crl([world.carol], number=2))
    archive.put_crl(newer, issuer, NOW)
    archive.find([Kept(Crl.parse(world.root.crl(number=1)), NOW - timedelta(hours=1))])
    (held,) = archive.crls(issuer)
    assert held.crl is newer


# ---------------------------------------------------------------- OCSP


def answered(world: World, octets: bytes, nonce: bytes | None = None) -> OcspAnswer:
    carol = link(world, world.carol)
    return read_answer(octets, carol.certificate, carol.issuer, NOW, nonce)


def test_an_answer_says_whether_it_is_revoked(world: World) -> None:
    good = answered(world, world.root.answer(world.carol))
    assert not by_answer(good, NOW, NOW).revoked
    assert by_answer(good, NOW, NOW).until == good.until
    assert (
        "keyCompromise"
        in by_answer(answered(world, world.root.answer(world.carol, revoked=True)), NOW, NOW).revoked
    )


def test_an_answer_to_another_question_or_about_another_says_nothing(world: World) -> None:
    nonce = bytes(range(32))
    assert answered(world, world.root.answer(world.carol, nonce=nonce), nonce)
    with pytest.raises(BadAnswer, match="nonce"):
        answered(world, world.root.answer(world.carol, nonce=bytes(32)), nonce)
    with pytest.raises(BadAnswer, match="other certificates"):
        answered(world, world.root.answer(world.gateway))


def test_who_may_answer_in_the_issuers_place(world: World) -> None:
    def delegate(*usages: x509.ObjectIdentifier, period: Period | None = None) -> Party:
        return world.root.issue("ocsp.test", "ecdsa256", usages=usages, period=period)

    signing = ExtendedKeyUsageOID.OCSP_SIGNING
    assert answered(world, world.root.answer(world.carol, delegate=delegate(signing))).delegate is not None
    with pytest.raises(BadAnswer, match="may not"):
        answered(world, world.root.answer(world.carol, delegate=world.carol))
    late = world.root.answer(world.carol, delegate=delegate(signing, period=world.period.past()))
    with pytest.raises(BadAnswer, match="not valid now"):
        answered(world, late)
    foreign = world.foreign.issue("ocsp.test", "ecdsa256", usages=(signing,))
    with pytest.raises(BadAnswer, match="did not issue"):
        answered(world, world.root.answer(world.carol, delegate=foreign))


# ---------------------------------------------------------------- bad input


def damaged(octets: bytes) -> list[bytes]:
    """Cut at every third octet, and with one bit flipped in every third, so that each bit has its turn."""
    cut = [octets[:length] for length in range(0, len(octets), 3)]
    flipped = [
        octets[:at] + bytes((octets[at] ^ 1 << at // 3 % 8,)) + octets[at + 1 :]
        for at in range(0, len(octets), 3)
    ]
    return cut + flipped


def test_a_damaged_crl_is_never_believed(world: World) -> None:
    issuer = X509.of(world.root.certificate)
    for octets in damaged(world.root.crl([world.carol, world.gateway])):
        try:
            crl = Crl.parse(octets)
        except BadCrl:
            continue
        assert not crl.signed_by(issuer)


def test_a_damaged_answer_is_never_believed(world: World) -> None:
    whole = world.root.answer(world.carol)
    for octets in damaged(whole):
        with pytest.raises(BadAnswer):
            answered(world, octets)


def tlv(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content


def test_a_bundle_holds_certificates_and_crls(world: World) -> None:
    crl = world.root.crl()
    bundle = tlv(0x30, tlv(0xA0, world.carol.der) + tlv(0xA1, crl) + tlv(0xA0, world.gateway.der))
    assert read_bundle(bundle) == ((world.carol.der, world.gateway.der), (crl,))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        tlv(0x31, b""),
        tlv(0x30, b"") + b"\0",
        tlv(0x30, tlv(0xA2, b"")),
        tlv(0x30, tlv(0xA0, b"") * (MOST + 1)),
        tlv(0x30, tlv(0xA0, b"x"))[:-1],
    ],
    ids=range(9),
)
def test_what_is_no_bundle(octets: bytes) -> None:
    with pytest.raises(BadBundle):
        read_bundle(octets)
