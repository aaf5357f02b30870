"""The authenticator of MD5-Challenge (RFC 3748 §5.4)."""

from attrs import field, frozen

from ikegw.crypto.compare import equal
from ikegw.eap.challenge_md5 import DIGEST_OCTETS, Md5Value, digest
from ikegw.eap.server.claim import Claim
from ikegw.eap.turns import Ask, Passed, Refused, Verdict
from ikegw.policy.connections import EapMethod


def begin(claim: Claim, identifier: int) -> Ask:
    """Challenge the peer."""
    challenge = claim.random(DIGEST_OCTETS)
    return Ask(Md5Value(challenge).encode(), AwaitDigest(claim, challenge))


@frozen
class AwaitDigest:
    """The challenge is out."""

    claim: Claim
    challenge: bytes = field(repr=False)

    def receive(self, identifier: int, data: bytes) -> Verdict:
        """See `ServerStage`."""
        expected = digest(identifier, self.claim.secret, self.challenge)
        right = equal(Md5Value.decode(data).value, expected)
        if right and self.claim.is_possible:
            return Passed(self.claim.name)
        return Refused(self.claim.refusal(EapMethod.MD5.value))
