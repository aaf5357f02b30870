"""The peer of EAP-TTLS (RFC 5281; with TLS 1.3 RFC 9427): a password, said only within TLS to a server that has proved itself."""

from collections.abc import Callable

from attrs import field, frozen

from ikegw.eap import avps, mschap, tls_keys
from ikegw.eap.avps import Avp
from ikegw.eap.errors import BadEap, LoginFailed
from ikegw.eap.mschapv2 import read_failure, read_success
from ikegw.eap.peer.account import Account
from ikegw.eap.peer.mschapv2 import Proof
from ikegw.eap.peer.tls_peer import COMMITMENT, AwaitStart, Phase, Unfinished
from ikegw.eap.tls_engine import TlsEngine
from ikegw.policy.connections import EapMethod
from ikegw.ports import Keyed
from ikegw.wire.registry import EapType

_PASSWORD_BLOCK = 16
"""User-Password is filled up with zeros to a multiple of this, so that its length stays hidden (RFC 5281 §11.2.5)."""
_UNDERSTOOD = {
    (0, avps.REPLY_MESSAGE),
    (avps.MICROSOFT, avps.MS_CHAP_ERROR),
    (avps.MICROSOFT, avps.MS_CHAP2_SUCCESS),
}

Opening = Callable[[Account, TlsEngine], Phase]
"""Begins the inner method: says its first AVPs."""


@frozen
class Handshake(Unfinished):
    """TLS is not established; once it is, the password follows in the same flight."""

    account: Account = field(repr=False)
    opening: Opening

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        return self.opening(self.account, engine) if engine.established else self


@frozen
class Satisfied:
    """The server has all that we can say, and we all that it must; it may still say what needs no answer."""

    keyed: Keyed
    open: bool = True

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        _hear(engine)
        return self


@frozen
class AwaitProof(Unfinished):
    """MS-CHAPv2: we have proved that we know the password; success may be believed when the server has, too."""

    proof: Proof = field(repr=False)
    identifier: int

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        for avp in _hear(engine):
            if avp.vendor == avps.MICROSOFT and avp.code == avps.MS_CHAP2_SUCCESS:
                if avp.value[:1] != bytes((self.identifier,)):
                    raise BadEap("MS-CHAP2-Success for another MS-CHAP2-Response than ours")
                response, _message = read_success(avp.value[1:])
                self.proof.check(response)
                return _satisfied(EapMethod.TTLS_MSCHAPV2, engine)
        return self


def _hear(engine: TlsEngine) -> tuple[Avp, ...]:
    """What the server says; LoginFailed when it refuses, or wants something understood that we do not (RFC 5281 §10.1)."""
    said = engine.take_received()
    if said == COMMITMENT:
        return ()
    heard = Avp.decode_all(said)
    for avp in heard:
        if avp.vendor == avps.MICROSOFT and avp.code == avps.MS_CHAP_ERROR:
            failure = read_failure(avp.value[:1], avp.value[1:])
            raise LoginFailed(f"the EAP server refuses the login: {failure.reason}")
        if avp.mandatory and (avp.vendor, avp.code) not in _UNDERSTOOD:
            raise LoginFailed(
                f"the EAP server wants AVP {avp.vendor}/{avp.code} understood within TTLS, which we do not"
            )
    return heard


def _satisfied(method: EapMethod, engine: TlsEngine) -> Satisfied:
    return Satisfied(Keyed(method.value, tls_keys.msk(engine, EapType.TTLS), True))


def _say(engine: TlsEngine, *said: Avp) -> None:
    engine.say(b"".join(avp.encode() for avp in said))


def _say_password(account: Account, engine: TlsEngine) -> Phase:
    password = account.password or b""
    filled = password + bytes(-len(password) % _PASSWORD_BLOCK)
    _say(engine, Avp(avps.USER_NAME, account.name), Avp(avps.USER_PASSWORD, filled))
    return _satisfied(EapMethod.TTLS_PAP, engine)


def _answer_challenge(account: Account, engine: TlsEngine) -> Phase:
    """MS-CHAPv2 with a challenge that TLS makes (RFC 5281 §11.2.4)."""
    exported = tls_keys.ttls_challenge(engine, mschap.CHALLENGE_OCTETS + 1)
    challenge, identifier = exported[:-1], exported[-1]
    proof = Proof.make(account, challenge)
    response = bytes((identifier, 0)) + proof.peer_challenge + bytes(8) + proof.nt_response
    _say(
        engine,
        Avp(avps.USER_NAME, account.name),
        Avp(avps.MS_CHAP_CHALLENGE, challenge, avps.MICROSOFT),
        Avp(avps.MS_CHAP2_RESPONSE, response, avps.MICROSOFT),
    )
    return AwaitProof(proof, identifier)


def ttls_pap(account: Account) -> AwaitStart:
    """TTLS with PAP: the password itself."""
    return AwaitStart(account, Handshake(account, _say_password), show=False)


def ttls_mschapv2(account: Account) -> AwaitStart:
    """TTLS with MS-CHAPv2."""
    return AwaitStart(account, Handshake(account, _answer_challenge), show=False)
