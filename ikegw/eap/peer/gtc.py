"""The peer of the Generic Token Card, which here asks for a password (RFC 3748 §5.6)."""

from attrs import frozen

from ikegw.eap.peer.account import Account
from ikegw.eap.turns import Answer
from ikegw.policy.connections import EapMethod
from ikegw.ports import Keyed


@frozen
class GtcPeer:
    """Waits for the question, whatever it says; the password is the answer."""

    account: Account

    def answer(self, identifier: int, data: bytes) -> Answer:
        """See `PeerStage`."""
        return Answer(self.account.password or b"", keyed=Keyed(EapMethod.GTC.value, None, False))
