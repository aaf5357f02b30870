"""Pins, policies, what passes though it is weak, and passphrases: what their keys become, and what does not go together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ikegw.config import load
from ikegw.policy.demands import NO_DEMANDS, Demands, Pin, PinOf, Weakness

Problems = Callable[..., list[str]]
Write = Callable[..., Path]

CONNECTION = """\
[connections.road.local]
certs = {certs}
[connections.road.remote]
{remote}
[connections.road.children.net]
"""


def connection(remote: str = "", certs: str = "[]") -> str:
    return CONNECTION.format(remote=remote, certs=certs)


def test_what_a_connection_demands(write: Write) -> None:
    text = f"""pinned = ["sha256:{"AB:" * 31}CD", "key-sha256:{"A" * 43}="]
cert_policy = "1.3.6.1.4.1.99999.1, 2.5.29.32.0"
weak = ["sha1", "rsa1024"]
"""
    (road,) = load(write(connection(text))).connections
    assert road.remote.demands == Demands(
        (Pin(PinOf.CERTIFICATE, b"\xab" * 31 + b"\xcd"), Pin(PinOf.KEY, bytes(32))),
        ("1.3.6.1.4.1.99999.1", "2.5.29.32.0"),
        frozenset({Weakness.SHA1, Weakness.SHORT_RSA}),
    )
    assert load(write(connection())).connections[0].remote.demands == NO_DEMANDS


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('pinned = "ab:cd"', "connections.road.remote.pinned: expected a SHA-256 in hex or base64"),
        ('pinned = "sha256:abcd"', "a SHA-256 has 32 octets, these are 3"),
        ('cert_policy = "mine"', "an object identifier is numbers with dots between them"),
        ('weak = ["md5"]', 'expected one of "sha1", "sha1-certs", "rsa1024"'),
        ('auth = "psk"\nweak = "sha1"', 'remote.weak: certificates of IKE mean nothing with auth = "psk"'),
        ('auth = "psk"\npinned = []', 'remote.pinned: certificates of IKE mean nothing with auth = "psk"'),
        ('auth = "eap"\nweak = "sha1"', 'remote.weak: certificates of IKE mean nothing with auth = "eap"'),
    ],
)
def test_what_is_not_understood(problems: Problems, line: str, told: str) -> None:
    assert told in "\n".join(problems(connection(line)))


def secret(*files: str) -> str:
    return "".join(
        f'[secrets.private.{number}]\nfile = "{file}"\nsecret = "hunter2"\n'
        for number, file in enumerate(files)
    )


def test_a_passphrase_opens_its_file_and_is_shown_nowhere(write: Write) -> None:
    config = load(write(**{"secrets.d/keys.toml": secret("gw.p12"), "private/gw.p12": ""}))
    (passphrase,) = config.passphrases
    assert (passphrase.file, passphrase.secret) == ("gw.p12", b"hunter2")
    assert "hunter2" not in repr(config)


def test_a_passphrase_for_a_file_that_is_not_there_and_two_for_one(
    problems: Problems, tmp_path: Path
) -> None:
    told = problems(**{"secrets.d/keys.toml": secret("gw.p12", "gone.pem", "gw.p12"), "private/gw.p12": ""})
    assert told == [
        "secrets.d/keys.toml:5: secrets.private.1.file: there is no file private/gone.pem; put it there, or correct the name",
        "secrets.d/keys.toml:8: secrets.private.2.file: secrets.private.0 (secrets.d/keys.toml:2) is for the same file; "
        "which one is right?",
    ]


def test_our_own_certificate_may_be_pkcs12_in_private(problems: Problems) -> None:
    assert problems(connection(certs='["gw.p12"]'), **{"private/gw.p12": ""}) == []
    told = problems(connection(certs='["gw.p12", "gw.pem"]'), **{"certs/gw.p12": "", "private/gw.pem": ""})
    assert ["private/" in line for line in told] == [False]
    assert "there is no file certs/gw.pem" in told[0]
