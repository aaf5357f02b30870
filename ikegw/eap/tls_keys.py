"""What EAP methods take from TLS: the MSK, and TTLS's challenge (RFC 5216 §2.3, RFC 5281 §8, §11.1, RFC 9427 §2)."""

from typing import Final

from ikegw.eap.tls_engine import TlsEngine
from ikegw.wire.registry import EapType

_MSK_OCTETS: Final = 64
_MATERIAL_OCTETS: Final = 128
_LABELS_1_2: Final = {EapType.TLS: b"client EAP encryption", EapType.TTLS: b"ttls keying material"}
_LABEL_1_3: Final = b"EXPORTER_EAP_TLS_Key_Material"
_CHALLENGE_LABEL: Final = b"ttls challenge"


def msk(engine: TlsEngine, method: EapType) -> bytes:
    """The 64 octets; what follows them is the EMSK, which nobody here needs."""
    if engine.is_tls_1_3:
        return engine.export(_LABEL_1_3, _MATERIAL_OCTETS, bytes((method,)))[:_MSK_OCTETS]
    return engine.export(_LABELS_1_2[method], _MATERIAL_OCTETS)[:_MSK_OCTETS]


def ttls_challenge(engine: TlsEngine, octets: int) -> bytes:
    """What an inner method is challenged with, which neither side can choose."""
    return engine.export(_CHALLENGE_LABEL, octets)
