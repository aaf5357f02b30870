"""The peer of MD5-Challenge (RFC 3748 §5.4)."""

from attrs import frozen

from ikegw.eap.challenge_md5 import Md5Value, digest
from ikegw.eap.peer.account import Account
from ikegw.eap.turns import Answer
from ikegw.policy.connections import EapMethod
from ikegw.ports import Keyed


@frozen
class Md5Peer:
    """Waits for the challenge; its answer is all that the method has."""

    account: Account

    def answer(self, identifier: int, data: bytes) -> Answer:
        """See `PeerStage`."""
        challenge = Md5Value.decode(data).value
        value = digest(identifier, self.account.password or b"", challenge)
        return Answer(
            Md5Value(value, self.account.name).encode(), keyed=Keyed(EapMethod.MD5.value, None, False)
        )
