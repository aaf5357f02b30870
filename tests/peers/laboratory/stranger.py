"""Somebody who begins and never goes on: run as a program, sends one IKE_SA_INIT request and prints what came back.

Its arguments are the gateway's address and how often to do it: each time a new initiator, whose half-open IKE SA the
gateway keeps.
"""

import os
import socket
import sys

from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message, decode_message, encode_message
from ikegw.wire.nonce import Nonce
from ikegw.wire.proposal import Proposal, SecurityAssociation, Transform
from ikegw.wire.registry import EncryptionId, ExchangeType, KeGroup, PrfId, ProtocolId, TransformType


def request() -> bytes:
    """An IKE_SA_INIT request for aes256gcm16-prfsha256-x25519, with a public value that nobody knows the secret of."""
    transforms = (
        Transform(TransformType.ENCR, EncryptionId.AES_GCM_16, 256),
        Transform(TransformType.PRF, PrfId.HMAC_SHA2_256),
        Transform(TransformType.KE, KeGroup.X25519),
    )
    header = Header(os.urandom(8), bytes(8), ExchangeType.IKE_SA_INIT, False, True, 0)
    payloads = (
        SecurityAssociation((Proposal(1, ProtocolId.IKE, b"", transforms),)),
        KeyExchange(KeGroup.X25519, os.urandom(32)),
        Nonce(os.urandom(32)),
    )
    return encode_message(Message(header, payloads))


def main(address: str, times: int) -> None:
    """Send `times` requests to `address`; one line for each answer: the names of its payloads."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(times):
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.settimeout(2)
            udp.connect((address, 500))
            udp.send(request())
            answer = decode_message(udp.recv(65535))
        sys.stdout.write(" ".join(type(payload).__name__ for payload in answer.payloads) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
