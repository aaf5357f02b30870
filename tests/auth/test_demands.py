"""What a connection demands of certificates beyond an authority's word, and what it lets pass."""

import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from auth_world import NOW, World
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier

from ikegw.auth.authenticator import Authenticator, Verified
from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import AuthenticationError
from ikegw.auth.peers import peer_chain
from ikegw.crypto.transforms import PRF_BY_ID
from ikegw.pki.authority import authority_extensions
from ikegw.pki.extensions import Extension
from ikegw.policy.connections import AuthKind, RemoteAuth
from ikegw.policy.demands import Demands, Pin, Weakness
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.testing.pki import Authority, Party, Period, subject
from ikegw.wire.authentication import Authentication
from ikegw.wire.certificate import Certificate
from ikegw.wire.registry import AuthMethod, CertEncoding, PrfId

PRF = PRF_BY_ID[PrfId.HMAC_SHA2_256]
CAROL = parse_identity("carol@ikegw.example")


def judged(
    world: World,
    party: Party,
    demands: Demands,
    *,
    authorities: tuple[str, ...] = (),
    known: Sequence[Party] = (),
    shown: bool = True,
    welcome: str = "carol@ikegw.example",
) -> str:
    """By what carol is known when she shows the certificate, or why she is not."""
    credentials = Credentials(
        certificates={f"{number}.pem": (X509.of(each.certificate),) for number, each in enumerate(known)},
        authorities={"root.pem": (X509.of(world.root.certificate),)},
    )
    presented = (party.certificate, *party.intermediates) if shown else ()
    ders = tuple(each.public_bytes(Encoding.DER) for each in presented)
    pattern = IdentityPattern.parse(welcome)
    remote = RemoteAuth(AuthKind.PUBKEY, pattern, authorities, demands=demands)
    try:
        return peer_chain(credentials, remote, CAROL, ders, world.now).authority
    except AuthenticationError as error:
        return error.detail


class TestPins:
    def pins(self, party: Party) -> tuple[Pin, Pin]:
        return X509.of(party.certificate).pins

    def test_as_openssl_writes_them(self, world: World) -> None:
        certificate, key = self.pins(world.carol)
        pem = world.carol.certificate.public_bytes(Encoding.PEM)
        shown = subprocess.run(
            ["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=pem, capture_output=True
        )
        assert Pin.parse("sha256:" + shown.stdout.decode().partition("=")[2]) == certificate
        pipe = "openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64"
        shown = subprocess.run(["sh", "-c", pipe], input=pem, capture_output=True)
        assert Pin.parse("key-sha256:" + shown.stdout.decode()) == key
        assert Pin.parse(str(key)) == key

    @pytest.mark.parametrize(
        "text", ["", "sha256:", "sha256:abcd", "sha1:" + "00" * 20, "ff" * 32, "sha256:" + "ff" * 33, "key-sha256:%%"]
    )  # fmt: skip
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".*"):
            Pin.parse(text)

    @pytest.mark.parametrize("which", [0, 1])
    def test_one_is_trusted_by_itself_and_no_other(self, world: World, which: int) -> None:
        stranger = world.foreign.issue("carol@ikegw.example", "ecdsa256")
        demands = Demands((self.pins(stranger)[which],))
        assert judged(world, stranger, demands) == "pinned"
        assert "sent another certificate than the pinned" in judged(world, world.carol, demands)

    def test_a_key_survives_the_renewal_of_its_certificate(self, world: World) -> None:
        renewed = world.issue(key=world.carol.key)
        certificate, key = self.pins(world.carol)
        assert judged(world, renewed, Demands((key,))) == "pinned"
        assert "sent another certificate" in judged(world, renewed, Demands((certificate,)))
        assert judged(world, renewed, Demands((certificate, key))) == "pinned"

    @pytest.mark.parametrize("welcome", ["%any", "*@ikegw.example"])
    def test_the_owner_of_a_pinned_key_is_not_everybody(self, world: World, welcome: str) -> None:
        """Dave's key is pinned, too; he puts it into a certificate of his own making, with carol's name."""
        dave = world.root.issue("dave@ikegw.example", "ecdsa256")
        forged = world.foreign.issue("carol@ikegw.example", "ecdsa256", key=dave.key)
        pins = Demands((self.pins(dave)[1], self.pins(world.carol)[1]))
        told = judged(world, forged, pins, welcome=welcome)
        assert "is known by its key only, which could stand in a certificate with any name" in told
        assert "was issued by" in judged(world, forged, pins, welcome=welcome, authorities=("root.pem",))
        assert "sent another certificate" in judged(
            world, forged, Demands((self.pins(dave)[0],)), welcome=welcome
        )
        for known in ({"authorities": ("root.pem",)}, {"known": [world.carol]}):
            assert "known by its key" not in judged(world, world.carol, pins, welcome=welcome, **known)  # type: ignore[arg-type]

    def test_it_must_be_valid_and_the_peers(self, world: World) -> None:
        old = world.issue(period=world.period.past())
        assert "(2 days ago)" in judged(world, old, Demands(self.pins(old)))
        assert "is not carol@ikegw.example's" in judged(
            world, world.gateway, Demands(self.pins(world.gateway))
        )

    def test_with_authorities_both_must_hold(self, world: World) -> None:
        stranger = world.foreign.issue("carol@ikegw.example", "ecdsa256")
        with_root = {"authorities": ("root.pem",)}
        assert "was issued by" in judged(world, stranger, Demands(self.pins(stranger)), **with_root)
        assert judged(world, world.carol, Demands(self.pins(world.carol)), **with_root).endswith("CN=Root")

    def test_a_peer_that_sends_none_is_known_by_the_one_we_have(self, world: World) -> None:
        demands = Demands(self.pins(world.carol)[1:])
        assert (
            judged(world, world.carol, demands, known=[world.gateway, world.carol], shown=False) == "pinned"
        )
        assert "none of remote.pinned is in certs/" in judged(world, world.carol, demands, shown=False)

    def test_no_certificate_is_asked_for(self, world: World) -> None:
        credentials = Credentials(authorities={"root.pem": (X509.of(world.root.certificate),)})
        authenticator = Authenticator(credentials, lambda: NOW, lambda _: pytest.fail("slow"))
        remote = RemoteAuth(AuthKind.PUBKEY, demands=Demands(self.pins(world.carol)))
        assert authenticator.requests(remote) == ()
        assert authenticator.requests(evolve(remote, demands=Demands())) != ()


HIGH, LOW, ANY = "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2", "2.5.29.32.0"


def policies(*oids: str) -> Extension:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(ObjectIdentifier(oid), None) for oid in oids]
    ), False


class TestPolicies:
    """RFC 5280 §6.1: each certificate of the path must name the policy, or any."""

    def judged(self, world: World, issuer: Authority, *said: str, wanted: tuple[str, ...] = (HIGH,)) -> str:
        party = issuer.issue("carol@ikegw.example", "ecdsa256", extensions=[policies(*said)] if said else [])
        return judged(world, party, Demands(policies=wanted))

    def middle(self, world: World, *extensions: Extension) -> Authority:
        return world.root.intermediate("Middle", "ecdsa256", extensions=extensions)

    @pytest.mark.parametrize(
        ("issuers", "said", "good"),
        [
            ((HIGH,), (HIGH,), True),
            ((HIGH, LOW), (LOW, HIGH), True),
            ((ANY,), (HIGH,), True),
            ((HIGH,), (ANY,), True),
            ((ANY,), (ANY,), True),
            ((HIGH,), (LOW,), False),
            ((LOW,), (HIGH,), False),
            ((HIGH,), (), False),
            ((), (HIGH,), False),
        ],
    )
    def test_through_an_intermediate(
        self, world: World, issuers: tuple[str, ...], said: tuple[str, ...], good: bool
    ) -> None:
        middle = self.middle(world, *([policies(*issuers)] if issuers else []))
        told = self.judged(world, middle, *said)
        if good:
            assert told == "C=CH, O=ikegw, CN=Root"
        else:
            assert "is good for none of the certificate policies that the connection asks for" in told

    def test_one_of_several_is_enough_and_none_asks_nothing(self, world: World) -> None:
        assert self.judged(world, world.root, LOW, wanted=(HIGH, LOW)) == "C=CH, O=ikegw, CN=Root"
        assert self.judged(world, world.root, wanted=()) == "C=CH, O=ikegw, CN=Root"
        assert f"itself names {LOW}" in self.judged(world, world.root, LOW)
        assert "itself names none" in self.judged(world, world.root)

    def test_any_policy_may_be_inhibited(self, world: World) -> None:
        inhibited = self.middle(world, policies(HIGH), (x509.InhibitAnyPolicy(0), True))
        assert "is good for none" in self.judged(world, inhibited, ANY)
        assert self.judged(world, inhibited, HIGH) == "C=CH, O=ikegw, CN=Root"
        later = self.middle(world, policies(HIGH), (x509.InhibitAnyPolicy(1), True))
        assert self.judged(world, later, ANY) == "C=CH, O=ikegw, CN=Root"

    def test_an_authority_may_demand_one_though_the_connection_does_not(self, world: World) -> None:
        demanding = self.middle(world, policies(HIGH), (x509.PolicyConstraints(0, None), True))
        for said in ((HIGH,), (ANY,)):
            assert self.judged(world, demanding, *said, wanted=()) == "C=CH, O=ikegw, CN=Root"
        for other in ((LOW,), ()):
            told = self.judged(world, demanding, *other, wanted=())
            assert "is good for no certificate policy, though one of its authorities demands one" in told
        later = self.middle(world, policies(HIGH), (x509.PolicyConstraints(2, None), True))
        assert self.judged(world, later, LOW, wanted=()) == "C=CH, O=ikegw, CN=Root"

    def test_mappings_are_not_followed_and_said_so(self, world: World) -> None:
        mapping = x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.33"), mapped(HIGH, LOW))
        middle = self.middle(world, policies(HIGH), (mapping, False))
        assert "maps certificate policies onto others, which is not followed" in self.judged(
            world, middle, LOW
        )
        assert self.judged(world, middle, LOW, wanted=()) == "C=CH, O=ikegw, CN=Root"


def mapped(issuer: str, subject: str) -> bytes:
    """PolicyMappings with one pair (RFC 5280 §4.2.1.5)."""
    oids = b"".join(policy_oid(oid) for oid in (issuer, subject))
    pair = b"\x30" + bytes([len(oids)]) + oids
    return b"\x30" + bytes([len(pair)]) + pair


def policy_oid(oid: str) -> bytes:
    """The DER of 1.3.6.1.4.1.99999.N."""
    return bytes.fromhex("06092b06010401868d1f") + bytes([int(oid.rpartition(".")[2])])


class TestWeak:
    """SHA-1 and short keys are refused unless the connection lets them pass."""

    def test_short_keys(self, world: World) -> None:
        party = world.issue(key=rsa.generate_private_key(65537, 1024))  # noqa: S505
        assert "has an RSA key of less than 2048 bits" in judged(world, party, Demands())
        weak = Demands(weak=frozenset({Weakness.SHORT_RSA}))
        assert judged(world, party, weak).endswith("CN=Root")
        pinned = TestPins().pins(party)
        assert "has an RSA key of less than 2048 bits" in judged(world, party, Demands(pinned))
        assert judged(world, party, evolve(weak, pins=pinned)) == "pinned"

    def test_a_short_key_of_an_authority(self, world: World) -> None:
        key = rsa.generate_private_key(65537, 1024)  # noqa: S505
        issued = world.root._sign(subject("Short"), key, world.period, authority_extensions(None))
        party = Authority(issued, key, world.period).issue("carol@ikegw.example", "ecdsa256")
        assert "CN=Short has an RSA key of less than 2048 bits" in judged(
            world, evolve(party, intermediates=(issued,)), Demands()
        )

    def test_certificates_signed_with_sha1(self, world: World, tmp_path: Path) -> None:
        world, party = now_signed_with(world, tmp_path, "sha1")
        assert "was signed with SHA1, which is broken; have it issued again" in judged(
            world, party, Demands()
        )
        other = frozenset({Weakness.SHA1, Weakness.SHORT_RSA})
        assert "was signed with SHA1" in judged(world, party, Demands(weak=other))
        assert judged(world, party, Demands(weak=frozenset({Weakness.SHA1_CERTIFICATES}))).endswith("CN=Root")
        assert "was signed with SHA1" in judged(world, party, Demands()), "what passed once is remembered"

    def test_nothing_lets_md5_pass(self, world: World, tmp_path: Path) -> None:
        world, party = now_signed_with(world, tmp_path, "md5")
        assert "was signed with MD5" in judged(world, party, Demands(weak=frozenset(Weakness)))

    def test_the_peers_own_signature_with_sha1_as_windows_makes_it(self, world: World) -> None:
        carol = world.root.issue("carol@ikegw.example", "rsa2048")
        assert isinstance(carol.key, rsa.RSAPrivateKey)
        octets = b"signed octets"
        signature = carol.key.sign(octets, padding.PKCS1v15(), SHA1())  # noqa: S303
        credentials = Credentials(authorities={"root.pem": (X509.of(world.root.certificate),)})
        authenticator = Authenticator(credentials, lambda: NOW, lambda _: pytest.fail("slow"))

        def verified(*weak: Weakness) -> Verified | str:
            remote = RemoteAuth(AuthKind.PUBKEY, demands=Demands(weak=frozenset(weak)))
            certificates = (Certificate(CertEncoding.X509_SIGNATURE, carol.der),)
            authentication = Authentication(AuthMethod.RSA_SIGNATURE, signature)
            examination = authenticator.examine(
                remote, CAROL, octets, PRF, certificates, authentication, CAROL
            )
            try:
                return examination.verdict()
            except AuthenticationError as error:
                return error.detail

        told = verified(Weakness.SHA1_CERTIFICATES, Weakness.SHORT_RSA)
        assert isinstance(told, str)
        assert told.endswith(
            'where SHA-1 is not allowed; old Windows can do no better: let it with remote.weak = ["sha1"]'
        )
        passed = verified(Weakness.SHA1)
        assert isinstance(passed, Verified)
        assert passed.method == "rsa-sha1"


def damaged(octets: bytes) -> Iterator[bytes]:
    """Cut short, and with one bit wrong; sampled."""
    yield from (octets[:length] for length in range(0, len(octets), 7))
    for bit in range(3, 8 * len(octets), 11):
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


@pytest.mark.parametrize("which", [0, 1])
def test_damaged_certificates_with_all_that_is_demanded_are_refused_in_one_way(
    world: World, which: int
) -> None:
    """No exception but ours, and nothing damaged is taken for good, neither under an authority nor pinned."""
    constrained = world.root.intermediate(
        "Middle",
        "ecdsa256",
        extensions=[
            policies(HIGH, ANY),
            (x509.InhibitAnyPolicy(3), True),
            (x509.PolicyConstraints(1, 0), True),
            (x509.NameConstraints([x509.RFC822Name("ikegw.example")], None), True),
        ],
    )
    party = constrained.issue("carol@ikegw.example", "ecdsa256", extensions=[policies(HIGH)])
    credentials = Credentials(authorities={"root.pem": (X509.of(world.root.certificate),)})
    whole = [party.der, constrained.certificate.public_bytes(Encoding.DER)]
    pins = X509.of(party.certificate).pins
    under_authority = RemoteAuth(AuthKind.PUBKEY, demands=Demands(policies=(HIGH,)))
    pinned = RemoteAuth(AuthKind.PUBKEY, demands=Demands(pins[:1]))
    assert peer_chain(credentials, under_authority, CAROL, tuple(whole), NOW).authority.endswith("CN=Root")
    for octets in damaged(whole[which]):
        shown = tuple(octets if number == which else each for number, each in enumerate(whole))
        for remote in (under_authority, pinned) if which == 0 else (under_authority,):
            with pytest.raises(AuthenticationError):
                peer_chain(credentials, remote, CAROL, shown, NOW)


def now_signed_with(world: World, directory: Path, digest: str) -> tuple[World, Party]:
    """Carol's certificate, signed with a hash that the library itself does not sign with any more, in a world of today."""
    now = datetime.now(UTC)
    root = Authority.root("Root", "rsa2048", Period.around(now))
    for name, octets in {
        "ca.pem": root.certificate.public_bytes(Encoding.PEM),
        "ca.key": Party(root.certificate, root.key).private_pem,
        "carol.key": world.carol.private_pem,
        "names": b"subjectAltName = email:carol@ikegw.example\n",
    }.items():
        (directory / name).write_bytes(octets)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    openssl("req", "-new", "-key", "carol.key", "-subj", "/CN=carol", "-out", "carol.csr")
    issue = ["x509", "-req", "-in", "carol.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7"]
    openssl(*issue, "-days", "30", f"-{digest}", "-extfile", "names", "-out", "carol.pem")
    certificate = x509.load_pem_x509_certificate((directory / "carol.pem").read_bytes())
    return evolve(world, root=root, now=now + timedelta(minutes=1)), Party(certificate, world.carol.key)
