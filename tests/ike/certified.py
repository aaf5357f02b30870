"""Logins by certificate: an infrastructure, and a gateway and a client that demand something of each other's certificates."""

from attrs import evolve

from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.events import AuthFailed
from ikegw.ike.living import Living
from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.connections import AuthKind, Connection, LocalAuth, RemoteAuth
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.testing.fetcher import FakeFetcher
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Party, Period, crl_at
from ikegw.testing.world import NOW, Host

CRL = "http://pki.test/root.crl"
OCSP = "http://pki.test/ocsp"
PERIOD = Period.around(NOW)
ROOT = Authority.root("Root", "ecdsa256", PERIOD)
MIDDLE = ROOT.intermediate("Middle", "ecdsa256", extensions=(crl_at(CRL),))
PLAIN_GATEWAY = ROOT.issue("gw.test", "ecdsa256", usages=GATEWAY_USAGES)
PLAIN_CAROL = ROOT.issue("carol@test", "ecdsa256")
LISTED_GATEWAY = ROOT.issue("gw.test", "ecdsa256", usages=GATEWAY_USAGES, extensions=(crl_at(CRL),))
LISTED_CAROL = ROOT.issue("carol@test", "ecdsa256", extensions=(crl_at(CRL),))

STRICT, SOFT, OFF = RevocationPolicy.STRICT, RevocationPolicy.IF_AVAILABLE, RevocationPolicy.OFF


def credentials(party: Party, **more: object) -> Credentials:
    chain = tuple(X509.of(each) for each in (party.certificate, *party.intermediates))
    return Credentials(
        certificates={"own.pem": chain},
        authorities={"root.pem": (X509.of(ROOT.certificate),)},
        private_keys={chain[0].key_hash: party.key},
        **more,  # type: ignore[arg-type]
    )


def connection(base: Connection, us: str, them: str, **demands: object) -> Connection:
    return evolve(
        base,
        jitter_seconds=0.0,
        local=LocalAuth(AuthKind.PUBKEY, parse_identity(us)),
        remote=RemoteAuth(AuthKind.PUBKEY, IdentityPattern.parse(them), **demands),  # type: ignore[arg-type]
    )


def certified(
    fetcher: FakeFetcher,
    gateway: Party = PLAIN_GATEWAY,
    client: Party = PLAIN_CAROL,
    of_client: RevocationPolicy = OFF,
    of_gateway: RevocationPolicy = OFF,
    by_url: bool = False,
    **more: object,
) -> Pair:
    """A gateway that demands `of_client`, and a client that demands `of_gateway`."""
    return make_pair(
        connection(GATEWAY, "gw.test", "*@test", revocation=of_client, hash_and_url=by_url),
        connection(CLIENT, "carol@test", "gw.test", revocation=of_gateway, hash_and_url=by_url),
        credentials(gateway, **more),
        credentials(client, **more),
        fetcher=fetcher,
    )


def connect(pair: Pair, seconds: float = 0.1) -> None:
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(seconds)


def is_up(host: Host) -> bool:
    return bool(host.plane.installed)


def failure(host: Host) -> AuthFailed:
    (failed,) = host.heard(AuthFailed)
    return failed


def living(host: Host) -> Living:
    (sa,) = (one for one in host.gateway._by_spi.values() if one.successor is None)
    assert isinstance(sa.phase, Living)
    return sa.phase
