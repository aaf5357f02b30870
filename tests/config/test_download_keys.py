"""Downloads, authorities and revocation: what their keys become, and which of them do not go together."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from ikegw.config import load
from ikegw.config.downloads import DEFAULT_DOWNLOADS, Authority, DownloadSettings, Proxy
from ikegw.policy.authorities import AuthoritySources, RevocationPolicy

Problems = Callable[..., list[str]]
Write = Callable[..., Path]

CONNECTION = """\
[connections.road.remote]
{remote}
[connections.road.children.net]
"""
AUTHORITY = """\
[authorities.root]
cacert = "root.pem"
"""
HERE = {"ca/root.pem": "", "ca/other.pem": ""}


def test_all_keys_of_downloads(write: Write) -> None:
    text = """[downloads]
networks = ["10.0.0.0/8", "fd00::/8"]
timeout = "5s"
max_size = 1000000
redirects = 1
at_once = 3
per_host = 2
retry_time = "1m"
directory = "/srv/crls"
refresh_time = "10m"
proxy = "http://proxy.example.org:3128"
"""
    networks = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert load(write(text)).downloads == DownloadSettings(
        1_000_000, 5.0, 1, 3, 2, 60.0, networks, Path("/srv/crls"), 600.0, Proxy("proxy.example.org", 3128)
    )


def test_without_any_they_are_as_the_code_has_them(write: Write) -> None:
    assert load(write("")).downloads == DEFAULT_DOWNLOADS


def test_where_an_authority_publishes(write: Write) -> None:
    text = (
        AUTHORITY
        + """crl_uris = ["http://[2001:db8::1]:8080/root.crl?a,b", "file:///etc/ikegw/crl/root.crl"]
ocsp_uris = "https://ca.example.org/ocsp"
cert_uri_base = "http://ca.example.org/certs/"
"""
    )
    assert load(write(text, **HERE)).authorities == (
        Authority(
            "root",
            "root.pem",
            AuthoritySources(
                ("http://[2001:db8::1]:8080/root.crl?a,b", "file:///etc/ikegw/crl/root.crl"),
                ("https://ca.example.org/ocsp",),
                "http://ca.example.org/certs/",
            ),
        ),
    )


def test_what_a_connection_demands_of_certificates(write: Write) -> None:
    said = 'revocation = "strict"\nhash_and_url = true'
    (road,) = load(write(CONNECTION.format(remote=said))).connections
    assert (road.remote.revocation, road.remote.hash_and_url) == (RevocationPolicy.STRICT, True)
    (road,) = load(write(CONNECTION.format(remote=""))).connections
    assert (road.remote.revocation, road.remote.hash_and_url) == (RevocationPolicy.IF_AVAILABLE, False)


@pytest.mark.parametrize(
    ("ocsp", "replies", "requests"),
    [("reply", True, False), ("request", False, True), ("both", True, True), ("never", False, False)],
)
def test_OCSP_in_IKE_is_named_as_in_swanctl(write: Write, ocsp: str, replies: bool, requests: bool) -> None:
    text = f"[connections.road]\nocsp = {ocsp!r}\n" + CONNECTION.format(remote="")
    (road,) = load(write(text)).connections
    assert (road.local.ocsp_replies, road.remote.ocsp_requests) == (replies, requests)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("downloads.timeout = 0", 'ikegw.toml:1: downloads.timeout: expected a duration like "10s", got 0'),
        ("downloads.max_size = 0", "ikegw.toml:1: downloads.max_size: expected a whole number from 1024"),
        (
            '[authorities.root]\ncrl_uris = "http://x/"',
            "authorities.root.cacert: missing: the name of a file",
        ),
        (AUTHORITY + 'crl_uris = "ldap://ca/"', "ikegw.toml:3: authorities.root.crl_uris: "),
        (AUTHORITY + 'crl_uris = "http:///root.crl"', "a host must follow the slashes"),
        (AUTHORITY + 'ocsp_uris = "file:///x"', "it begins with none of http:, https:"),
        (
            AUTHORITY + 'ocsp_uris = "http://me:secret@ca/"',
            "a host must follow the slashes, and no user name",
        ),
        (AUTHORITY + 'ocsp_uris = "http://ca:99999/"', "Port out of range"),
        (AUTHORITY + 'cert_uri_base = "http://ca/a b"', "it has characters that no URL has"),
        (
            AUTHORITY.replace("root.pem", "gone.pem"),
            "ikegw.toml:2: authorities.root.cacert: there is no file ca/gone.pem",
        ),
        (
            AUTHORITY + '[authorities.again]\ncacert = "root.pem"',
            "authorities.again.cacert: authorities.root (ikegw.toml:2) is for the same file",
        ),
        (
            CONNECTION.format(remote='auth = "psk"\nrevocation = "strict"')
            + '[secrets.ike.all]\nsecret = "0x6b6579"',
            "connections.road.remote.revocation: certificates mean nothing with auth",
        ),
    ],
)
def test_what_is_wrong_is_told(problems: Problems, text: str, said: str) -> None:
    assert said in "\n".join(problems(text, **HERE))
