"""`ikegwctl pki`: an authority from its making to its revocations, checked by openssl; and every mistake told in words."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ikegw.auth.loading import load_credentials
from ikegw.control.command import main
from ikegw.pki import files
from ikegw.pki.directory import create, opened
from ikegw.pki.errors import Refused
from ikegw.policy.identities import parse_identity

Run = Callable[..., str]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give `ikegwctl pki` a command; what it says, which `refused` expects to be an error."""

    def run(*arguments: str, refused: bool = False) -> str:
        status = main(["pki", "--directory", str(tmp_path / "pki"), *arguments])
        said = capsys.readouterr()
        assert status == refused, said
        assert (said.out == "") or not refused
        return said.err if refused else said.out

    return run


def init(run: Run, *more: str) -> None:
    run("init", "Example VPN CA", "--organization", "Example", "--key", "ecdsa256", *more)


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    return done.stdout + done.stderr


def verified(directory: Path, file: Path) -> str:
    """What `openssl verify` says of the certificate with all CRLs that are there."""
    crls = directory / "crls.pem"
    crls.write_text(
        "".join(openssl("crl", "-inform", "DER", "-in", crl) for crl in (directory / "crl").glob("*.crl"))
    )
    authorities = ["-CAfile", directory / "ca" / "ca.pem", "-untrusted", file]
    said = openssl("verify", *authorities, "-CRLfile", crls, "-crl_check_all", "-x509_strict", file)
    crls.unlink()
    return said


def test_gateway_and_clients_as_openssl_sees_them(run: Run, tmp_path: Path) -> None:
    init(run, "--crl-url", "http://pki.example.org")
    run("gateway", "vpn.example.org", "192.0.2.1", "2001:db8::1", "--key", "rsa2048")
    run("client", "carol@example.org", "--key", "ecdsa256")
    run("client", "bob@example.org", "--key", "ed25519")
    directory = tmp_path / "pki"
    gateway, carol, bob = (
        directory / name
        for name in (
            "certs/vpn.example.org.pem",
            "clients/carol@example.org.pem",
            "clients/bob@example.org.pem",
        )
    )
    run("revoke", "bob@example.org", "--reason", "key-compromise")

    assert verified(directory, gateway).endswith(": OK\n")
    assert verified(directory, carol).endswith(": OK\n")
    assert "certificate revoked" in verified(directory, bob)
    assert "Key Compromise" in openssl(
        "crl", "-inform", "DER", "-in", directory / "crl/ca.crl", "-noout", "-text"
    )
    text = openssl("x509", "-in", gateway, "-noout", "-text")
    assert "Subject: O = Example, CN = vpn.example.org" in text
    assert "DNS:vpn.example.org, IP Address:192.0.2.1, DNS:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1" in text
    assert "TLS Web Server Authentication, ipsec Internet Key Exchange" in text
    assert "URI:http://pki.example.org/ca.crl" in text
    assert "Digital Signature, Key Encipherment" in text
    assert (
        openssl("x509", "-in", gateway, "-noout", "-checkhost", "vpn.example.org")
        .strip()
        .endswith("does match certificate")
    )
    assert "email:carol@example.org" in openssl("x509", "-in", carol, "-noout", "-text")


def test_two_levels_and_the_roots_key_goes_to_a_safe_place(run: Run, tmp_path: Path) -> None:
    init(run, "--crl-url", "http://pki.example.org/")
    run("intermediate", "Example issuing CA", "--key", "ecdsa384")
    run("crl")
    directory, safe = tmp_path / "pki", tmp_path / "safe.key"
    (directory / "authority/ca.key").rename(safe)

    run("gateway", "vpn.example.org", "--key", "ecdsa256")
    said = run("revoke", "vpn.example.org")
    run("gateway", "vpn.example.org", "--key", "ecdsa256")

    assert "crl/ca.crl is as it was: the key of ca is not here" in said
    assert verified(directory, directory / "certs/vpn.example.org.pem").endswith(": OK\n")
    assert len(x509.load_pem_x509_certificates((directory / "certs/vpn.example.org.pem").read_bytes())) == 2
    assert "bring it back for as long as ca is to sign" in run("intermediate", "Another", refused=True)
    safe.rename(directory / "authority/ca.key")
    run("revoke", "issuing", "--reason", "key-compromise")
    assert "certificate revoked" in verified(directory, directory / "certs/vpn.example.org.pem")
    assert "the authority issuing was revoked; make another" in run(
        "client", "carol@example.org", refused=True
    )
    run("intermediate", "Example issuing CA 2", "--key", "ecdsa256")
    run("gateway", "vpn.example.org", "--key", "ecdsa256", "--renew")
    assert "issuing-2" in run("list")


@pytest.mark.parametrize(
    ("form", "algorithms"),
    [
        ("compatible", ("MAC: sha1,", "pbeWithSHA1And3-KeyTripleDES-CBC")),
        ("modern", ("MAC: sha256,", "AES-256-CBC")),
    ],
)
def test_p12_in_a_form_that_the_client_reads(
    run: Run, tmp_path: Path, form: str, algorithms: tuple[str, ...]
) -> None:
    init(run)
    run("intermediate", "Issuing", "--key", "ecdsa256")
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    run("client", "carol@example.org", "--key", "rsa2048", "--form", form, "--password-file", str(password))
    file = tmp_path / "pki/clients/carol@example.org.p12"

    told = openssl("pkcs12", "-in", file, "-info", "-nodes", "-passin", f"file:{password}")
    assert all(algorithm in told for algorithm in algorithms), told
    assert "friendlyName: carol@example.org" in told
    assert told.count("BEGIN CERTIFICATE") == 3
    assert told.count("BEGIN PRIVATE KEY") == 1
    assert "invalid password" in openssl("pkcs12", "-in", file, "-noout", "-passin", "pass:incorrect")


def test_a_password_is_made_up_shown_once_and_is_the_files(run: Run, tmp_path: Path) -> None:
    init(run)
    run("client", "carol@example.org", "--key", "ecdsa256")
    (line,) = (line for line in run("p12", "carol@example.org").splitlines() if "with the password" in line)
    password = line.split()[3]
    file = tmp_path / "pki/clients/carol@example.org.p12"
    assert openssl("pkcs12", "-in", file, "-noout", "-passin", f"pass:{password}") == ""


def test_a_gateways_certificate_is_good_for_no_longer_than_Apple_takes(run: Run, tmp_path: Path) -> None:
    init(run)
    assert "Apple" not in run("gateway", "vpn.example.org", "--key", "ecdsa256")
    assert "Apple" not in run("gateway", "v2.example.org", "--key", "ecdsa256", "--days", "824")
    assert "Apple's systems refuse it" in run(
        "gateway", "v3.example.org", "--key", "ecdsa256", "--days", "825"
    )
    for name, taken in (("vpn", True), ("v2", True), ("v3", False)):
        octets = (tmp_path / f"pki/certs/{name}.example.org.pem").read_bytes()
        certificate = x509.load_pem_x509_certificate(octets)
        good_for = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert (good_for <= timedelta(days=825)) is taken


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("carol@example.org", "email:"),
        ("laptop7.example.org", "DNS:"),
        ("carol", "DNS:"),
        ("192.0.2.7", "IP Address:"),
        ("2001:db8::7", "IP Address:"),
    ],
)
def test_a_clients_name_stands_in_its_certificate_as_what_it_is(
    run: Run, tmp_path: Path, name: str, kind: str
) -> None:
    init(run)
    run("client", name, "--key", "ecdsa256")
    assert kind in openssl("x509", "-in", tmp_path / f"pki/clients/{name}.pem", "-noout", "-text")


def test_what_a_gateway_takes_is_what_ikegw_loads(run: Run, tmp_path: Path) -> None:
    init(run)
    run("gateway", "vpn.example.org", "192.0.2.1", "--key", "ecdsa256")
    directory = tmp_path / "pki"
    loaded = load_credentials(directory / "certs", directory / "ca", directory / "private")
    assert loaded.problems == ()
    (own,) = loaded.credentials.own
    assert parse_identity("192.0.2.1") in own.certificate.names
    assert [each.subject for each in own.chain] == ["O=Example, CN=Example VPN CA"]


def test_keys_are_their_owners_alone(run: Run, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        init(run)
        run("gateway", "vpn.example.org", "--key", "ecdsa256")
        run("client", "carol@example.org", "--key", "ecdsa256")
    finally:
        os.umask(before)
    modes = {
        str(file.relative_to(tmp_path / "pki")): stat.S_IMODE(file.stat().st_mode)
        for file in [tmp_path / "pki", *(tmp_path / "pki").rglob("*")]
    }
    assert modes["."] == 0o700
    secret = ["book.json", "authority/ca.key", "private/vpn.example.org.pem"]
    secret += [f"clients/carol@example.org.{ending}" for ending in ("key", "p12")]
    assert {modes[name] for name in secret} == {0o600}
    assert {mode for name, mode in modes.items() if name.endswith("/ca.pem")} == {0o644}
    assert not any(name.split("/")[-1].startswith(".") for name in modes if name != ".")


def test_the_authoritys_key_under_a_passphrase(run: Run, tmp_path: Path) -> None:
    passphrase, other = tmp_path / "passphrase", tmp_path / "other"
    passphrase.write_text("hunter2hunter2\n")
    other.write_text("wrong\n")
    init(run)
    key = tmp_path / "pki/authority/ca.key"
    assert "BEGIN PRIVATE KEY" in key.read_text()
    sealed = ("--directory", str(tmp_path / "sealed"), "--passphrase-file")
    run(*sealed, str(passphrase), "init", "Sealed", "--key", "ecdsa256")
    assert "BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "sealed/authority/ca.key").read_text()
    assert "passphrase is another" in run(*sealed, str(other), "gateway", "vpn.example.org", refused=True)
    missing = run("--directory", str(tmp_path / "sealed"), "gateway", "vpn.example.org", refused=True)
    assert "the key needs its passphrase" in missing
    run(*sealed, str(passphrase), "gateway", "vpn.example.org", "--key", "ecdsa256")


class TestMistakes:
    def test_without_an_authority_and_with_one_already(self, run: Run) -> None:
        assert "holds no authority; make one with: ikegwctl pki" in run("list", refused=True)
        init(run)
        assert "has an authority already" in run("init", "Another", refused=True)

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("gateway", "vpn.example.org", "--days", "9999"), "the authority itself ends at"),
            (("gateway", "carol@example.org"), "neither a DNS name nor an address"),
            (("gateway", "vpn.exämple.org"), "neither a DNS name nor an address"),
            (("gateway", "vpn example.org"), "neither a DNS name nor an address"),
            (("gateway", "vpn.example.org", "2001:db8::g"), "'2001:db8::g' is neither a DNS name nor an address"),
            (("gateway", "../etc/passwd"), "neither a DNS name nor an address"),
            (("client", ".hidden"), "is no name for a certificate and its file"),
            (("client", ""), "is no name for a certificate and its file"),
            (("client", "c" * 65), "is longer than 64 characters"),
            (("client", "jürg@example.org"), "is no name that a certificate carries"),
            (("client", "Carol Smith"), "is no name that a certificate carries"),
            (("client", "carol@example.org, dave@example.org"), "is no name that a certificate carries"),
            (("client", "carol@example.org", "--days", "0"), "0 is no number of days"),
            (("client", "carol@example.org", "--days", str(1 << 40)), "is no number of days"),
            (("client", "carol@example.org", "--password-file", "/nonexistent"), "No such file or directory: '/nonexistent'"),
            (("client", "carol@example.org", "--password-file", "/dev/null"), "/dev/null: its first line is no password"),
            (("p12", "nobody@example.org"), "there is no client 'nobody@example.org'"),
            (("revoke", "nobody@example.org"), "no certificate of that name or serial number was issued here"),
        ],
    )  # fmt: skip
    def test_change_nothing_and_are_told(
        self, run: Run, tmp_path: Path, arguments: tuple[str, ...], told: str
    ) -> None:
        init(run)
        before = sorted(tmp_path.rglob("*")), (tmp_path / "pki/book.json").read_bytes()
        assert told in run(*arguments, refused=True)
        assert before == (sorted(tmp_path.rglob("*")), (tmp_path / "pki/book.json").read_bytes())

    def test_a_weak_password_issues_nothing(self, run: Run, tmp_path: Path) -> None:
        init(run)
        (tmp_path / "short").write_text("1234567\n")
        given = ("--password-file", str(tmp_path / "short"))
        assert "shorter than 8 characters" in run("client", "carol@example.org", *given, refused=True)
        assert "carol" not in run("list")

    def test_a_second_one_of_the_same_name(self, run: Run) -> None:
        init(run)
        run("client", "carol@example.org", "--key", "ecdsa256")
        again = ("client", "carol@example.org", "--key", "ecdsa256")
        assert "has a certificate until" in run(*again, refused=True)
        run("client", "vpn.example.org", "--key", "ecdsa256")
        assert "is the name of a client already" in run("gateway", "vpn.example.org", refused=True)
        run(*again, "--renew")
        said = run("revoke", "carol@example.org")
        assert said.count("Revoked: carol@example.org") == 2
        assert "revoked or expired already" in run("revoke", "carol@example.org", refused=True)
        run(*again)

    def test_a_serial_number_revokes_one(self, run: Run, tmp_path: Path) -> None:
        init(run)
        run("client", "carol@example.org", "--key", "ecdsa256")
        run("client", "carol@example.org", "--key", "ecdsa256", "--renew")
        first, second = json.loads((tmp_path / "pki/book.json").read_text())["issued"]
        run("revoke", first["serial"].upper())
        first, second = json.loads((tmp_path / "pki/book.json").read_text())["issued"]
        assert (first["revoked"]["reason"], second["revoked"]) == ("unspecified", None)

    @pytest.mark.parametrize("octets", [b"", b"{}", b"[]", b"\xff", b'{"version": 1, "issued": [{}]}'])
    def test_a_damaged_book_is_not_written_over(self, run: Run, tmp_path: Path, octets: bytes) -> None:
        init(run)
        book = tmp_path / "pki/book.json"
        book.write_bytes(octets)
        assert f"{book}: it is damaged" in run("gateway", "vpn.example.org", refused=True)
        assert book.read_bytes() == octets

    def test_a_book_of_a_later_version(self, run: Run, tmp_path: Path) -> None:
        init(run)
        (tmp_path / "pki/book.json").write_text('{"version": 2}')
        assert "written by another version of ikegw (format 2)" in run("list", refused=True)


def test_two_at_once_do_not_write_the_same_book(tmp_path: Path) -> None:
    create(tmp_path, "CA", "ecdsa256", 3650, NOW)
    with opened(tmp_path), pytest.raises(Refused, match="another ikegwctl pki works on it"), opened(tmp_path):
        pass


def test_an_expired_authority_signs_nothing_new(tmp_path: Path) -> None:
    create(tmp_path, "CA", "ecdsa256", 10, NOW)
    with opened(tmp_path) as pki:
        pki.gateway(["vpn.example.org"], "ecdsa256", 5, NOW, renew=False)
        with pytest.raises(Refused, match="the authority itself expired at 2026-06-11"):
            pki.client("carol@example.org", "ecdsa256", 5, NOW + timedelta(days=11), renew=False)
        assert not pki.book.entries[0].serves(NOW + timedelta(days=6))


def test_a_crl_keeps_counting_and_keeps_who_was_revoked(tmp_path: Path) -> None:
    create(tmp_path, "CA", "ecdsa256", 3650, NOW)
    for number in (1, 2):
        with opened(tmp_path) as pki:
            name = f"user{number}@example.org"
            pki.client(name, "ecdsa256", 30, NOW, renew=False)
            pki.revoke(name, "superseded", NOW)
            ((file,), absent) = pki.write_crls(90, NOW + timedelta(days=number))
            assert absent == ()
            crl = x509.load_der_x509_crl(file.read_bytes())
            assert len(crl) == number
            assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == number
            assert crl.last_update_utc == NOW + timedelta(days=number)
            assert crl.next_update_utc == NOW + timedelta(days=number + 90)


def test_a_file_is_as_it_was_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key.pem"
    files.write(file, b"old", files.PRIVATE)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(file, b"new", files.PRIVATE)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
