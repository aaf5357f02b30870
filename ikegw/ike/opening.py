"""What an IKE_SA_INIT exchange leaves behind for IKE_AUTH: both messages as they went over the wire, and both nonces."""

from attrs import field, frozen

from ikegw.auth.octets import signed_octets
from ikegw.ike.channel import Channel
from ikegw.wire.identification import Identity


@frozen
class Opening:
    """`request` and `response` are the last IKE_SA_INIT messages, whole, without a non-ESP marker."""

    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    initiator_nonce: bytes = field(repr=False)
    responder_nonce: bytes = field(repr=False)

    def signed_by_initiator(self, channel: Channel, identity: Identity) -> bytes:
        """InitiatorSignedOctets (RFC 7296 §2.15)."""
        return signed_octets(
            self.request, self.responder_nonce, channel.suite.prf, channel.sk_pi, identity.encode()
        )

    def signed_by_responder(self, channel: Channel, identity: Identity) -> bytes:
        """ResponderSignedOctets (RFC 7296 §2.15)."""
        return signed_octets(
            self.response, self.initiator_nonce, channel.suite.prf, channel.sk_pr, identity.encode()
        )
