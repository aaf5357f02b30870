"""What certificates come as, and what goes with them: hash and URL, and OCSP answers (RFC 7296 §3.6, RFC 4806)."""

from hashlib import sha1

import pytest
from attrs import evolve
from certified import (
    OCSP,
    PERIOD,
    PLAIN_CAROL,
    PLAIN_GATEWAY,
    ROOT,
    STRICT,
    certified,
    connect,
    is_up,
)  # fmt: skip
from cryptography.hazmat.primitives.serialization import Encoding

from ikegw.events import AuthFailed, IkeUp
from ikegw.policy.authorities import AuthoritySources
from ikegw.testing.fetcher import FakeFetcher
from ikegw.testing.pair import Pair
from ikegw.testing.pki import GATEWAY_USAGES, ocsp_at

BASE = "http://pki.test/certs/"
PUBLISHED = {"root.pem": AuthoritySources(certificate_url_base=BASE)}


def url_of(der: bytes) -> str:
    return BASE + sha1(der, usedforsecurity=False).hexdigest()


BOTH = {url_of(party.der): party.der for party in (PLAIN_GATEWAY, PLAIN_CAROL)}


def reconnect(pair: Pair) -> None:
    pair.client.gateway.terminate(pair.client.heard(IkeUp)[-1].sa.number)
    pair.world.run(0.1)
    connect(pair)


# ---------------------------------------------------------------- hash and URL


def test_R_13_I_07_each_fetches_the_certificate_that_the_other_names():
    fetcher = FakeFetcher(dict(BOTH))
    pair = certified(fetcher, by_url=True, sources=PUBLISHED)
    connect(pair)
    assert is_up(pair.gateway)
    assert is_up(pair.client)
    assert sorted(fetcher.asked) == sorted(BOTH)
    assert not fetcher.configured  # a peer names them, so they may not lead anywhere


def test_once_known_it_is_not_fetched_again():
    fetcher = FakeFetcher(dict(BOTH))
    pair = certified(fetcher, by_url=True, sources=PUBLISHED)
    connect(pair)
    reconnect(pair)
    assert len(pair.gateway.heard(IkeUp)) == 2
    assert len(fetcher.asked) == 2


def test_whoever_did_not_announce_it_is_sent_certificates():
    fetcher = FakeFetcher()
    pair = certified(fetcher, by_url=False, sources=PUBLISHED)
    connect(pair)
    assert is_up(pair.client)
    assert not fetcher.asked


def test_what_has_no_URL_is_sent_whole():
    fetcher = FakeFetcher()
    pair = certified(fetcher, by_url=True)
    connect(pair)
    assert is_up(pair.client)
    assert not fetcher.asked


def test_a_gateway_announces_it_only_if_every_connection_for_the_address_can_do_it():
    fetcher = FakeFetcher(dict(BOTH))
    pair = certified(fetcher, by_url=True, sources=PUBLISHED)
    (road,) = pair.gateway.gateway.connections
    other = evolve(road, name="other", remote=evolve(road.remote, hash_and_url=False))
    pair.gateway.gateway.connections = (road, other)
    connect(pair)
    assert is_up(pair.gateway)
    assert fetcher.asked == [url_of(PLAIN_GATEWAY.der)]  # the client's came whole


def test_each_certificate_of_a_chain_is_named_where_its_own_issuer_publishes():
    middle = ROOT.intermediate("Middle", "ecdsa256")
    gateway = middle.issue("gw.test", "ecdsa256", usages=GATEWAY_USAGES)
    url = url_of(gateway.intermediates[0].public_bytes(Encoding.DER))
    fetcher = FakeFetcher({url: gateway.intermediates[0].public_bytes(Encoding.DER), **BOTH})
    pair = certified(fetcher, gateway=gateway, by_url=True, sources=PUBLISHED)
    connect(pair)
    assert is_up(pair.client)
    assert url in fetcher.asked
    assert url_of(gateway.der) not in fetcher.asked  # Middle publishes nowhere: it came whole


# ---------------------------------------------------------------- OCSP answers along with certificates

ANSWERED_GATEWAY = ROOT.issue("gw.test", "ecdsa256", usages=GATEWAY_USAGES, extensions=(ocsp_at(OCSP),))


def stapled(responder: FakeFetcher, asks: bool = True, replies: bool = True) -> Pair:
    """Only the gateway reaches the responder; the client demands to know, and has nobody to ask."""
    pair = certified(responder, gateway=ANSWERED_GATEWAY, of_gateway=STRICT)
    gateway, client = pair.gateway.gateway, pair.client.gateway
    client.connections = tuple(
        evolve(one, remote=evolve(one.remote, ocsp_requests=asks)) for one in client.connections
    )
    gateway.connections = tuple(
        evolve(one, local=evolve(one.local, ocsp_replies=replies)) for one in gateway.connections
    )
    client.authenticator._means = evolve(client.authenticator._means, fetcher=FakeFetcher())
    return pair


def test_an_answer_that_was_asked_for_comes_along_once_it_is_at_hand():
    responder = FakeFetcher({OCSP: ROOT.answer(ANSWERED_GATEWAY)})
    pair = stapled(responder)
    connect(pair)  # nobody waits for the first answer
    assert not is_up(pair.client)
    assert responder.asked == [OCSP]
    connect(pair)
    assert is_up(pair.client)
    assert responder.asked == [OCSP]


def test_a_slow_responder_delays_nobody():
    responder = FakeFetcher({OCSP: ROOT.answer(ANSWERED_GATEWAY)}, holding=True)
    pair = stapled(responder)
    connect(pair)
    connect(pair)
    assert len(responder.asked) == 1  # equal questions wait for one answer
    responder.release()
    connect(pair)
    assert is_up(pair.client)


@pytest.mark.parametrize(("asks", "replies"), [(False, True), (True, False)])
def test_no_answer_comes_unasked_nor_against_our_will(asks: bool, replies: bool):
    responder = FakeFetcher({OCSP: ROOT.answer(ANSWERED_GATEWAY)})
    pair = stapled(responder, asks, replies)
    connect(pair)
    connect(pair)
    assert not is_up(pair.client)
    assert not responder.asked


def test_what_comes_along_may_say_that_it_was_revoked():
    responder = FakeFetcher({OCSP: ROOT.answer(ANSWERED_GATEWAY, revoked=True)})
    pair = stapled(responder)
    connect(pair)
    connect(pair)
    assert "revoked since" in pair.client.heard(AuthFailed)[-1].detail
    assert not is_up(pair.client)


def test_an_answer_that_no_longer_counts_is_not_sent_but_asked_for_anew():
    responder = FakeFetcher({OCSP: ROOT.answer(ANSWERED_GATEWAY, period=PERIOD.past())})
    pair = stapled(responder)
    connect(pair)
    connect(pair)
    assert responder.asked == [OCSP, OCSP]
    assert not is_up(pair.client)
