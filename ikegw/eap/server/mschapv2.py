"""The authenticator of EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2, RFC 2759): a type for each stage of it.

There is no way from the challenge to success but through a right response: what a peer says too early is not understood.
"""

from typing import Final

from attrs import field, frozen

from ikegw.crypto.compare import equal
from ikegw.eap import mschap
from ikegw.eap.errors import BadEap
from ikegw.eap.mschapv2 import (
    BAD_PASSWORD,
    Challenge,
    Failure,
    Response,
    Success,
    SuccessAck,
    decode_response,
)
from ikegw.eap.server.claim import Claim
from ikegw.eap.turns import Ask, Passed, Refused, Verdict
from ikegw.policy.connections import EapMethod

_SERVER: Final = b"ikegw"


def begin(claim: Claim, identifier: int) -> Ask:
    """Challenge the peer."""
    challenge = claim.random(mschap.CHALLENGE_OCTETS)
    return Ask(Challenge(identifier, challenge, _SERVER).encode(), AwaitResponse(claim, challenge))


@frozen
class AwaitResponse:
    """The challenge is out."""

    claim: Claim
    challenge: bytes = field(repr=False)

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """See `ServerStage`."""
        response = decode_response(data)
        if not isinstance(response, Response):
            raise BadEap(
                f"MSCHAPv2 {type(response).__name__} where the response to our challenge was expected"
            )
        hashed = mschap.nt_password_hash(self.claim.secret)
        peers, name = response.peer_challenge, response.name
        right = equal(response.nt_response, mschap.nt_response(self.challenge, peers, name, hashed))
        proof = mschap.authenticator_response(self.challenge, peers, name, hashed, response.nt_response)
        msk = mschap.msk(hashed, response.nt_response)
        if not right or not self.claim.is_possible:
            return self._refuse(response.id, self.claim.refusal(EapMethod.MSCHAPV2.value))
        if mschap.without_domain(name) != mschap.without_domain(self.claim.name.encode()):
            return self._refuse(
                response.id,
                f"EAP-mschapv2: the login began as {self.claim.name!r}, but the password is said to be that of {name!r}; "
                'if the client has two names, write eap_identity = "ask"',
            )
        return Ask(Success(response.id, proof, "Welcome").encode(), AwaitAck(self.claim.name, msk))

    def _refuse(self, identifier: int, reason: str) -> Ask:
        challenge = self.claim.random(mschap.CHALLENGE_OCTETS)
        told = Failure(identifier, BAD_PASSWORD, False, challenge, "Wrong name or password")
        return Ask(told.encode(), AwaitFailureAck(reason), reason)


@frozen
class AwaitAck:
    """The password was right, and we have proved that we know it; the peer is to say that it believes us."""

    name: str
    msk: bytes = field(repr=False)

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """See `ServerStage`."""
        if isinstance(decode_response(data), SuccessAck):
            return Passed(self.name, self.msk)
        return Refused(f"EAP-mschapv2: {self.name!r} knows the password, but does not believe that we do")


@frozen
class AwaitFailureAck:
    """The peer was told that it is refused; whatever it says now, it is."""

    reason: str

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """See `ServerStage`."""
        return Refused(self.reason, told=True)
