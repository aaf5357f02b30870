"""The methods that the embedded authenticator has."""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from ikegw.eap.errors import LoginFailed
from ikegw.eap.server import gtc, md5, mschapv2
from ikegw.eap.server.claim import Claim
from ikegw.eap.server.settings import Settings
from ikegw.eap.server.tls import InTls
from ikegw.eap.tls_packet import TlsPacket
from ikegw.eap.turns import Ask
from ikegw.policy.connections import EapMethod
from ikegw.wire.registry import EapType


@frozen
class ServerMethod:
    """One method; `begin` is given the EAP identifier of its first request, and may raise LoginFailed."""

    method: EapMethod
    type: EapType
    begin: Callable[[Settings, Claim, int], Ask]


def _begin_tls(settings: Settings, claim: Claim, identifier: int) -> Ask:
    if settings.certificate is None or not settings.authorities:
        raise LoginFailed("EAP-tls needs a certificate of ours (eap.certs) and authorities (eap.cacerts)")
    stage = InTls.make(claim, settings.certificate, settings.authorities, settings.look_into)
    return Ask(TlsPacket(start=True).encode(), stage)


_ALL: Final = (
    ServerMethod(
        EapMethod.MSCHAPV2, EapType.MSCHAPV2, lambda _, claim, number: mschapv2.begin(claim, number)
    ),
    ServerMethod(EapMethod.TLS, EapType.TLS, _begin_tls),
    ServerMethod(EapMethod.GTC, EapType.GTC, lambda _, claim, number: gtc.begin(claim, number)),
    ServerMethod(EapMethod.MD5, EapType.MD5_CHALLENGE, lambda _, claim, number: md5.begin(claim, number)),
)
METHODS: Final = {each.method: each for each in _ALL}
