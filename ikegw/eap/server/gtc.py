"""The authenticator of the Generic Token Card: it asks for the password, which only IKE's encryption hides (RFC 3748 §5.6)."""

from hashlib import sha256
from typing import Final

from attrs import frozen

from ikegw.crypto.compare import equal
from ikegw.eap.server.claim import Claim
from ikegw.eap.turns import Ask, Passed, Refused, Verdict
from ikegw.policy.connections import EapMethod

_QUESTION: Final = b"Password: "


def begin(claim: Claim, identifier: int) -> Ask:
    """Ask for the password."""
    return Ask(_QUESTION, AwaitPassword(claim))


@frozen
class AwaitPassword:
    """The question is out."""

    claim: Claim

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """See `ServerStage`. Hashes are compared, so that the time does not tell how long the password is."""
        right = equal(sha256(data).digest(), sha256(self.claim.secret).digest())
        if right and self.claim.is_possible:
            return Passed(self.claim.name)
        return Refused(self.claim.refusal(EapMethod.GTC.value))
