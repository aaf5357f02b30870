"""A gateway with a certificate whose clients log in by EAP, and such a client: what tests of the login begin with."""

from collections.abc import Callable
from functools import cache

from attrs import evolve
from twisted.internet.interfaces import IReactorTime

from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.policy.connections import AuthKind, Connection, EapIdentity, LocalAuth, RemoteAuth
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.ports import Aaa, Supplicants
from ikegw.testing.aaa import Account, FakeAaa
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Party, Period
from ikegw.testing.supplicant import FakeSupplicants
from ikegw.testing.world import NOW

PASSWORD = b"correct horse"
AAA_NAME = "staff"

EAP_GATEWAY = evolve(
    GATEWAY,
    local=evolve(GATEWAY.local, kind=AuthKind.PUBKEY, certificates=("own.pem",)),
    remote=evolve(GATEWAY.remote, kind=AuthKind.EAP),
    aaa=AAA_NAME,
)
EAP_CLIENT = evolve(
    CLIENT,
    local=evolve(CLIENT.local, kind=AuthKind.EAP),
    remote=evolve(CLIENT.remote, kind=AuthKind.PUBKEY),
)

LAPTOP = "laptop.test"
"""Who carol's machine is by its certificate."""

TWO_GATEWAY = evolve(
    GATEWAY,
    local=EAP_GATEWAY.local,
    remote=RemoteAuth(AuthKind.PUBKEY, IdentityPattern.parse("*.test")),
    second_remote=RemoteAuth(AuthKind.EAP, IdentityPattern.parse("*@test")),
    aaa=AAA_NAME,
)
"""A gateway whose clients log in after their machines have proved themselves by certificate (RFC 4739)."""

TWO_CLIENT = evolve(
    CLIENT,
    local=LocalAuth(AuthKind.PUBKEY, parse_identity(LAPTOP), ("laptop.pem",)),
    remote=EAP_CLIENT.remote,
    second_local=EAP_CLIENT.local,
)


def asking(connection: Connection = EAP_GATEWAY) -> Connection:
    """The same gateway, asking for the EAP identity instead of taking IDi."""
    return evolve(connection, remote=evolve(connection.remote, eap_identity=EapIdentity.ASK))


@cache
def authority() -> tuple[Authority, Party]:
    """An authority, and the gateway's certificate of it."""
    root = Authority.root("root", "ed25519", Period.around(NOW))
    return root, root.issue("gw.test", "ed25519", ["gw.test"], usages=GATEWAY_USAGES)


@cache
def gateway_credentials() -> Credentials:
    """The gateway's certificate with its key."""
    root, party = authority()
    own = X509.of(party.certificate)
    return Credentials(
        certificates={"own.pem": (own,)},
        authorities={"ca.pem": (X509.of(root.certificate),)},
        private_keys={own.key_hash: party.key},
    )


@cache
def client_credentials() -> Credentials:
    """The authority, and nothing of its own."""
    return Credentials(authorities={"ca.pem": (X509.of(authority()[0].certificate),)})


@cache
def laptop() -> Party:
    """The client's certificate, of the same authority."""
    return authority()[0].issue(LAPTOP, "ed25519", [LAPTOP])


@cache
def laptop_credentials() -> Credentials:
    """A client with a certificate of its own."""
    own = X509.of(laptop().certificate)
    return evolve(
        client_credentials(),
        certificates={"laptop.pem": (own,)},
        private_keys={own.key_hash: laptop().key},
    )


def accounts(clock: IReactorTime) -> FakeAaa:
    """One user, whom both its mail address and another name lead to."""
    carol = Account(PASSWORD)
    return FakeAaa(clock, {"carol@test": carol, "ACME\\carol": carol})


def password(clock: IReactorTime) -> FakeSupplicants:
    """A client that knows the password."""
    return FakeSupplicants(clock, PASSWORD)


def login_pair(
    gateway: Connection = EAP_GATEWAY,
    client: Connection = EAP_CLIENT,
    aaa: Callable[[IReactorTime], Aaa] = accounts,
    supplicants: Callable[[IReactorTime], Supplicants] = password,
) -> Pair:
    """Both ends, with what a test wants different."""
    return make_pair(
        gateway, client, gateway_credentials(), client_credentials(), aaa=aaa, supplicants=supplicants
    )


def two_proofs_pair(
    gateway: Connection = TWO_GATEWAY,
    client: Connection = TWO_CLIENT,
    aaa: Callable[[IReactorTime], Aaa] = accounts,
    supplicants: Callable[[IReactorTime], Supplicants] = password,
) -> Pair:
    """The same, of two proofs."""
    return make_pair(
        gateway, client, gateway_credentials(), laptop_credentials(), aaa=aaa, supplicants=supplicants
    )
