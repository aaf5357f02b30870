"""EAP in a connection: what its keys become, and which of them do not go together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ikegw.config import load
from ikegw.policy.connections import AuthKind, EapIdentity, EapMethod

Problems = Callable[..., list[str]]
Write = Callable[..., Path]

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
    (road,) = load(write(text)).connections
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
    ],
)
def test_mistakes(problems: Problems, text: str, said: str) -> None:
    told = problems(text)
    assert any(line.startswith(said) for line in told), told
