"""The peer of EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2, RFC 2759): a type for each stage of it."""

from attrs import field, frozen

from ikegw.crypto.compare import equal
from ikegw.eap import mschap
from ikegw.eap.errors import LoginFailed
from ikegw.eap.mschapv2 import Challenge, Failure, FailureAck, Response, Success, SuccessAck, decode_request
from ikegw.eap.peer.account import Account
from ikegw.eap.turns import Answer
from ikegw.policy.connections import EapMethod
from ikegw.ports import Keyed


@frozen
class AwaitChallenge:
    """Nothing has been said yet."""

    account: Account

    def answer(self, identifier: int, data: bytes) -> Answer:
        """See `PeerStage`."""
        request = decode_request(data)
        if not isinstance(request, Challenge):
            raise LoginFailed(f"MSCHAPv2 {type(request).__name__} before the server has sent a challenge")
        proof = Proof.make(self.account, request.challenge)
        response = Response(request.id, proof.peer_challenge, proof.nt_response, self.account.name)
        return Answer(response.encode(), AwaitVerdict(proof))


@frozen
class Proof:
    """What the password says to a challenge, and what only a server that knows it too can say to that."""

    peer_challenge: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    expected: bytes = field(repr=False)
    msk: bytes = field(repr=False)

    @classmethod
    def make(cls, account: Account, challenge: bytes) -> "Proof":
        """For the password of `account`."""
        peer_challenge = account.random(mschap.CHALLENGE_OCTETS)
        hashed = mschap.nt_password_hash(account.password or b"")
        response = mschap.nt_response(challenge, peer_challenge, account.name, hashed)
        expected = mschap.authenticator_response(challenge, peer_challenge, account.name, hashed, response)
        return cls(peer_challenge, response, expected, mschap.msk(hashed, response))

    def check(self, authenticator_response: bytes) -> None:
        """LoginFailed if the server does not know the password."""
        if not equal(authenticator_response, self.expected):
            raise LoginFailed(
                "the server says that the password is right, but does not know it itself: it is not the server it should be"
            )


@frozen
class AwaitVerdict:
    """We have proved ourselves; now the server either does so too, or refuses us."""

    proof: Proof

    def answer(self, identifier: int, data: bytes) -> Answer:
        """See `PeerStage`."""
        request = decode_request(data)
        if isinstance(request, Failure):
            return Answer(FailureAck.OCTETS, complaint=f"the server refuses the login: {request.reason}")
        if not isinstance(request, Success):
            raise LoginFailed("another MSCHAPv2 challenge where the server's verdict was expected")
        self.proof.check(request.authenticator_response)
        return Answer(SuccessAck.OCTETS, keyed=Keyed(EapMethod.MSCHAPV2.value, self.proof.msk, True))
