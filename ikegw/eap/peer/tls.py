"""The peer of EAP-TLS (RFC 5216, with TLS 1.3 RFC 9190)."""

from attrs import frozen

from ikegw.eap import tls_keys
from ikegw.eap.errors import BadEap
from ikegw.eap.peer.account import Account
from ikegw.eap.peer.tls_peer import COMMITMENT, AwaitStart, Phase, Unfinished
from ikegw.eap.tls_engine import TlsEngine
from ikegw.policy.connections import EapMethod
from ikegw.ports import Keyed
from ikegw.wire.registry import EapType


@frozen
class Handshake(Unfinished):
    """TLS is not established."""

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        if not engine.established:
            return self
        return AwaitCommitment().after(engine) if engine.is_tls_1_3 else _complete(engine, b"")


@frozen
class AwaitCommitment(Unfinished):
    """TLS 1.3 is established for us; the server has not said yet that it is for it too."""

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        return _complete(engine, COMMITMENT) if engine.received else self


@frozen
class Complete:
    """Nothing more may come but EAP Success."""

    keyed: Keyed
    open: bool = False

    def after(self, engine: TlsEngine) -> Phase:
        """See `Phase`."""
        raise BadEap("more TLS after EAP-TLS was complete")


def _complete(engine: TlsEngine, expected: bytes) -> Complete:
    if engine.take_received() != expected:
        raise BadEap("data within EAP-TLS, which carries none")
    return Complete(Keyed(EapMethod.TLS.value, tls_keys.msk(engine, EapType.TLS), True))


def tls(account: Account) -> AwaitStart:
    """EAP-TLS: both sides show certificates."""
    return AwaitStart(account, Handshake(), show=True)
