"""RFC 7296 §2.21.2: an initiator that does not believe the responder says so in an INFORMATIONAL of its own."""

from ikegw.events import AddressReleased, IkeDown, Refused
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType


def test_RE_14_after_the_last_answer_the_gateway_deletes_what_it_had_established(pair):
    """INFORMATIONAL { N(AUTHENTICATION_FAILED) } -->  <-- INFORMATIONAL { }"""
    pair.client.gateway.initiate("home")
    pair.world.run()
    (sa,) = pair.client.gateway._by_spi.values()
    answers = []
    sa.phase.send(ExchangeType.INFORMATIONAL, (Notify(NotifyType.AUTHENTICATION_FAILED),), answers.append)
    pair.world.run()
    assert [message.payloads for message in answers] == [()]
    assert pair.gateway.is_empty
    (refused,), (down,) = pair.gateway.heard(Refused), pair.gateway.heard(IkeDown)
    assert (refused.by_peer, refused.notify) == (True, "AUTHENTICATION_FAILED")
    assert down.was_up
    assert "does not believe" in down.reason
    assert len(pair.gateway.heard(AddressReleased)) == 1
