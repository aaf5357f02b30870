"""Logins by certificate that need something from elsewhere: the machines wait for it, and nobody else does."""

from datetime import timedelta
from hashlib import sha1

import pytest
from attrs import evolve
from certified import (
    CRL,
    LISTED_CAROL,
    LISTED_GATEWAY,
    OCSP,
    OFF,
    PERIOD,
    PLAIN_CAROL,
    PLAIN_GATEWAY,
    ROOT,
    SOFT,
    STRICT,
    certified,
    connect,
    connection,
    credentials,
    failure,
    is_up,
    living,
)  # fmt: skip

from ikegw.auth.certificates import X509
from ikegw.auth.credentials import Credentials
from ikegw.auth.crls import Crl
from ikegw.events import AuthFailure, Dropped, IkeDown, IkeUp, RevocationUnknown
from ikegw.ike.slot import Intent
from ikegw.policy.authorities import RevocationPolicy
from ikegw.testing.fetcher import FakeFetcher
from ikegw.testing.login import EAP_CLIENT, EAP_GATEWAY, accounts, password
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair
from ikegw.testing.pki import Authority, Period, crl_at, ocsp_at
from ikegw.testing.world import NOW
from ikegw.wire.certificate import Certificate
from ikegw.wire.registry import CertEncoding

# ---------------------------------------------------------------- the responder


def test_R_13_R_14_a_crl_is_missing_and_comes():
    fetcher = FakeFetcher({CRL: ROOT.crl()}, holding=True)
    pair = certified(fetcher, client=LISTED_CAROL, of_client=STRICT)
    connect(pair)
    assert pair.gateway.states("responder") == ["SMR_AUTH", "SMR_AUTH_FINALIZE", "SMR_AUTH_DL_PEER"]
    pair.world.run(3.0)  # RE-17: the client asks again, which starts nothing twice
    assert fetcher.asked == [CRL]
    fetcher.release()
    pair.world.run(0.1)
    assert pair.gateway.states("responder")[2:] == ["SMR_AUTH_DL_PEER", "SMR_AUTH_FINALIZE", "SM_MATURE"]
    assert is_up(pair.gateway)
    assert is_up(pair.client)


def test_what_was_fetched_once_is_at_hand_for_the_next_login():
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = certified(fetcher, client=LISTED_CAROL, of_client=STRICT)
    connect(pair)
    pair.client.gateway.terminate(1)
    pair.world.run(0.1)
    connect(pair)
    assert len(pair.gateway.heard(IkeUp)) == 2
    assert fetcher.asked == [CRL]
    assert pair.gateway.states("responder")[-3:] == ["SMR_AUTH", "SMR_AUTH_FINALIZE", "SM_MATURE"]


def test_R_14_RE_05_revoked_says_the_crl_that_came():
    pair = certified(FakeFetcher({CRL: ROOT.crl([LISTED_CAROL])}), client=LISTED_CAROL, of_client=SOFT)
    connect(pair)
    assert failure(pair.gateway).reason is AuthFailure.REVOKED
    assert "revoked since" in failure(pair.gateway).detail
    assert "keyCompromise" in failure(pair.gateway).detail
    assert pair.gateway.states("responder")[-2:] == ["SMR_AUTH_FINALIZE", "SM_DEAD"]
    assert pair.is_empty


def test_RE_08_policy_demands_what_cannot_be_had():
    pair = certified(FakeFetcher(), client=LISTED_CAROL, of_client=STRICT)
    connect(pair)
    assert failure(pair.gateway).reason is AuthFailure.DOWNLOAD_FAILED
    assert f"{CRL}: nothing is there" in failure(pair.gateway).detail
    assert pair.gateway.states("responder")[-2:] == ["SMR_AUTH_DL_PEER", "SM_DEAD"]
    assert "AUTHENTICATION_FAILED" in pair.client.heard(IkeDown)[0].reason
    assert pair.is_empty


def test_RE_09_policy_can_do_without():
    pair = certified(FakeFetcher(), client=LISTED_CAROL, of_client=SOFT)
    connect(pair)
    (unknown,) = pair.gateway.heard(RevocationUnknown)
    assert f"{CRL}: nothing is there" in unknown.detail
    assert pair.gateway.states("responder")[-3:] == ["SMR_AUTH_DL_PEER", "SMR_AUTH_FINALIZE", "SM_MATURE"]
    assert is_up(pair.gateway)


def test_R_13_never_on_the_way_of_shared_keys():
    fetcher = FakeFetcher()
    pair = make_pair(fetcher=fetcher)
    connect(pair)
    assert is_up(pair.gateway)
    assert "SMR_AUTH_DL_PEER" not in pair.gateway.states("responder")
    assert not fetcher.asked


@pytest.mark.parametrize("told", ["half", "terminate"])
def test_IE_20_RE_14_what_is_being_fetched_is_wanted_no_more_when_the_login_ends(told: str):
    fetcher = FakeFetcher({CRL: ROOT.crl()}, holding=True)
    pair = certified(fetcher, client=LISTED_CAROL, of_client=STRICT)
    connect(pair)
    if told == "terminate":
        pair.gateway.gateway.terminate(1)
        pair.world.run(0.1)
    else:
        pair.world.wire.tap = lambda datagram: []
        pair.client.gateway.terminate(1)
        pair.gateway.gateway.shutdown()
    pair.world.run(120.0, 0.1)
    assert fetcher.cancelled == 1
    assert not fetcher.held
    assert pair.is_empty


def test_a_stranger_makes_nobody_fetch_anything():
    foreign = Authority.root("Foreign", "ecdsa256", PERIOD)
    mallory = foreign.issue("carol@test", "ecdsa256", extensions=(crl_at(CRL), ocsp_at(OCSP)))
    fetcher = FakeFetcher({CRL: foreign.crl()})
    pair = certified(fetcher, client=mallory, of_client=STRICT)
    connect(pair)
    assert failure(pair.gateway).reason is AuthFailure.NOT_AUTHENTIC
    assert not fetcher.asked
    assert pair.gateway.states("responder")[-2:] == ["SMR_AUTH_FINALIZE", "SM_DEAD"]


def test_nor_does_one_who_shows_the_certificate_of_another():
    forged = evolve(LISTED_CAROL, key=PLAIN_CAROL.key)
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = make_pair(
        connection(GATEWAY, "gw.test", "*@test", revocation=STRICT),
        connection(CLIENT, "carol@test", "gw.test"),
        credentials(PLAIN_GATEWAY),
        Credentials(
            certificates={"own.pem": (X509.of(forged.certificate),)},
            authorities={"root.pem": (X509.of(ROOT.certificate),)},
            private_keys={X509.of(forged.certificate).key_hash: forged.key},
        ),
        fetcher=fetcher,
    )
    connect(pair)
    assert "signature" in failure(pair.gateway).detail
    assert not fetcher.asked


# ---------------------------------------------------------------- the initiator


def test_I_07_I_08_a_crl_is_missing_and_comes():
    fetcher = FakeFetcher({CRL: ROOT.crl()}, holding=True)
    pair = certified(fetcher, gateway=LISTED_GATEWAY, of_gateway=STRICT)
    connect(pair)
    assert pair.client.states("initiator")[-1] == "SMI_INSTALLCSA_DL"
    assert not is_up(pair.client)
    fetcher.release()
    pair.world.run(0.1)
    assert pair.client.states("initiator")[-2:] == ["SMI_INSTALLCSA_DL", "SM_MATURE"]
    assert is_up(pair.client)


def test_I_09_one_thing_after_the_other():
    """The certificate is at a URL; only when it came does it say where its CRL is."""
    url = "http://pki.test/gw.der"
    fetcher = FakeFetcher({url: LISTED_GATEWAY.der, CRL: ROOT.crl()})
    pair = named_by_url(fetcher, url, LISTED_GATEWAY.der, of_gateway=STRICT)
    connect(pair)
    assert fetcher.asked == [url, CRL]
    assert pair.client.states("initiator")[-3:] == ["SMI_INSTALLCSA_DL", "SMI_INSTALLCSA_DL", "SM_MATURE"]
    assert is_up(pair.client)


def test_IE_09_policy_demands_what_cannot_be_had():
    pair = certified(FakeFetcher(), gateway=LISTED_GATEWAY, of_gateway=STRICT)
    connect(pair)
    assert failure(pair.client).reason is AuthFailure.DOWNLOAD_FAILED
    assert pair.client.states("initiator")[-2:] == ["SMI_INSTALLCSA_DL", "SM_TERMINATE"]
    assert "does not believe who we are" in pair.gateway.heard(IkeDown)[0].reason
    assert pair.is_empty


def test_IE_08_revoked_says_the_crl_that_came():
    pair = certified(FakeFetcher({CRL: ROOT.crl([LISTED_GATEWAY])}), gateway=LISTED_GATEWAY, of_gateway=SOFT)
    connect(pair)
    assert "revoked since" in failure(pair.client).detail
    assert pair.client.states("initiator")[-2:] == ["SMI_INSTALLCSA_DL", "SM_TERMINATE"]
    assert pair.is_empty


def test_a_request_of_the_responder_is_held_meanwhile_and_served_afterwards():
    fetcher = FakeFetcher({CRL: ROOT.crl()}, holding=True)
    pair = certified(fetcher, gateway=LISTED_GATEWAY, of_gateway=STRICT)
    connect(pair)
    living(pair.gateway).slot.post(Intent.REKEY)  # the responder believes that all is well
    pair.world.run(0.1)
    pair.world.run(3.0)  # sent again, and held still
    assert pair.client.states("initiator")[-1] == "SMI_INSTALLCSA_DL"
    assert pair.gateway.states("mature")[-1] == "SM_REKEY_WAIT"
    fetcher.release()
    pair.world.run(0.5)
    assert pair.client.states("initiator")[-1] == "SM_MATURE"
    assert [len(host.gateway.listing()) for host in (pair.client, pair.gateway)] == [1, 1]
    assert "SM_TERMINATE" in pair.gateway.states("mature")  # of the one that was rekeyed
    assert {dropped.reason for dropped in pair.client.heard(Dropped)} == {"request-busy"}


def test_a_delete_that_was_held_ends_it_afterwards():
    fetcher = FakeFetcher({CRL: ROOT.crl()}, holding=True)
    pair = certified(fetcher, gateway=LISTED_GATEWAY, of_gateway=STRICT)
    connect(pair)
    pair.gateway.gateway.terminate(1)
    pair.world.run(0.1)
    fetcher.release()
    pair.world.run(0.5)
    assert pair.client.heard(IkeDown)[0].reason == "the peer deleted it"
    assert pair.is_empty


# ---------------------------------------------------------------- by hash and URL


def named_by_url(
    fetcher: FakeFetcher,
    url: str,
    octets: bytes,
    encoding: CertEncoding = CertEncoding.HASH_AND_URL,
    by_url: bool = True,
    of_gateway: RevocationPolicy = OFF,
) -> Pair:
    """A gateway that names its certificate so."""
    pair = certified(fetcher, LISTED_GATEWAY, by_url=by_url, of_gateway=of_gateway)
    authenticator = pair.gateway.gateway._surroundings.authenticator
    digest = sha1(octets, usedforsecurity=False).digest()
    payload = Certificate(encoding, digest + url.encode())
    prove = authenticator.prove

    def with_url(*arguments):
        return prove(*arguments).addCallback(lambda proof: evolve(proof, certificates=(payload,)))

    authenticator.prove = with_url  # type: ignore[method-assign]
    return pair


def test_I_08_another_certificate_is_there_than_was_named():
    url = "http://pki.test/gw.der"
    pair = named_by_url(FakeFetcher({url: PLAIN_GATEWAY.der}), url, LISTED_GATEWAY.der)
    connect(pair)
    assert failure(pair.client).reason is AuthFailure.DOWNLOAD_FAILED
    assert "its SHA-1 hash is another" in failure(pair.client).detail
    assert pair.is_empty


def test_a_certificate_by_url_is_not_fetched_where_the_connection_does_not_say_so():
    url = "http://pki.test/gw.der"
    fetcher = FakeFetcher({url: LISTED_GATEWAY.der})
    pair = named_by_url(fetcher, url, LISTED_GATEWAY.der, by_url=False)
    connect(pair)
    assert "hash_and_url" in failure(pair.client).detail
    assert not fetcher.asked


# ---------------------------------------------------------------- live sessions

REVOKE = timedelta(hours=1).total_seconds()


def live(fetcher: FakeFetcher, policy: RevocationPolicy = STRICT) -> Pair:
    pair = certified(fetcher, client=LISTED_CAROL, of_client=policy)
    connect(pair)
    assert is_up(pair.gateway)
    return pair


def later(pair: Pair, seconds: float) -> None:
    pair.world.run(seconds, 1.0)


def test_Q_11_Q_12_the_crl_is_fetched_anew_and_the_session_stands():
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = live(fetcher)
    later(pair, REVOKE + 60)
    assert fetcher.asked == [CRL, CRL]
    assert pair.gateway.states("mature")[-2:] == ["SM_CRL_UPDATE", "SM_MATURE"]
    assert is_up(pair.gateway)


def test_Q_13_revoked_today_ends_the_session_today():
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = live(fetcher)
    fetcher.at[CRL] = ROOT.crl([LISTED_CAROL], number=2)
    later(pair, REVOKE + 60)
    assert "revoked since" in pair.gateway.heard(IkeDown)[0].reason
    assert pair.client.heard(IkeDown)[0].reason == "the peer deleted it"
    assert pair.is_empty


def test_Q_14_what_could_not_be_had_is_asked_for_again_while_the_stored_crl_counts():
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = live(fetcher)
    fetcher.at.clear()
    later(pair, REVOKE + 30)
    assert fetcher.asked == [CRL, CRL]
    later(pair, 300)
    assert len(fetcher.asked) == 4  # after 60 s, and after 120 s more
    assert pair.gateway.heard(RevocationUnknown)
    fetcher.at[CRL] = ROOT.crl([LISTED_CAROL], number=2)
    later(pair, 300)
    assert pair.is_empty


def test_Q_14_a_soft_policy_lives_on_with_a_crl_that_ran_out():
    short = Period(NOW - timedelta(days=1), NOW + timedelta(minutes=30))
    fetcher = FakeFetcher({CRL: ROOT.crl(period=short)})
    pair = live(fetcher, SOFT)
    fetcher.at.clear()
    later(pair, 2 * 3600)
    assert is_up(pair.gateway)


def test_Q_15_a_strict_one_does_not():
    short = Period(NOW - timedelta(days=1), NOW + timedelta(minutes=30))
    fetcher = FakeFetcher({CRL: ROOT.crl(period=short)})
    pair = live(fetcher)
    fetcher.at.clear()
    later(pair, 2 * 3600)
    assert "nobody says whether" in pair.gateway.heard(IkeDown)[0].reason
    assert pair.is_empty


def test_Q_13_a_session_that_was_rekeyed_is_still_looked_after():
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = live(fetcher)
    living(pair.client).slot.post(Intent.REKEY)
    pair.world.run(1.0)
    fetcher.at[CRL] = ROOT.crl([LISTED_CAROL], number=2)
    later(pair, REVOKE + 60)
    assert pair.is_empty


def test_Q_13_and_so_is_one_that_is_rekeyed_during_the_download():
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = live(fetcher)
    fetcher.at[CRL], fetcher.holding = ROOT.crl([LISTED_CAROL], number=2), True
    later(pair, REVOKE + 60)
    assert pair.gateway.states("mature")[-1] == "SM_CRL_UPDATE"
    living(pair.client).slot.post(Intent.REKEY)
    pair.world.run(1.0)
    assert fetcher.cancelled == 1  # the old IKE SA is gone, and what it waited for
    fetcher.holding = False
    later(pair, 120)
    assert pair.is_empty


def test_Q_13_and_at_once_when_the_operator_puts_the_list_there():
    pair = live(FakeFetcher({CRL: ROOT.crl()}))
    authenticator = pair.gateway.gateway.authenticator
    lists = (Crl.parse(ROOT.crl([LISTED_CAROL], number=2)),)
    authenticator.credentials = credentials(PLAIN_GATEWAY, crls=lists)
    pair.gateway.gateway.credentials_changed()
    pair.world.run(0.2)
    assert "revoked since" in pair.gateway.heard(IkeDown)[0].reason
    assert pair.is_empty


@pytest.mark.parametrize("lists", [(), (ROOT.crl(),)], ids=["nothing", "a file"])
def test_Q_12_where_nobody_could_be_asked_a_reload_makes_nobody_ask(lists: tuple[bytes, ...]):
    """Not even in vain: what a file in crl/ says is as new as it can be."""
    pair = certified(FakeFetcher(), of_client=SOFT, crls=tuple(map(Crl.parse, lists)))
    connect(pair)
    for _ in range(2):
        pair.gateway.gateway.credentials_changed()
        later(pair, 3.0)
    assert pair.gateway.states("mature") == ["SM_CRL_UPDATE", "SM_MATURE"] * 2
    later(pair, REVOKE)
    assert not pair.gateway.heard(RevocationUnknown)
    assert is_up(pair.gateway)


def test_Q_13_or_takes_an_authority_away():
    pair = live(FakeFetcher({CRL: ROOT.crl()}))
    other = X509.of(Authority.root("Other", "ecdsa256", PERIOD).certificate)
    authenticator = pair.gateway.gateway.authenticator
    authenticator.credentials = evolve(authenticator.credentials, authorities={"other.pem": (other,)})
    living(pair.client).slot.post(Intent.REKEY)  # which starts its timers anew, and must not trip over it
    pair.world.run(0.2)
    assert is_up(pair.gateway)
    pair.gateway.gateway.credentials_changed()
    pair.world.run(0.2)
    assert "which is none of the authorities here" in pair.gateway.heard(IkeDown)[0].reason
    assert pair.is_empty


def test_Q_24_told_to_end_during_the_download_it_does():
    fetcher = FakeFetcher({CRL: ROOT.crl()})
    pair = live(fetcher)
    fetcher.holding = True
    later(pair, REVOKE + 60)
    assert pair.gateway.states("mature")[-1] == "SM_CRL_UPDATE"
    pair.gateway.gateway.terminate(1)
    pair.world.run(1.0)
    assert fetcher.cancelled == 1
    assert pair.is_empty


# ---------------------------------------------------------------- before an EAP login


def before_eap(fetcher: FakeFetcher) -> Pair:
    """The client logs in by EAP, once it knows that the gateway's certificate was not revoked."""
    gateway = connection(EAP_GATEWAY, "gw.test", "*@test")
    client = connection(EAP_CLIENT, "carol@test", "gw.test", revocation=STRICT)
    return make_pair(
        evolve(gateway, remote=EAP_GATEWAY.remote),
        evolve(client, local=EAP_CLIENT.local),
        gateway_credentials=credentials(LISTED_GATEWAY),
        client_credentials=credentials(PLAIN_CAROL),
        aaa=accounts,
        supplicants=password,
        fetcher=fetcher,
    )


def test_I_11_I_12_before_it_says_a_word_of_its_login_the_client_fetches_what_is_missing():
    fetcher = FakeFetcher({CRL: ROOT.crl()}, holding=True)
    pair = before_eap(fetcher)
    connect(pair)
    assert pair.client.states("initiator")[-2:] == ["SMI_AUTH_PEER", "SMI_AUTH_PEER"]
    assert pair.gateway.states("responder")[-1] == "SMR_EAP_INITIATOR_REQUEST"
    fetcher.release()
    pair.world.run(0.5)
    assert is_up(pair.client)


def test_IE_09_and_leaves_if_it_cannot_be_had():
    pair = before_eap(FakeFetcher())
    connect(pair, 0.5)
    assert pair.client.states("initiator")[-1] == "SM_TERMINATE"
    assert "SMI_EAP" not in pair.client.states("initiator")
    assert failure(pair.client).reason is AuthFailure.DOWNLOAD_FAILED
    assert pair.is_empty
