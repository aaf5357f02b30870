"""A peer of ours and an authenticator of ours, joined without anything between them."""

from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from os import urandom

from attrs import define, field, frozen
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.internet.task import Clock

from ikegw.eap.credentials import OwnCertificate, Passwords
from ikegw.eap.peer.login import Login
from ikegw.eap.peer.supplicants import EapSupplicants
from ikegw.eap.server.authenticator import EmbeddedAuthenticator
from ikegw.eap.server.dialogue import Dialogue
from ikegw.eap.server.settings import Settings
from ikegw.paths import Endpoint, Path
from ikegw.policy.connections import AuthKind, EapMethod, LocalAuth
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaAnswer, Caller, Challenge
from ikegw.testing.pki import Authority, Party, Period
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType

CAROL = "carol@ikegw.example"
GATEWAY = parse_identity("aaa.test")
USERS = Passwords({"carol": b"carol's secret", "zoë": "pässwörd".encode()})
IDENTITY_REQUEST = EapPacket(EapCode.REQUEST, 7, EapType.IDENTITY).encode()


@cache
def authority() -> Authority:
    return Authority.root("EAP test CA", "ecdsa256", Period.around(datetime.now(UTC)))


@cache
def stranger() -> Authority:
    return Authority.root("nobody's CA", "ecdsa256", Period.around(datetime.now(UTC)))


def shown(party: Party) -> OwnCertificate:
    return OwnCertificate(party.certificate, party.key, party.intermediates)


@cache
def server_certificate() -> OwnCertificate:
    return shown(authority().issue("aaa.test", "ecdsa256", usages=(ExtendedKeyUsageOID.SERVER_AUTH,)))


@cache
def client_certificate(name: str = CAROL, issuer: str = "ours") -> OwnCertificate:
    issuing = authority() if issuer == "ours" else stranger()
    return shown(issuing.issue(name, "ecdsa256", usages=_usages("clientAuth")))


def _usages(name):
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return (ExtendedKeyUsageOID.SERVER_AUTH,) if name == "serverAuth" else (ExtendedKeyUsageOID.CLIENT_AUTH,)


@frozen(eq=False)
class FakeCertificates:
    own_one: OwnCertificate | None = None
    trusted: tuple = ()

    def own(self, files):
        return self.own_one

    def authorities(self, files):
        return self.trusted


def make_login(
    name="carol",
    password=b"carol's secret",
    methods=tuple(EapMethod),
    certificate=None,
    trusted=None,
    authentic=True,
    server=GATEWAY,
    random=urandom,
) -> Login:
    passwords = Passwords({} if password is None else {name: password})
    if trusted is None:
        trusted = (authority().certificate,)
    supplicants = EapSupplicants(random, passwords, FakeCertificates(certificate, trusted))
    local = LocalAuth(AuthKind.EAP, eap_identity=name, eap_methods=tuple(methods))
    return supplicants.begin(local, server, authentic=authentic)


def make_settings(*methods: EapMethod, **others) -> Settings:
    return Settings(
        methods or (EapMethod.MSCHAPV2,),
        USERS,
        server_certificate(),
        (authority().certificate,),
        **others,
    )


@define(eq=False)
class Site:
    """An embedded authenticator, and callers from wherever a test wants them to come."""

    settings: Settings = field(factory=make_settings)
    clock: Clock = field(factory=Clock)
    aaa: EmbeddedAuthenticator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.aaa = EmbeddedAuthenticator(self.clock, urandom, self.settings)

    def begin(self, source: str = "192.0.2.7") -> Dialogue:
        path = Path(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address(source), 500))
        name = parse_identity("carol@test")
        return self.aaa.begin(Caller("s1", "home", 1, path, name, "carol", "local"))


def now(deferred):
    """The result of a Deferred that has fired, or its failure raised."""
    results, failures = [], []
    deferred.addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    (result,) = results
    return result


def log_in(login, dialogue, rounds=60) -> AaaAnswer:
    """Carry packets to and fro until the authenticator is sure; the last of its answers."""
    response = now(login.respond(IDENTITY_REQUEST))
    for _ in range(rounds):
        answer = now(dialogue.respond(response))
        if not isinstance(answer, Challenge):
            return answer
        response = now(login.respond(answer.eap))
    raise AssertionError("it does not end")
