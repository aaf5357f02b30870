"""Figures 3 and 5: what goes wrong, what the peer hears, what the operator reads, and that nothing is left."""

from ipaddress import IPv4Network

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed

from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import AuthenticationError
from ikegw.events import AuthFailed, AuthFailure, Dropped, IkeDown, IkeUp, Refused
from ikegw.gate.limits import Limits
from ikegw.policy.connections import AuthKind, RemoteAuth
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.proposals import parse_offer
from ikegw.policy.selectors import from_network
from ikegw.ports import NoAddress
from ikegw.testing.pair import CLIENT, GATEWAY, POOL, make_pair, shared_key
from ikegw.testing.wire import Datagram
from ikegw.wire.message import Header, Message, decode_message, encode_message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType


def try_to_connect(pair, seconds=1.0, step=0.005):
    """The sentence with which the client's attempt failed."""
    reasons = []
    pair.client.gateway.initiate("home").addCallbacks(
        lambda name: reasons.append("it came up"), lambda failure: reasons.append(failure.getErrorMessage())
    )
    pair.world.run(seconds, step)
    return reasons[0] if reasons else "nothing happened"


def test_RE_05_IE_07_a_wrong_shared_key():
    pair = make_pair(client_credentials=shared_key("%any", secret=b"another secret"))
    assert "AUTHENTICATION_FAILED" in try_to_connect(pair)
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.NOT_AUTHENTIC
    assert "carol@test" in failed.detail
    assert pair.is_empty
    assert not pair.gateway.heard(IkeUp)


def test_RE_02_an_unknown_identity():
    client = evolve(CLIENT, local=evolve(CLIENT.local, identity=parse_identity("mallory@elsewhere")))
    pair = make_pair(client=client)
    assert "AUTHENTICATION_FAILED" in try_to_connect(pair)
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.NO_CONFIGURATION
    assert "mallory@elsewhere" in failed.detail
    assert "*@test" in failed.detail
    assert pair.is_empty


def test_RE_02_a_client_that_wants_another_gateway():
    remote = RemoteAuth(AuthKind.PSK, IdentityPattern.parse("other.test"))
    pair = make_pair(client=evolve(CLIENT, remote=remote))
    try_to_connect(pair)
    assert "other.test" in pair.gateway.heard(AuthFailed)[0].detail
    assert pair.is_empty


def test_RE_03_a_method_that_is_not_allowed():
    pair = make_pair(gateway=evolve(GATEWAY, remote=evolve(GATEWAY.remote, kind=AuthKind.PUBKEY)))
    assert "AUTHENTICATION_FAILED" in try_to_connect(pair)
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.METHOD_NOT_ALLOWED
    assert "pubkey" in failed.detail
    assert pair.is_empty


def test_RE_04_the_gateway_has_no_key_of_its_own():
    pair = make_pair()

    def no_key(*arguments):
        return fail(AuthenticationError(AuthFailure.NO_OWN_MATERIAL, "no private key for gw.test"))

    pair.gateway.gateway.authenticator.prove = no_key
    assert "AUTHENTICATION_FAILED" in try_to_connect(pair)
    (failed,) = pair.gateway.heard(AuthFailed)
    assert failed.reason is AuthFailure.NO_OWN_MATERIAL
    assert pair.is_empty


def test_IE_08_a_gateway_that_does_not_know_the_key_is_told_and_left():
    """IKE_AUTH -->  <-- IKE_AUTH {…, AUTH}   INFORMATIONAL { N(AUTHENTICATION_FAILED) } -->"""
    pair = make_pair()
    real = pair.gateway.gateway.authenticator

    def false_proof(local, identity, octets, prf, hints):
        return real.prove(local, identity, octets + b"!", prf, hints)

    pair.gateway.gateway.authenticator = None
    object.__setattr__(pair.gateway.gateway._surroundings, "authenticator", _Twisted(real, prove=false_proof))
    reason = try_to_connect(pair)
    assert "gw.test" in reason
    assert pair.client.states("initiator")[-1] == "SM_TERMINATE"
    assert pair.client.states("mature") == ["SM_DYING", "SM_DEAD"]
    assert pair.is_empty


class _Twisted:
    """An authenticator with some of its methods replaced."""

    def __init__(self, real, **methods):
        self._real = real
        self.__dict__.update(methods)

    def __getattr__(self, name):
        return getattr(self._real, name)


def test_IE_08_a_gateway_of_another_name():
    pair = make_pair(
        gateway=evolve(GATEWAY, local=evolve(GATEWAY.local, identity=parse_identity("evil.example"))),
        client=evolve(CLIENT, remote=RemoteAuth(AuthKind.PSK, IdentityPattern.parse("*.test"))),
    )
    assert "evil.example" in try_to_connect(pair)
    assert pair.client.heard(AuthFailed)[0].reason is AuthFailure.NOT_AUTHENTIC
    assert pair.is_empty


def test_R_03_IE_02_no_proposal_in_common_is_told_with_both_lists():
    client = evolve(CLIENT, proposals=parse_offer("ike", "aes128-sha1-modp2048"))
    gateway = evolve(GATEWAY, proposals=parse_offer("ike", "aes256gcm16-prfsha256-x25519"))
    pair = make_pair(gateway, client)
    reason = try_to_connect(pair, 4.0)
    assert "NO_PROPOSAL_CHOSEN" in reason
    refused = pair.gateway.heard(Refused)[0]
    assert "aes256gcm16-prfsha256-x25519" in refused.detail
    assert "modp2048" in refused.detail
    assert pair.is_empty
    assert pair.client.states("initiator")[-2:] == ["SMI_AUTH", "SM_DEAD"]


def test_IE_02_a_forged_refusal_does_not_stop_an_honest_gateway():
    """<-- IKE_SA_INIT { N(NO_PROPOSAL_CHOSEN) } from an attacker, then the gateway's own answer."""
    pair = make_pair()
    honest = pair.world.wire.tap

    def forge(datagram: Datagram):
        message = decode_message(datagram.octets)
        if message.header.exchange is ExchangeType.IKE_SA_INIT and message.header.is_response:
            header = evolve(message.header, responder_spi=bytes(8))
            forged = encode_message(Message(header, (Notify(NotifyType.NO_PROPOSAL_CHOSEN),)))
            return [evolve(datagram, octets=forged), datagram]
        return honest(datagram)

    pair.world.wire.tap = forge
    assert try_to_connect(pair) == "it came up"


@pytest.mark.parametrize("group", [2, 14, 9999])
def test_IE_03_a_group_that_we_did_not_offer_ends_it_without_keys(group):
    client = evolve(CLIENT, proposals=parse_offer("ike", "aes256gcm16-prfsha256-x25519"))
    pair = make_pair(client=client)
    _answer_with(pair, Notify(NotifyType.INVALID_KE_PAYLOAD, group.to_bytes(2, "big")))
    assert "group" in try_to_connect(pair)
    assert pair.client.states("mature") == ["SM_DYING", "SM_DEAD"]
    assert pair.client.is_empty


def test_IE_06_cookies_without_end():
    pair = make_pair()
    _answer_with(pair, Notify(NotifyType.COOKIE, b"again"))
    assert "cookie" in try_to_connect(pair)
    assert pair.client.is_empty


def _answer_with(pair, notify):
    """The gateway is replaced by something that always answers with this notify."""

    def answer(path, octets):
        header = decode_message(octets).header
        reply = Header(header.initiator_spi, bytes(8), header.exchange, True, False, header.message_id)
        pair.world.wire.carry(Datagram(path, encode_message(Message(reply, (notify,)))))

    pair.world.wire.join(pair.gateway.address, answer)


def test_IE_01_nobody_there():
    pair = make_pair()
    pair.world.wire.leave(pair.gateway.address)
    reason = try_to_connect(pair, 150.0, 0.5)
    assert "no answer from 192.0.2.1:500" in reason
    sent = [d.octets for d in pair.world.wire.history]
    assert len(sent) == 6
    assert len(set(sent)) == 1
    assert pair.client.is_empty


def test_RE_01_an_initiator_that_does_not_go_on_is_forgotten():
    pair = make_pair()
    pair.world.wire.tap = lambda d: [] if d.path.local.address == pair.gateway.address else [d]
    pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(0.1)
    assert pair.gateway.gateway.half_open_total == 1
    pair.world.wire.leave(pair.client.address)
    pair.world.run(200.0, 0.5)
    assert pair.is_empty
    assert pair.gateway.heard(IkeDown)[0].reason == "the initiator did not go on in time"


def test_D_06_a_repeated_opening_gets_the_stored_answer():
    pair = make_pair()
    doubled = []

    def double_first(datagram):
        if not doubled:
            doubled.append(datagram)
            return [datagram, datagram]
        return [datagram]

    pair.world.wire.tap = double_first
    assert try_to_connect(pair) == "it came up"
    answers = [d.octets for d in pair.world.wire.history if d.path.local.address == pair.gateway.address]
    assert answers[0] == answers[1]
    assert len(pair.gateway.heard(IkeUp)) == 1


def test_D_07_a_flood_from_one_address_is_capped():
    pair = make_pair(limits=Limits(cookie_per_source=100, block_per_source=5))
    pair.world.wire.tap = lambda d: [] if d.path.local.address == pair.gateway.address else [d]
    for _ in range(20):
        pair.client.gateway.initiate("home").addErrback(lambda failure: None)
    pair.world.run(0.1)
    assert pair.gateway.gateway.half_open_total == 5
    assert {event.reason for event in pair.gateway.heard(Dropped)} == {"source-blocked"}


# ------------------------------------------------------------ child errors: the IKE SA stands (R-18, I-18, IE-13)


def wants_lan(network):
    child = evolve(CLIENT.children[0], remote_selectors=(from_network(IPv4Network(network)),))
    return evolve(CLIENT, children=(child,), keep_ike=True)


def test_RE_13_R_18_I_18_no_common_selectors():
    pair = make_pair(client=wants_lan("172.16.0.0/16"))
    assert try_to_connect(pair) == "it came up"
    (refused,) = pair.gateway.heard(Refused)
    assert refused.notify == "TS_UNACCEPTABLE"
    assert "172.16.0.0/16" in refused.detail
    assert not pair.gateway.plane.installed
    assert not pair.client.plane.installed
    assert pair.gateway.states("responder")[-2:] == ["SMR_AUTH_FINALIZE", "SM_MATURE"]
    pair.client.gateway.terminate(1)
    pair.world.run()
    assert pair.is_empty
    assert not pair.client.plane.spis.taken


def test_IE_13_a_client_without_keep_ike_leaves_when_its_child_was_refused():
    pair = make_pair(client=evolve(wants_lan("172.16.0.0/16"), keep_ike=False))
    assert "TS_UNACCEPTABLE" in try_to_connect(pair)
    assert pair.is_empty


def test_RE_13_no_esp_proposal_in_common():
    child = evolve(CLIENT.children[0], proposals=parse_offer("esp", "aes128-sha1"))
    pair = make_pair(client=evolve(CLIENT, children=(child,)))
    pair.gateway.gateway.connections = (
        evolve(GATEWAY, children=(evolve(GATEWAY.children[0], proposals=parse_offer("esp", "aes256gcm16")),)),
    )
    assert "NO_PROPOSAL_CHOSEN" in try_to_connect(pair)
    assert pair.is_empty


def test_RE_13_the_data_plane_refuses():
    pair = make_pair()
    pair.gateway.plane.refusing = "no TUN device"
    assert "NO_ADDITIONAL_SAS" in try_to_connect(pair)
    assert "no TUN device" in pair.gateway.heard(Refused)[0].detail
    assert pair.is_empty


def test_IE_13_our_own_data_plane_refuses():
    pair = make_pair()
    pair.client.plane.refusing = "no TUN device"
    assert "no TUN device" in try_to_connect(pair)
    assert pair.is_empty


def test_R_18_an_empty_pool_leaves_an_ike_sa_without_child():
    pair = make_pair(gateway=evolve(GATEWAY, pools=()), client=evolve(CLIENT, keep_ike=True))
    assert try_to_connect(pair) == "it came up"
    assert pair.gateway.heard(Refused)[0].notify == "INTERNAL_ADDRESS_FAILURE"


# ------------------------------------------------------------ a provider that needs time (R-15, R-16, RE-12)


class SlowAddresses:
    """A provider whose answers a test gives."""

    def __init__(self):
        self.asked, self.cancelled, self.released = [], [], []

    def lease(self, request):
        self.asked.append(Deferred(lambda waited: self.cancelled.append(request)))
        return self.asked[-1]

    def release(self, lease):
        self.released.append(lease)
        return succeed(None)


def slow_pair():
    pair, slow = make_pair(client=evolve(CLIENT, keep_ike=True)), SlowAddresses()
    object.__setattr__(pair.gateway.gateway._surroundings, "addresses", slow)
    return pair, slow


def test_R_15_R_16_an_answer_that_comes_later():
    pair, slow = slow_pair()
    assert try_to_connect(pair) == "nothing happened"
    assert pair.gateway.states("responder")[-1] == "SMR_CFG_WAIT"
    pair.gateway.pool.lease(_request(pair)).addCallback(slow.asked[0].callback)
    pair.world.run()
    assert pair.gateway.states("responder")[-2:] == ["SMR_AUTH_FINALIZE", "SM_MATURE"]
    assert len(pair.client.plane.installed) == 1
    pair.client.gateway.terminate(1)
    pair.world.run()
    assert len(slow.released) == 1


def _request(pair):
    from ikegw.ports import AddressRequest

    return AddressRequest("road", parse_identity("carol@test"), (POOL.name,), wants_ip4=True, wants_ip6=True)


def test_RE_17_a_repeated_request_does_not_start_the_work_twice():
    pair, slow = slow_pair()
    try_to_connect(pair, 8.0)
    assert len(slow.asked) == 1
    assert "request-busy" in {event.reason for event in pair.gateway.heard(Dropped)}


def test_RE_12_a_provider_that_fails_later():
    pair, slow = slow_pair()
    try_to_connect(pair)
    slow.asked[0].errback(NoAddress("the office's server has none left"))
    pair.world.run()
    (refused,) = pair.gateway.heard(Refused)
    assert refused.notify == "INTERNAL_ADDRESS_FAILURE"
    assert "none left" in refused.detail
    assert pair.gateway.gateway.listing()[0].state == "SM_MATURE"


def test_RE_12_a_provider_that_stays_silent():
    pair, slow = slow_pair()
    try_to_connect(pair, 25.0, 0.1)
    assert slow.cancelled
    assert "within 20 s" in pair.gateway.heard(Refused)[0].detail
    assert pair.gateway.gateway.listing()[0].state == "SM_MATURE"


def test_IE_21_ending_while_a_provider_is_asked_cancels_the_request():
    pair, slow = slow_pair()
    try_to_connect(pair)
    pair.gateway.gateway.shutdown()
    pair.world.run(6.0, 0.1)
    assert slow.cancelled
    assert pair.gateway.is_empty


def test_secrets_are_in_no_event_and_no_repr():
    pair = make_pair(client_credentials=Credentials(shared_key("%any", secret=b"swordfish").shared_keys))
    try_to_connect(pair)
    (sa,) = (*pair.client.gateway._by_spi.values(), *pair.gateway.gateway._by_spi.values())[:1] or (None,)
    told = repr(pair.gateway.events) + repr(pair.client.events) + repr(sa) + repr(pair)
    assert "swordfish" not in told
    assert "only tests know" not in told
