"""`local-2` and `remote-2`: what they become, and where they make no sense."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ikegw.config import load
from ikegw.policy.connections import AuthKind, EapIdentity, EapMethod

Problems = Callable[..., list[str]]
Write = Callable[..., Path]
PASSWORD = {"secrets.d/eap.toml": '[secrets.eap.carol]\nsecret = "pw"\n'}


def connection(keys: str = "", child: str = "", **tables: str) -> str:
    text = f"[connections.road]\n{keys}\n"
    text += "".join(f"[connections.road.{name.replace('_', '-')}]\n{keys}\n" for name, keys in tables.items())
    return text + f"[connections.road.children.net]\n{child}\n"


def test_a_gateway_that_wants_two_proofs(write: Write) -> None:
    text = connection(
        'aaa = "local"', remote='id = "*.example.org"', remote_2='auth = "eap"\nid = "*@example.org"\neap_identity = "ask"'
    )  # fmt: skip
    (road,) = load(write(text, **PASSWORD)).connections
    second = road.second_remote
    assert second is not None
    assert (road.remote.kind, str(road.remote.identity)) == (AuthKind.PUBKEY, "*.example.org")
    assert (second.kind, str(second.identity), second.eap_identity) == (
        AuthKind.EAP, "*@example.org", EapIdentity.ASK,
    )  # fmt: skip
    assert road.lets_in_by_eap
    assert road.second_local is None
    assert not load(write(connection(), **PASSWORD)).connections[0].lets_in_by_eap


def test_a_client_that_gives_two(write: Write) -> None:
    text = connection(
        local_2='auth = "eap"\nid = "carol@example.org"\neap_id = "carol"\neap_methods = "mschapv2"'
    )
    (road,) = load(write(text, **PASSWORD)).connections
    second = road.second_local
    assert second is not None
    assert (second.kind, second.eap_identity, second.eap_methods) == (
        AuthKind.EAP, "carol", (EapMethod.MSCHAPV2,),
    )  # fmt: skip
    assert second.identity is not None
    assert road.second_remote is None


HOST = 'aaa = "local"\nremote_addrs = "192.0.2.1"'
EAP = 'auth = "eap"\neap_id = "carol"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (connection(remote_2='auth = "eap"'), "connections.road.aaa: who says whether an EAP login is good?"),
        (
            connection(remote_2='id = "*@example.org"'),
            'connections.road.remote-2.id: it means nothing without auth; write auth = "eap" beside it',
        ),
        (
            connection(remote_2='auth = "pubkey"'),
            "connections.road.remote-2.auth: the second proof is an EAP login",
        ),
        (
            connection(remote_2='auth = "mail"'),
            'connections.road.remote-2.auth: expected one of "eap", got "mail"',
        ),
        (
            connection('aaa = "local"', remote='auth = "eap"', remote_2='auth = "eap"'),
            "connections.road.remote.auth: an EAP login comes second",
        ),
        (
            connection('aaa = "local"', local=EAP, local_2=EAP),
            "connections.road.local.auth: an EAP login comes second",
        ),
        (connection('aaa = "local"', local_2=EAP, remote_2='auth = "eap"'), "make two connections"),
        (
            connection('aaa = "local"', local_2=EAP, remote='auth = "eap"'),
            "connections.road.remote.auth: with local-2 this side proves itself by key or certificate",
        ),
        (
            connection('aaa = "local"', local=EAP, remote_2='auth = "eap"'),
            "connections.road.local.auth: with remote-2 this side proves itself by key or certificate",
        ),
        (
            connection(remote_1='auth = "eap"'),
            "connections.road.remote-1: unknown key: the first round of authentication is remote, the second remote-2",
        ),
        (connection(remote="round = 1"), "connections.road.remote.round: unknown key: the table's name says"),
        (connection(local_2='auth = "eap"'), "connections.road.local-2.eap_id: as whom do we log in?"),
        (
            connection(local_2='auth = "eap"\neap_id = "dave"'),
            "connections.road.local-2.eap_id: there is neither a password for 'dave' nor a certificate",
        ),
        (
            connection(local_2=EAP + '\ncerts = "none.pem"'),
            "connections.road.local-2.certs: there is no file",
        ),
        *(
            (
                connection(HOST, f'{action} = "{what}"', remote_2='auth = "eap"'),
                f"connections.road.children.net.{action}: only who opens a connection can log in by EAP",
            )
            for action, what in (("start_action", "start"), ("close_action", "trap"), ("dpd_action", "restart"))
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense(problems: Problems, text: str, said: str) -> None:
    told = problems(text, **PASSWORD)
    assert any(said in each for each in told), told
    assert len(told) == 1
