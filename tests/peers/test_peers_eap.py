"""EAP with what we did not write: eapol_test logs in at our authenticator, and our peer at FreeRADIUS, by every method."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from laboratory.eapol import Eapol, Outcome
from laboratory.freeradius import MACHINE, SERVER_NAME, RadiusPki
from laboratory.radius_logins import RadiusGateway, settings_for
from laboratory.room import Laboratory
from OpenSSL import SSL
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from ikegw.eap import tls_contexts
from ikegw.eap.credentials import OwnCertificate, Passwords
from ikegw.eap.peer import tls_peer
from ikegw.eap.peer.login import Login
from ikegw.eap.peer.supplicants import EapSupplicants
from ikegw.eap.server.authenticator import EmbeddedAuthenticator
from ikegw.eap.server.settings import Settings
from ikegw.paths import Endpoint
from ikegw.paths import Path as NetworkPath
from ikegw.policy.connections import AuthKind, EapMethod, LocalAuth
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaAnswer, AaaDialogue, Accept, Caller, Challenge, Keyed, Reject
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


def dialogue(*methods: EapMethod, **more: Any) -> AaaDialogue:
    ours = party("aaa.test", "server")
    settings = Settings(
        methods,
        Passwords({NAME: PASSWORD.encode()}),
        OwnCertificate(ours.certificate, ours.key),
        (authority().certificate,),
        **more,
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


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_eapol_test_is_refused_for_a_revoked_certificate(eapol: Start, tmp_path: Path, version: str) -> None:
    """Good as it is, it has heard of nothing by then that it might take for success."""
    phase1 = f"tls_disable_tlsv1_3={int(version == '1.2')}"
    peer = eapol(eap="TLS", phase1=phase1, **certificate_files(tmp_path, NAME))
    answer, outcome = log_in(peer, dialogue(EapMethod.TLS, look_into=lambda shown: succeed("it was revoked")))
    assert answer == Reject(answer.eap, "EAP-tls: it was revoked")
    assert not outcome.success


def test_eapol_test_declines_until_a_method_is_its_own(eapol: Start) -> None:
    peer = eapol(eap="GTC", password=PASSWORD)
    answer, outcome = log_in(peer, dialogue(EapMethod.MSCHAPV2, EapMethod.MD5, EapMethod.GTC))
    assert isinstance(answer, Accept)
    assert outcome.success


# ---------------------------------------------------------------- our peer at FreeRADIUS


@frozen(eq=False)
class Files:
    """The machine's certificate, and whom it trusts."""

    trusted: Authority

    def own(self, files: tuple[str, ...]) -> OwnCertificate | None:
        machine = RadiusPki.make().machine
        return OwnCertificate(machine.certificate, machine.key)

    def authorities(self, files: tuple[str, ...]) -> tuple[x509.Certificate, ...]:
        return (self.trusted.certificate,)


def our_peer(
    method: EapMethod,
    name: str = "carol",
    said: str = "carolpw",
    server: str = SERVER_NAME,
    trusted: Authority | None = None,
) -> Login:
    files = Files(RadiusPki.make().authority if trusted is None else trusted)
    supplicants = EapSupplicants(os.urandom, Passwords({name: said.encode()}), files)
    local = LocalAuth(AuthKind.EAP, eap_identity=name, eap_methods=(method,), aaa_identity=server)
    return supplicants.begin(local, parse_identity("gw.example.org"), authentic=True)


@pytest.fixture
def radius(laboratory: Laboratory) -> Iterator[RadiusGateway]:
    """A gateway that asks a FreeRADIUS which proposes MSCHAPv2 first."""
    gateway = RadiusGateway.of(settings_for([laboratory.freeradius("one")]))
    yield gateway
    gateway.close()


@pytest.fixture(params=["1.2", "1.3"])
def tls_version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The newest that our peer offers; the server would speak both."""
    version: str = request.param
    if version == "1.2":
        made = tls_contexts.make_context

        def make(*arguments: Any) -> SSL.Context:
            context = made(*arguments)
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            return context

        monkeypatch.setattr(tls_peer, "make_context", make)
    return version


async def through(gateway: RadiusGateway, peer: Login, name: str) -> AaaAnswer:
    dialogue, request = gateway.begin(name), IDENTITY_REQUEST
    while True:
        answer: AaaAnswer = await dialogue.respond(await peer.respond(request))
        if not isinstance(answer, Challenge):
            return answer
        request = answer.eap


@pytest.mark.parametrize("method", [EapMethod.MSCHAPV2, EapMethod.MD5, EapMethod.GTC])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_our_peer_logs_in_with_a_password(radius: RadiusGateway, method: EapMethod) -> None:
    peer = our_peer(method)
    answer = await through(radius, peer, "carol")
    assert isinstance(answer, Accept), answer
    assert peer.complete() == Keyed(method.value, answer.msk, method is EapMethod.MSCHAPV2)
    wrong = our_peer(method, said="wrong")
    assert isinstance(await through(radius, wrong, "carol"), Reject)
    if method is EapMethod.MSCHAPV2:
        assert wrong.complete() is None
        assert "E=691" in wrong.complaint


@pytest.mark.parametrize("method", [EapMethod.TLS, EapMethod.TTLS_PAP, EapMethod.TTLS_MSCHAPV2])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_our_peer_logs_in_within_TLS(
    radius: RadiusGateway, method: EapMethod, tls_version: str
) -> None:
    name = MACHINE if method is EapMethod.TLS else "carol"
    peer = our_peer(method, name)
    answer = await through(radius, peer, name)
    assert isinstance(answer, Accept), answer
    assert answer.msk is not None
    assert peer.complete() == Keyed(method.value, answer.msk, True)


@pytest.mark.parametrize("method", [EapMethod.TTLS_PAP, EapMethod.TTLS_MSCHAPV2])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_wrong_password_within_TLS(
    radius: RadiusGateway, method: EapMethod, tls_version: str
) -> None:
    peer = our_peer(method, said="wrong")
    assert isinstance(await through(radius, peer, "carol"), Reject)
    assert method is EapMethod.TTLS_PAP or peer.complete() is None


@pytest.mark.parametrize("method", [EapMethod.TLS, EapMethod.TTLS_PAP])
@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_a_server_that_is_not_the_one_meant_hears_no_password(
    radius: RadiusGateway, method: EapMethod, tls_version: str
) -> None:
    name = MACHINE if method is EapMethod.TLS else "carol"
    for peer, words in (
        (our_peer(method, name, server="other.example"), "not that of 'other.example'"),
        (our_peer(method, name, trusted=authority()), "none of the authorities"),
    ):
        assert isinstance(await through(radius, peer, name), Reject)
        assert peer.complete() is None
        assert words in peer.complaint
