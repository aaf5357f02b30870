"""Credentials out of directories: every form of file, every problem at once, and no secret in what is told."""

import os
import subprocess
from pathlib import Path

import pytest
from auth_world import World
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import AuthenticationError
from ikegw.auth.loading import LARGEST_FILE, Loaded, load_credentials
from ikegw.pki.pkcs12 import Form, pack
from ikegw.policy.connections import AuthKind, LocalAuth, RemoteAuth
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.testing.pki import DemoPki, main, write_directory


def load(directory: Path) -> Loaded:
    return load_credentials(
        directory / "certs", directory / "ca", directory / "private", crl_directory=directory / "crl"
    )


def put(directory: Path, name: str, octets: bytes, mode: int = 0o600) -> None:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(octets)
    file.chmod(mode)


def only_problem(directory: Path) -> str:
    (problem,) = load(directory).problems
    return str(problem).removeprefix(f"{directory}/")


def test_a_demo_infrastructure_loads_whole(tmp_path: Path, world: World) -> None:
    DemoPki.make("gw.ikegw.example", ["carol@ikegw.example"], "ed25519", world.now).write(tmp_path)
    loaded = load(tmp_path)
    assert loaded.problems == ()
    assert {own.file for own in loaded.credentials.own} == {"gw.ikegw.example.pem", "carol@ikegw.example.pem"}
    assert all(len(own.chain) == 1 for own in loaded.credentials.own)
    assert list(loaded.credentials.authorities) == ["ca.pem"]


def test_the_program_writes_what_it_is_asked_for(tmp_path: Path) -> None:
    main(
        [
            str(tmp_path),
            "--gateway",
            "vpn.example",
            "--client",
            "a@example",
            "--client",
            "192.0.2.7",
            "--apart",
        ]
    )
    for name in ("vpn.example", "a@example", "192.0.2.7"):
        (own,) = load(tmp_path / name).credentials.own
        assert parse_identity(name) in own.certificate.names
        assert (tmp_path / name / "private" / f"{name}.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("kind", ["rsa2048", "ecdsa256"])
def test_every_form_of_private_key(
    tmp_path: Path, world: World, kind: str, encoding: Encoding, form: PrivateFormat
) -> None:
    party = world.root.issue("carol@ikegw.example", kind)
    put(tmp_path, "certs/carol.crt", party.certificate.public_bytes(encoding))
    put(tmp_path, "private/any-name.key", party.key.private_bytes(encoding, form, NoEncryption()))
    loaded = load(tmp_path)
    assert loaded.problems == ()
    assert [own.file for own in loaded.credentials.own] == ["carol.crt"]


def test_a_chain_in_one_file_goes_out_with_its_certificate(tmp_path: Path, world: World) -> None:
    write_directory(tmp_path, {"dave": world.below}, {"root": world.root.certificate})
    (own,) = load(tmp_path).credentials.own
    assert [each.der for each in own.shown] == [
        world.below.der,
        world.middle.certificate.public_bytes(Encoding.DER),
    ]
    assert [each.subject for each in own.chain] == ["C=CH, O=ikegw, CN=Middle", "C=CH, O=ikegw, CN=Root"]


def test_directories_that_do_not_exist_are_empty(tmp_path: Path) -> None:
    loaded = load(tmp_path / "nowhere")
    assert loaded.problems == ()
    assert loaded.credentials.own == ()
    assert load_credentials().problems == ()


def test_hidden_files_readme_backups_and_directories_are_left_alone(tmp_path: Path) -> None:
    for name in (".hidden", "README.md", "gw.pem~", "archive/old.pem"):
        put(tmp_path, f"certs/{name}", b"nothing")
    assert load(tmp_path).problems == ()


def test_every_problem_is_told_at_once(tmp_path: Path, world: World) -> None:
    put(tmp_path, "certs/a.pem", b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n")
    put(tmp_path, "certs/b.der", b"\x30\x03\x02\x01\x00")
    put(tmp_path, "certs/good.pem", world.carol.certificate.public_bytes(Encoding.PEM))
    put(tmp_path, "ca/carol.pem", world.carol.certificate.public_bytes(Encoding.PEM))
    put(tmp_path, "private/open.pem", world.carol.private_pem, mode=0o644)
    put(tmp_path, "private/rubbish.pem", b"-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----\n")
    loaded = load(tmp_path)
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in loaded.problems] == [
        "certs/a.pem: not a certificate that can be read (its PEM is damaged)",
        "certs/b.der: not a certificate that can be read (its DER is damaged)",
        "ca/carol.pem: certificate C=CH, O=ikegw, CN=carol@ikegw.example is no authority (basicConstraints); a peer's belongs "
        "into certs/",
        "private/open.pem: everybody on this host can read it: chmod 0600",
        "private/rubbish.pem: not a private key that can be read (PKCS#8, PKCS#1 or SEC1 in PEM or DER)",
    ]
    assert list(loaded.credentials.certificates) == ["good.pem"]


def test_revocation_lists_in_either_form(tmp_path: Path, world: World) -> None:
    der = world.root.crl([world.carol])
    put(tmp_path, "crl/root.crl", der)
    put(tmp_path, "crl/root.pem", x509.load_der_x509_crl(der).public_bytes(Encoding.PEM))
    loaded = load(tmp_path)
    assert loaded.problems == ()
    assert [crl.der for crl in loaded.credentials.crls] == [der, der]
    assert world.carol.certificate.serial_number in loaded.credentials.crls[0].revoked


def test_a_file_that_is_no_revocation_list(tmp_path: Path, world: World) -> None:
    put(tmp_path, "crl/root.crl", world.carol.der)
    assert only_problem(tmp_path) == "crl/root.crl: not a CRL that can be read"


def sealed(world: World, passphrase: bytes = b"hunter2", encoding: Encoding = Encoding.PEM) -> bytes:
    return world.carol.key.private_bytes(encoding, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


class TestEncrypted:
    """Keys under a passphrase, alone or with their certificates."""

    def load(self, directory: Path, **passphrases: bytes) -> Loaded:
        names = {name.replace("_", "."): secret for name, secret in passphrases.items()}
        return load_credentials(
            directory / "certs", directory / "ca", directory / "private", passphrases=names
        )

    def problem(self, directory: Path, **passphrases: bytes) -> str:
        loaded = self.load(directory, **passphrases)
        assert loaded.credentials.own == ()
        (problem,) = loaded.problems
        assert "hunter2" not in str(problem)
        return str(problem).removeprefix(f"{directory}/")

    @pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
    def test_a_key_opens_with_its_passphrase_and_no_other(
        self, tmp_path: Path, world: World, encoding: Encoding
    ) -> None:
        put(tmp_path, "certs/carol.pem", world.carol.certificate.public_bytes(Encoding.PEM))
        put(tmp_path, "private/sealed.pem", sealed(world, encoding=encoding))
        assert self.problem(tmp_path) == (
            "private/sealed.pem: the private key is encrypted: write [secrets.private.NAME] with file = 'sealed.pem' and its "
            "passphrase as secret into a file in secrets.d/"
        )
        assert self.problem(tmp_path, sealed_pem=b"hunter3") == (
            "private/sealed.pem: the private key does not open with the passphrase of secrets.private, or it is damaged"
        )
        loaded = self.load(tmp_path, sealed_pem=b"hunter2")
        assert loaded.problems == ()
        assert [own.file for own in loaded.credentials.own] == ["carol.pem"]

    def test_a_passphrase_that_is_not_needed_does_no_harm(self, tmp_path: Path, world: World) -> None:
        put(tmp_path, "certs/carol.pem", world.carol.certificate.public_bytes(Encoding.PEM))
        put(tmp_path, "private/open.pem", world.carol.private_pem)
        assert len(self.load(tmp_path, open_pem=b"hunter2").credentials.own) == 1

    @pytest.mark.parametrize("form", Form)
    def test_pkcs12_brings_its_certificates(self, tmp_path: Path, world: World, form: Form) -> None:
        octets = pack(world.below, "dave", [world.root.certificate], "hunter2hunter2", form)
        put(tmp_path, "private/dave.p12", octets)
        loaded = self.load(tmp_path, dave_p12=b"hunter2hunter2")
        assert loaded.problems == ()
        (own,) = loaded.credentials.own
        assert (own.file, own.place) == ("dave.p12", "private/dave.p12")
        assert [each.der for each in own.shown] == [
            world.below.der,
            world.middle.certificate.public_bytes(Encoding.DER),
        ]
        assert loaded.credentials.own_named(("dave.p12",)) == (own,)
        assert loaded.credentials.authorities == {}
        assert self.problem(tmp_path).startswith(
            "private/dave.p12: PKCS#12 that is encrypted, or damaged: write"
        )
        assert self.problem(tmp_path, dave_p12=b"hunter3").startswith(
            "private/dave.p12: PKCS#12 that does not open with the passphrase of secrets.private"
        )

    def test_pkcs12_without_a_passphrase(self, tmp_path: Path, world: World) -> None:
        octets = serialize_key_and_certificates(
            None, world.carol.key, world.carol.certificate, None, NoEncryption()
        )
        put(tmp_path, "private/carol.pfx", octets)
        assert [own.file for own in self.load(tmp_path).credentials.own] == ["carol.pfx"]

    def test_pkcs12_without_a_key(self, tmp_path: Path, world: World) -> None:
        octets = serialize_key_and_certificates(None, None, world.carol.certificate, None, NoEncryption())
        put(tmp_path, "private/carol.p12", octets)
        assert "private/carol.p12: PKCS#12 without the private key: export it again" in self.problem(tmp_path)

    def test_pkcs12_of_the_same_name_as_a_certificate(self, tmp_path: Path, world: World) -> None:
        octets = pack(world.carol, "carol", [], "hunter2hunter2", Form.MODERN)
        put(tmp_path, "private/x.p12", octets)
        put(tmp_path, "certs/x.p12", world.gateway.certificate.public_bytes(Encoding.DER))
        told = self.problem(tmp_path, x_p12=b"hunter2hunter2")
        assert told.startswith("private/x.p12: certs/ has a file x.p12 too; rename one of them")

    def test_pkcs12_cut_anywhere_is_a_problem_and_no_exception(self, tmp_path: Path, world: World) -> None:
        octets = pack(world.carol, "carol", [], "hunter2hunter2", Form.COMPATIBLE)
        for length in range(0, len(octets), 37):
            put(tmp_path, "private/x.p12", octets[:length])
            assert "x.p12: PKCS#12 that does not open" in self.problem(tmp_path, x_p12=b"hunter2hunter2")


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    key = dsa.generate_private_key(1024)  # noqa: S505
    put(tmp_path, "private/dsa.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "private/dsa.pem: a private key of a kind that cannot sign here" in only_problem(tmp_path)


def test_a_key_of_another_length_than_its_kind_has(tmp_path: Path) -> None:
    x448_of_32_octets = bytes.fromhex("302e020100300506032b656f04220420") + bytes(32)
    put(tmp_path, "private/odd.der", x448_of_32_octets)
    assert "private/odd.der: not a private key that can be read" in only_problem(tmp_path)


def test_a_public_key_is_no_private_key(tmp_path: Path, world: World) -> None:
    put(
        tmp_path,
        "private/x.pem",
        world.carol.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )
    assert "private/x.pem: not a private key that can be read" in only_problem(tmp_path)


def test_a_certificate_with_a_small_key(tmp_path: Path, world: World) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:768",
        "-nodes",
        "-subj",
        "/CN=small",
        "-keyout",
        "/dev/null",
    ]
    made = subprocess.run(command, capture_output=True, check=True)
    put(tmp_path, "certs/small.pem", made.stdout)
    assert "certs/small.pem: its RSA key of 768 bits is not within 2048 to 16384" in only_problem(tmp_path)


def test_a_file_too_large_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    put(tmp_path, "certs/large.pem", bytes(LARGEST_FILE + 1))
    assert "certs/large.pem: too large" in only_problem(tmp_path)
    (tmp_path / "certs/large.pem").unlink()
    os.symlink("nowhere", tmp_path / "certs/dangling.pem")
    assert only_problem(tmp_path) == "certs/dangling.pem: cannot be read: No such file or directory"


def test_a_directory_that_is_a_file(tmp_path: Path) -> None:
    put(tmp_path, "certs", b"")
    assert "cannot be listed: Not a directory" in only_problem(tmp_path)


def test_shared_keys_come_along_and_nothing_secret_is_shown(tmp_path: Path, world: World) -> None:
    write_directory(tmp_path, {"carol": world.carol}, {"root": world.root.certificate})
    pairs = [((IdentityPattern.parse("carol@ikegw.example"),), b"correct horse battery")]
    loaded = load_credentials(tmp_path / "certs", tmp_path / "ca", tmp_path / "private", pairs)
    gateway, carol = parse_identity("gw.ikegw.example"), parse_identity("carol@ikegw.example")
    key = loaded.credentials.shared_keys.find(gateway, carol)
    assert key is not None
    assert key.secret == b"correct horse battery"
    (own,) = loaded.credentials.own
    shown = repr(loaded) + repr(own) + repr(key) + repr(loaded.credentials.shared_keys)
    assert "carol.pem" in shown
    assert "horse" not in shown
    assert "PrivateKey" not in shown


def test_files_that_a_connection_names_and_that_are_missing(tmp_path: Path, world: World) -> None:
    write_directory(tmp_path, {"carol": world.carol}, {"root": world.root.certificate})
    credentials = load(tmp_path).credentials
    assert credentials.missing(LocalAuth(AuthKind.PUBKEY, certificates=("carol.pem",))) == ()
    remote = RemoteAuth(AuthKind.PUBKEY, authorities=("root.pem", "other.pem"), certificates=("gone.pem",))
    assert credentials.missing(remote) == ("certs/gone.pem", "ca/other.pem")
    with pytest.raises(
        AuthenticationError, match=r"trusts 'other.pem', but no such certificate was loaded from ca/"
    ):
        credentials.trust(remote.authorities)


def test_no_credentials_at_all() -> None:
    assert Credentials().own == ()
    assert len(Credentials().shared_keys) == 0
