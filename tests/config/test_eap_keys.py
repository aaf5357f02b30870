"""EAP in a connection: what its keys become, and which of them do not go together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ikegw.config import load
from ikegw.policy.connections import AuthKind, EapIdentity, EapMethod

Problems = Callable[..., list[str]]
Write = Callable[..., Path]
PASSWORD = {"secrets.d/eap.toml": '[secrets.eap.carol]\nsecret = "pw"\n'}

CONNECTION = """\
[connections.road]
{keys}
[connections.road.local]
{local}
[connections.road.remote]
{remote}
[connections.road.children.net]
"""


def connection(keys: str = "", local: str = "", remote: str = "") -> str:
    return CONNECTION.format(keys=keys, local=local, remote=remote)


def test_a_gateway_of_EAP_clients(write: Write) -> None:
    text = connection('aaa = "staff"', "", 'auth = "eap"\neap_identity = "ask"')
    text += """[radius.realms.staff]
servers = "one"
[radius.servers.one]
address = "192.0.2.1"
"""
    secret = '[secrets.radius.one]\nsecret = "testing123"\n'
    (road,) = load(write(text, **{"secrets.d/radius.toml": secret})).connections
    assert (road.aaa, road.local.kind, road.remote.kind) == ("staff", AuthKind.PUBKEY, AuthKind.EAP)
    assert road.remote.eap_identity is EapIdentity.ASK


def test_a_client_that_logs_in_by_EAP(write: Write) -> None:
    text = connection("", 'auth = "eap"\neap_id = "ACME\\\\carol"\neap_methods = "ttls-pap, md5"')
    (road,) = load(write(text, **PASSWORD)).connections
    assert (road.local.kind, road.local.eap_identity) == (AuthKind.EAP, "ACME\\carol")
    assert road.local.eap_methods == (EapMethod.TTLS_PAP, EapMethod.MD5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (connection("", "", 'auth = "eap"'), "ikegw.toml:1: connections.road.aaa: who says whether"),
        (connection("", 'eap_id = "carol"'), "ikegw.toml:4: connections.road.local.eap_id: it means nothing"),
        (
            connection('aaa = "local"', 'auth = "psk"', 'auth = "eap"')
            + '[secrets.ike.all]\nsecret = "0x6b6579"\n',
            "ikegw.toml:4: connections.road.local.auth: who asks for an EAP login proves itself by certificate",
        ),
        (
            connection('aaa = "local"', "", 'auth = "eap"\neap_identity = "maybe"'),
            'ikegw.toml:7: connections.road.remote.eap_identity: expected one of "auto", "ask", "idi", got "maybe"',
        ),
        (
            connection("", 'auth = "eap"\neap_methods = "leap"'),
            'ikegw.toml:5: connections.road.local.eap_methods: expected one of "tls", "ttls-mschapv2"',
        ),
        (
            connection("", 'auth = "eap"'),
            "ikegw.toml:3: connections.road.local.eap_id: as whom do we log in?",
        ),
        (
            connection("", 'auth = "eap"\neap_id = "carol"'),
            "ikegw.toml:5: connections.road.local.eap_id: there is neither a password for 'carol' nor a certificate",
        ),
        (
            connection('aaa = "local"', "", 'auth = "eap"'),
            'ikegw.toml:2: connections.road.aaa: there is no user whom "local" could let in',
        ),
    ],
)
def test_mistakes_of_a_connection(problems: Problems, text: str, said: str) -> None:
    told = problems(text)
    assert any(line.startswith(said) for line in told), told


def test_the_embedded_authenticator_and_its_users(write: Write) -> None:
    main = write(
        '[eap]\nmethods = "tls, mschapv2, tls"\ncerts = "gw.pem"\ncacerts = "ca.pem"\nfailure_time = "1m"\n',
        **{
            "certs/gw.pem": "",
            "ca/ca.pem": "",
            "secrets.d/a.toml": '[secrets.eap.carol]\nsecret = "pässwörd"\n',
            "secrets.d/b.toml": '[secrets.eap.more]\nid = ["dave", "ACME\\\\dave"]\nsecret = "0x61"\n',
        },
    )
    eap = load(main).eap
    assert eap.methods == (EapMethod.TLS, EapMethod.MSCHAPV2)
    assert (eap.certificates, eap.authorities) == (("gw.pem",), ("ca.pem",))
    assert (eap.user_failures, eap.address_failures, eap.failure_seconds) == (10, 30, 60.0)
    assert [(user.name, user.names, user.secret) for user in eap.users] == [
        ("carol", ("carol",), "pässwörd".encode()),
        ("more", ("dave", "ACME\\dave"), b"a"),
    ]
    assert "pässwörd" not in repr(eap)


@pytest.mark.parametrize(
    ("text", "secrets", "said"),
    [
        ('methods = "ttls-pap"', "", "eap.methods: ttls-pap is a method that we only log in with"),
        ("methods = []", "", "eap.methods: without a method nobody could log in"),
        ('methods = "tls"\ncerts = "gw.pem"', "", 'eap.cacerts: the method "tls" needs it'),
        ('methods = "tls"\ncacerts = "no.pem"', "", "eap.cacerts: there is no file ca/no.pem"),
        ("", '[secrets.eap.a]\nsecret = "0xff"\n', "secrets.eap.a.secret: a password is text in UTF-8"),
        (
            "",
            '[secrets.eap.a]\nsecret = "1"\n[secrets.eap.b]\nid = "a"\nsecret = "2"\n',
            "secrets.eap.b.id: secrets.eap.a",
        ),
    ],
)
def test_mistakes_of_the_authenticator(problems: Problems, text: str, secrets: str, said: str) -> None:
    told = problems(f"[eap]\n{text}\n", **{"secrets.d/eap.toml": secrets, "certs/gw.pem": ""})
    assert any(said in line for line in told), told
    assert "0xff" not in "".join(told)
