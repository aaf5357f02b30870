"""How long a stranger waits for the answer to his IKE_SA_INIT, while others wait for a RADIUS server."""

import os
import socket
import statistics
import time

from attrs import frozen
from handshake_cases import GATEWAY_ADDRESS, MODERN

from ikegw.crypto.groups import generate
from ikegw.policy.offers import parse_offer
from ikegw.policy.proposals import groups_of, to_wire
from ikegw.wire.key_exchange import KeyExchange
from ikegw.wire.message import Header, Message, decode_message, encode_message
from ikegw.wire.nonce import Nonce
from ikegw.wire.notify import Notify
from ikegw.wire.registry import ExchangeType, NotifyType


@frozen
class Answers:
    """Milliseconds until IKE_SA_INIT was answered."""

    median: float
    worst_of_20: float
    worst: float
    lost: int


def probe(own_address: str, times: int, pause: float = 0.02) -> Answers:
    """Ask so many times, always as somebody else, and never go on."""
    took, lost = [], 0
    offers = parse_offer("ike", MODERN)
    public = generate(groups_of(offers)[0], os.urandom).public
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind((own_address, 0))
        ours.connect((GATEWAY_ADDRESS, 500))
        ours.settimeout(5.0)
        for _ in range(times):
            header = Header(os.urandom(8), bytes(8), ExchangeType.IKE_SA_INIT, False, True, 0)
            payloads = (
                to_wire(offers),
                KeyExchange(groups_of(offers)[0], public),
                Nonce(os.urandom(32)),
                Notify(NotifyType.NAT_DETECTION_SOURCE_IP, os.urandom(20)),
                Notify(NotifyType.NAT_DETECTION_DESTINATION_IP, os.urandom(20)),
            )
            began = time.monotonic()
            ours.send(encode_message(Message(header, payloads)))
            try:
                answer = decode_message(ours.recv(65535))
            except TimeoutError:
                lost += 1
                continue
            took.append((time.monotonic() - began) * 1000)
            assert answer.one(KeyExchange) is not None, answer
            time.sleep(pause)
    took.sort()
    return Answers(statistics.median(took), took[-1 - len(took) // 20], took[-1], lost)
