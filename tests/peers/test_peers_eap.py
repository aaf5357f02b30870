"""EAP packet by packet with what we did not write: eapol_test logs in at our authenticator."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from laboratory.eapol import Eapol, Outcome
from twisted.internet.task import Clock

from ikegw.eap.credentials import OwnCertificate, Passwords
from ikegw.eap.server.authenticator import EmbeddedAuthenticator
from ikegw.eap.server.settings import Settings
from ikegw.paths import Endpoint
from ikegw.paths import Path as NetworkPath
from ikegw.policy.connections import EapMethod
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaAnswer, AaaDialogue, Accept, Caller, Challenge, Reject
from ikegw.testing.pki import Authority, Party, Period
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType

pytestmark = pytest.mark.peers

NAME, PASSWORD = "carol@ikegw.example", "carol's secret"
IDENTITY_REQUEST = EapPacket(EapCode.REQUEST, 7, EapType.IDENTITY).encode()
Start = Callable[..., Eapol]


@cache
def authority() -> Authority:
    return Authority.root("EAP test CA", "ecdsa256", Period.around(datetime.now(UTC)))


@cache
def party(name: str, purpose: str) -> Party:
    usage = ExtendedKeyUsageOID.SERVER_AUTH if purpose == "server" else ExtendedKeyUsageOID.CLIENT_AUTH
    return authority().issue(name, "ecdsa256", usages=(usage,))


def dialogue(*methods: EapMethod) -> AaaDialogue:
    ours = party("aaa.test", "server")
    settings = Settings(
        methods,
        Passwords({NAME: PASSWORD.encode()}),
        OwnCertificate(ours.certificate, ours.key),
        (authority().certificate,),
    )
    path = NetworkPath(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("192.0.2.2"), 500))
    caller = Caller("s", "home", 1, path, parse_identity(NAME), NAME, "local")
    return EmbeddedAuthenticator(Clock(), os.urandom, settings).begin(caller)


@pytest.fixture
def eapol(tmp_path: Path) -> Iterator[Start]:
    started: list[Eapol] = []

    def start(**settings: str) -> Eapol:
        peer = Eapol({"identity": NAME, **settings}, tmp_path)
        started.append(peer)
        peer.start()
        return peer

    yield start
    for peer in started:
        peer.stop()


def log_in(peer: Eapol, dialogue: AaaDialogue) -> tuple[AaaAnswer, Outcome]:
    """To the end; what our authenticator says, and what the peer thinks."""
    response = peer.respond(IDENTITY_REQUEST)
    while True:
        answers: list[AaaAnswer] = []
        dialogue.respond(response).addCallback(answers.append)
        (answer,) = answers
        if not isinstance(answer, Challenge):
            assert answer.eap is not None
            return answer, peer.finish(answer.eap)
        response = peer.respond(answer.eap)


@pytest.mark.parametrize("method", [EapMethod.MSCHAPV2, EapMethod.MD5, EapMethod.GTC])
def test_eapol_test_logs_in_with_a_password(eapol: Start, method: EapMethod) -> None:
    peer = eapol(eap=method.name, password=PASSWORD)
    answer, outcome = log_in(peer, dialogue(method))
    assert isinstance(answer, Accept), answer
    assert outcome == Outcome(True, answer.msk)
    assert (answer.msk is not None) == (method is EapMethod.MSCHAPV2)


@pytest.mark.parametrize("method", [EapMethod.MSCHAPV2, EapMethod.MD5, EapMethod.GTC])
@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"identity": "nobody"}])
def test_eapol_test_is_refused(eapol: Start, method: EapMethod, wrong: dict[str, str]) -> None:
    peer = eapol(**{"eap": method.name, "password": PASSWORD, **wrong})
    answer, outcome = log_in(peer, dialogue(method))
    assert isinstance(answer, Reject)
    assert not outcome.success


def certificate_files(directory: Path, name: str) -> dict[str, str]:
    client = party(name, "client")
    for file, octets in (
        ("ca.pem", authority().certificate.public_bytes(Encoding.PEM)),
        ("client.pem", client.certificate.public_bytes(Encoding.PEM)),
        ("client.key", client.private_pem),
    ):
        (directory / file).write_bytes(octets)
    return {
        "ca_cert": str(directory / "ca.pem"),
        "client_cert": str(directory / "client.pem"),
        "private_key": str(directory / "client.key"),
    }


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_eapol_test_logs_in_with_a_certificate(eapol: Start, tmp_path: Path, version: str) -> None:
    phase1 = f"tls_disable_tlsv1_3={int(version == '1.2')}"
    peer = eapol(eap="TLS", phase1=phase1, **certificate_files(tmp_path, NAME))
    answer, outcome = log_in(peer, dialogue(EapMethod.TLS))
    assert isinstance(answer, Accept), answer
    assert answer.grant.user_name == NAME
    assert outcome == Outcome(True, answer.msk)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_eapol_test_shows_a_certificate_of_somebody_else(eapol: Start, tmp_path: Path, version: str) -> None:
    phase1 = f"tls_disable_tlsv1_3={int(version == '1.2')}"
    peer = eapol(eap="TLS", phase1=phase1, **certificate_files(tmp_path, "mallory@ikegw.example"))
    answer, outcome = log_in(peer, dialogue(EapMethod.TLS))
    assert isinstance(answer, Reject)
    assert "mallory" in answer.message
    assert not outcome.success


def test_eapol_test_declines_until_a_method_is_its_own(eapol: Start) -> None:
    peer = eapol(eap="GTC", password=PASSWORD)
    answer, outcome = log_in(peer, dialogue(EapMethod.MSCHAPV2, EapMethod.MD5, EapMethod.GTC))
    assert isinstance(answer, Accept)
    assert outcome.success
