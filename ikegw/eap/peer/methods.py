"""The methods that our peer has, and when each may be used."""

from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen

from ikegw.eap.peer.account import Account
from ikegw.eap.peer.gtc import GtcPeer
from ikegw.eap.peer.md5 import Md5Peer
from ikegw.eap.peer.mschapv2 import AwaitChallenge
from ikegw.eap.peer.tls import tls
from ikegw.eap.peer.ttls import ttls_mschapv2, ttls_pap
from ikegw.eap.turns import PeerStage
from ikegw.policy.connections import EapMethod
from ikegw.wire.registry import EapType


@frozen
class PeerMethod:
    """One method. `safe`: it takes no harm from a server that nobody has authenticated before (RFC 5998 §4).

    All others give something away to such a server: the password itself, or what it can be guessed by.
    """

    method: EapMethod
    type: EapType
    begin: Callable[[Account], PeerStage]
    safe: bool
    needs_password: bool

    def obstacle(self, account: Account, *, authentic: bool) -> str:
        """Why it cannot be used for this login; empty if it can."""
        if not authentic and not self.safe:
            return "the gateway has proved nothing before it, and it would give the password away"
        if self.needs_password:
            if account.password is None:
                return "there is no password for this name in secrets.eap"
        elif account.certificate is None:
            return "local.certs names no certificate of which we have the key"
        return ""


_ALL: Final = (
    PeerMethod(EapMethod.TLS, EapType.TLS, tls, safe=True, needs_password=False),
    PeerMethod(EapMethod.TTLS_MSCHAPV2, EapType.TTLS, ttls_mschapv2, safe=True, needs_password=True),
    PeerMethod(EapMethod.TTLS_PAP, EapType.TTLS, ttls_pap, safe=True, needs_password=True),
    PeerMethod(EapMethod.MSCHAPV2, EapType.MSCHAPV2, AwaitChallenge, safe=False, needs_password=True),
    PeerMethod(EapMethod.GTC, EapType.GTC, GtcPeer, safe=False, needs_password=True),
    PeerMethod(EapMethod.MD5, EapType.MD5_CHALLENGE, Md5Peer, safe=False, needs_password=True),
)
METHODS: Final = {each.method: each for each in _ALL}


def usable(
    wanted: Iterable[EapMethod], account: Account, *, authentic: bool
) -> tuple[dict[EapType, PeerMethod], tuple[str, ...]]:
    """Those of `wanted` that this login can use, by type, the first of each; and a clause for each that it cannot."""
    found: dict[EapType, PeerMethod] = {}
    obstacles = []
    for name in wanted:
        method = METHODS[name]
        obstacle = method.obstacle(account, authentic=authentic)
        if obstacle:
            obstacles.append(f"{name.value}: {obstacle}")
        else:
            found.setdefault(method.type, method)
    return found, tuple(obstacles)
