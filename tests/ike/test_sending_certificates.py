"""RFC 7296 §3.6, §3.7: whether our certificate goes with our AUTH."""

from functools import cache

import pytest
from attrs import evolve

from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.events import AuthFailed
from ikegw.policy.connections import AuthKind, RemoteAuth, SendCertificate
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.pki import GATEWAY_USAGES, Authority, Party, Period
from ikegw.testing.world import NOW


@cache
def pki() -> tuple[Authority, Party, Party]:
    root = Authority.root("root", "ecdsa256", Period.around(NOW))
    gateway = root.issue("gw.test", "ecdsa256", ["gw.test"], usages=GATEWAY_USAGES)
    return root, gateway, root.issue("carol@test", "ecdsa256")


def credentials(party: Party, pinned: Party) -> Credentials:
    own = X509.of(party.certificate)
    return Credentials(
        certificates={"own.pem": (own,), "peer.pem": (X509.of(pinned.certificate),)},
        authorities={"ca.pem": (X509.of(pki()[0].certificate),)},
        private_keys={own.key_hash: party.key},
    )


def pair_where(client_sends: SendCertificate, gateway_trusts: RemoteAuth) -> Pair:
    _, ours, theirs = pki()
    gateway, client = (
        evolve(one, local=evolve(one.local, kind=AuthKind.PUBKEY, certificates=("own.pem",)))
        for one in (GATEWAY, CLIENT)
    )
    return make_pair(
        evolve(gateway, remote=gateway_trusts),
        evolve(
            client,
            send_certificate=client_sends,
            remote=evolve(client.remote, kind=AuthKind.PUBKEY),
        ),
        credentials(ours, theirs),
        credentials(theirs, ours),
    )


ASKS = evolve(GATEWAY.remote, kind=AuthKind.PUBKEY)
KNOWS = evolve(ASKS, certificates=("peer.pem",))


@pytest.mark.parametrize(
    ("sends", "trusts", "comes_up"),
    [
        (SendCertificate.ALWAYS, ASKS, True),
        (SendCertificate.IF_ASKED, ASKS, True),
        (SendCertificate.NEVER, ASKS, False),
        (SendCertificate.NEVER, KNOWS, True),
    ],
)
def test_a_peer_that_must_see_it_does_not_believe_without(sends, trusts, comes_up):
    pair = pair_where(sends, trusts)
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(0.2)
    assert bool(pair.gateway.plane.installed) is comes_up
    told = [failed.detail for failed in pair.gateway.heard(AuthFailed)]
    assert ["sent no certificate" in detail for detail in told] == ([] if comes_up else [True])


def test_if_asked_it_is_not_sent_to_one_who_knows_it_already():
    """A gateway that has the certificate pinned sends no CERTREQ."""
    lengths = {}
    for sends in (SendCertificate.ALWAYS, SendCertificate.IF_ASKED, SendCertificate.NEVER):
        pair = pair_where(sends, KNOWS)
        pair.client.gateway.initiate("home")
        pair.world.run(0.2)
        assert pair.gateway.plane.installed
        sent = [d.octets for d in pair.world.wire.history if d.path.local.address == pair.client.address]
        lengths[sends] = sum(map(len, sent))
    assert lengths[SendCertificate.IF_ASKED] < lengths[SendCertificate.ALWAYS] - 300
    assert abs(lengths[SendCertificate.IF_ASKED] - lengths[SendCertificate.NEVER]) < 20  # of signatures
