"""A certificate that is good by itself may have been revoked: the embedded authenticator asks, and waits for the answer."""

from eap_world import (
    CAROL,
    IDENTITY_REQUEST,
    Site,
    authority,
    client_certificate,
    make_login,
    make_settings,
    now,
)
from twisted.internet.defer import CancelledError, Deferred

from ikegw.policy.connections import EapMethod
from ikegw.ports import Accept, Challenge, Keyed, Reject

STANDING = object()


def begin(look_into):
    """Both sides of a login."""
    settings = make_settings(EapMethod.TLS, look_into=look_into)
    return make_login(CAROL, None, certificate=client_certificate()), Site(settings).begin()


def until_it_waits(login, dialogue):
    """As far as an answer that does not come: the response that it is to be to, and where it will be."""
    response = now(login.respond(IDENTITY_REQUEST))
    while True:
        answers = []
        dialogue.respond(response).addCallback(answers.append)
        if not answers:
            return response, answers
        response = now(login.respond(answers[0].eap))


def test_a_certificate_that_is_looked_into(tls_version):
    """It takes its time, in which nobody is told anything; then the login goes on."""
    asked, looking = [], Deferred()
    login, dialogue = begin(lambda shown: asked.append(shown) or looking)
    _, waiting = until_it_waits(login, dialogue)
    assert asked == [(client_certificate().certificate, authority().certificate)]
    looking.callback(STANDING)
    (answer,) = waiting
    while isinstance(answer, Challenge):
        answer = now(dialogue.respond(now(login.respond(answer.eap))))
    assert isinstance(answer, Accept), answer
    assert answer.standing is STANDING
    assert login.complete() == Keyed("tls", answer.msk, True)


def test_a_certificate_that_was_revoked(tls_version):
    """In TLS 1.3 the client has not heard by then that it is let in (RFC 9190 §2.5)."""
    looking = Deferred()
    login, dialogue = begin(lambda shown: looking)
    _, waiting = until_it_waits(login, dialogue)
    looking.callback("it was revoked yesterday")
    (answer,) = waiting
    assert isinstance(answer, Reject)
    assert answer.message == "EAP-tls: it was revoked yesterday"
    assert login.complete() is None


def test_while_it_is_looked_into_nothing_else_may_come():
    looking = Deferred()
    login, dialogue = begin(lambda shown: looking)
    last, _ = until_it_waits(login, dialogue)
    answer = now(dialogue.respond(last))
    assert isinstance(answer, Reject)
    assert "while the one before is judged" in answer.message


def test_a_login_that_nobody_waits_for_any_more_asks_no_more(tls_version):
    cancelled = []
    login, dialogue = begin(lambda shown: Deferred(cancelled.append))
    response = now(login.respond(IDENTITY_REQUEST))
    while (responding := dialogue.respond(response)).called:
        response = now(login.respond(now(responding).eap))
    failures = []
    responding.addErrback(failures.append)
    responding.cancel()
    assert cancelled
    assert failures[0].check(CancelledError)
