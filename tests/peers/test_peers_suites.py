"""Every IKE suite and every ESP suite, crossed: many clients of one gateway, each with one suite and one network of its own."""

from collections.abc import Iterator

import pytest
from attrs import frozen
from laboratory import roadwarrior, underlays
from laboratory.gateway import Ikegw
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import prove
from laboratory.underlays import Underlay

pytestmark = pytest.mark.peers

SUITES = (
    ("aes128gcm16-prfsha256-x25519", "aes128gcm16"),
    ("aes256gcm16-prfsha384-ecp384", "aes256gcm16"),
    ("chacha20poly1305-prfsha256-ecp256", "chacha20poly1305"),
    ("aes128-sha256-modp2048", "aes128-sha256"),
    ("aes256-sha512-modp3072", "aes256-sha512"),
    ("aes192-sha384-ecp521", "aes192-sha384"),
    ("aes256ccm16-prfsha512-modp4096", "aes256ccm16"),
    ("aes128ctr-sha256-x448", "aes128ctr-sha256"),
    ("aes256ctr-sha512-x25519", "aes256ctr-sha512"),
    ("aes256-sha1-modp2048", "aes128-sha1"),
    ("aes192gcm16-prfsha1-ecp256", "aes192gcm16"),
    ("aes128ccm16-prfsha256-ecp384", "aes128ccm16"),
    ("aes256-sha256-x448", "aes256-sha256"),
)


@frozen
class Crowd:
    """A gateway that takes every suite, and one daemon with a client connection `suite-N` for each."""

    laboratory: Laboratory
    underlay: Underlay
    gateway: StrongSwan | Ikegw
    client: StrongSwan | Ikegw


def client_of(underlay: Underlay, number: int) -> Tree:
    ike, esp = SUITES[number]
    return roadwarrior.client(
        underlay.client_address,
        underlay.gateway_address,
        name=f"suite-{number}",
        identity=f"suite-{number}@ikegw.example",
        proposals=[ike],
        esp_proposals=[esp],
        remote_ts=[f"10.1.{number}.0/24"],
        vips=["0.0.0.0"],
    )


@pytest.fixture(scope="module", params=["strongswan-ikegw", "ikegw-strongswan"])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    client_kind, gateway_kind = request.param.split("-")
    laboratory = Laboratory(tmp_path_factory.mktemp("suites"))
    try:
        underlay = underlays.direct(laboratory.network)
        gateway = laboratory.peer(gateway_kind, "gateway", underlay.gateway)
        client = laboratory.peer(client_kind, "client", underlay.client)
        identities = [f"suite-{number}@ikegw.example" for number in range(len(SUITES))]
        accepted = roadwarrior.gateway(
            underlay.gateway_address,
            proposals=[ike for ike, _ in SUITES],
            esp_proposals=[esp for _, esp in SUITES],
            local_ts=roadwarrior.SUBNETS4,
        )
        keys = roadwarrior.shared_key(roadwarrior.GATEWAY, *identities)
        gateway.load({**accepted, **keys})
        client.load(merged(*(client_of(underlay, number) for number in range(len(SUITES))), keys))
        yield Crowd(laboratory, underlay, gateway, client)
    finally:
        laboratory.close()


@pytest.mark.parametrize("number", range(len(SUITES)), ids=[" ".join(suite) for suite in SUITES])
def test_suite_carries_5_MB_intact(crowd: Crowd, number: int) -> None:
    crowd.client.connect(f"suite-{number}")
    prove(crowd.underlay.client, crowd.underlay.gateway, f"10.1.{number}.1", octets=5_000_000)
