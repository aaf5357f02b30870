"""Both sides of EAP, made of one configuration: what stands in the files is what logs in and lets in."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from ikegw.auth.authenticator import Authenticator
from ikegw.paths import Endpoint
from ikegw.paths import Path as NetworkPath
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaAnswer, AaaSilent, Accept, Caller, Challenge, Reject
from ikegw.service.eap import OwnEap
from ikegw.service.logins import Logins
from ikegw.service.preparation import Prepared, prepare
from ikegw.testing.nobody import NobodyAsks
from ikegw.testing.pki import DemoPki
from ikegw.wire.eap import EapPacket
from ikegw.wire.registry import EapCode, EapType

GATEWAY, CAROL = "gw.ikegw.example", "carol@ikegw.example"
MAIN = f"""
[eap]
methods = ["mschapv2", "tls"]
certs = "{GATEWAY}.pem"
cacerts = "ca.pem"

[connections.staff]
aaa = "local"
local = {{ id = "{GATEWAY}", certs = "{GATEWAY}.pem" }}
remote.auth = "eap"
children.net = {{}}

[connections.by-password]
local = {{ auth = "eap", id = "{CAROL}", eap_id = "carol" }}
children.net = {{}}

[connections.by-certificate]
local = {{ auth = "eap", id = "{CAROL}", certs = "{CAROL}.pem", eap_methods = "tls" }}
children.net = {{}}
"""


def write(directory: Path, held: str = "a secret", main: str = MAIN) -> Prepared:
    (directory / "ikegw.toml").write_text(main)
    secrets = directory / "secrets.d"
    secrets.mkdir(exist_ok=True)
    (secrets / "eap.toml").write_text(f'[secrets.eap.carol]\nsecret = "{held}"\n')
    (secrets / "eap.toml").chmod(0o600)
    return prepare(directory / "ikegw.toml")


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    DemoPki.make(GATEWAY, [CAROL], "ecdsa256", datetime.now(UTC)).write(tmp_path)
    return write(tmp_path)


def caller(aaa: str = "local") -> Caller:
    path = NetworkPath(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("192.0.2.2"), 500))
    return Caller("s", "staff", 1, path, parse_identity(CAROL), "carol", aaa)


def own_eap(prepared: Prepared) -> OwnEap:
    proofs = Authenticator(prepared.credentials, lambda: datetime.now(UTC), maybeDeferred)
    return OwnEap.make(Clock(), prepared, proofs)


def result(deferred: "Deferred[bytes] | Deferred[AaaAnswer] | Deferred[tuple[str, ...]]") -> object:
    results: list[object] = []
    deferred.addBoth(results.append)  # type: ignore[arg-type]
    return results[0]


def log_in(eap: OwnEap, prepared: Prepared, connection: str) -> object:
    """From one end of the same configuration to the other."""
    local = prepared.config.connection(connection)
    assert local is not None
    client = eap.supplicants.begin(local.local, parse_identity(GATEWAY), authentic=True)
    server = Logins(eap.authenticator, NobodyAsks()).begin(caller())
    said = result(client.respond(EapPacket(EapCode.REQUEST, 1, EapType.IDENTITY).encode()))
    while True:
        answer = result(server.respond(said))  # type: ignore[arg-type]
        if not isinstance(answer, Challenge):
            return answer
        said = result(client.respond(answer.eap))


@pytest.mark.parametrize(("connection", "name"), [("by-password", "carol"), ("by-certificate", CAROL)])
def test_a_login_with_what_the_files_hold(prepared: Prepared, connection: str, name: str) -> None:
    answer = log_in(own_eap(prepared), prepared, connection)
    assert isinstance(answer, Accept), answer
    assert answer.grant.user_name == name


def test_a_reload_changes_passwords_methods_and_certificates(prepared: Prepared, tmp_path: Path) -> None:
    eap = own_eap(prepared)
    newer = write(tmp_path, "another", MAIN.replace('["mschapv2", "tls"]', '["mschapv2"]'))
    eap.reload(evolve(newer, config=evolve(newer.config, eap=evolve(newer.config.eap, users=()))))
    assert isinstance(log_in(eap, prepared, "by-certificate"), Reject)
    eap.reload(newer)
    answer = log_in(eap, newer, "by-password")
    assert isinstance(answer, Accept), answer
    assert isinstance(log_in(eap, newer, "by-certificate"), Reject)


@pytest.mark.parametrize(("policy", "refused"), [("if-available", True), ("strict", True), ("off", False)])
def test_who_stands_on_a_CRL_in_crl_is_not_let_in(tmp_path: Path, policy: str, refused: bool) -> None:
    pki = DemoPki.make(GATEWAY, [CAROL], "ecdsa256", datetime.now(UTC))
    pki.write(tmp_path)
    (tmp_path / "crl").mkdir()
    (tmp_path / "crl" / "root.crl").write_bytes(pki.root.crl([dict(pki.clients)[CAROL]]))
    prepared = write(tmp_path, main=MAIN.replace("[eap]", f'[eap]\nrevocation = "{policy}"'))
    answer = log_in(own_eap(prepared), prepared, "by-certificate")
    assert isinstance(answer, Reject) is refused
    assert not refused or f"{CAROL} was revoked" in str(answer)


def test_who_is_put_on_a_CRL_later_is_found_out_in_the_session(tmp_path: Path) -> None:
    pki = DemoPki.make(GATEWAY, [CAROL], "ecdsa256", datetime.now(UTC))
    pki.write(tmp_path)
    prepared = write(tmp_path)
    eap = own_eap(prepared)
    answer = log_in(eap, prepared, "by-certificate")
    assert isinstance(answer, Accept)
    assert answer.standing is not None
    assert answer.standing.due()
    (tmp_path / "crl").mkdir()
    (tmp_path / "crl" / "root.crl").write_bytes(pki.root.crl([dict(pki.clients)[CAROL]]))
    eap.proofs.credentials = write(tmp_path).credentials
    assert f"{CAROL} was revoked" in str(result(answer.standing.renew()))


def test_strictly_somebody_must_say_that_it_was_not(prepared: Prepared, tmp_path: Path) -> None:
    strict = write(tmp_path, main=MAIN.replace("[eap]", '[eap]\nrevocation = "strict"'))
    answer = log_in(own_eap(strict), strict, "by-certificate")
    assert isinstance(answer, Reject)
    assert "nobody says whether" in answer.message


def test_a_realm_that_is_not_local_is_somebody_elses(prepared: Prepared) -> None:
    eap = own_eap(prepared)
    dialogue = Logins(eap.authenticator, NobodyAsks()).begin(caller("staff"))
    failure = result(dialogue.respond(b"\2\1\0\5\1"))
    assert "there is no realm 'staff'" in str(failure)
    with pytest.raises(AaaSilent):
        failure.raiseException()  # type: ignore[attr-defined]
