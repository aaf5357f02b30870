"""How a CHILD SA is carried beyond who may use it: mode, marks, interface, padding. Zero or None: nothing special."""

from enum import Enum

from attrs import frozen


class Mode(Enum):
    """What ESP encloses: whole packets, or only what two hosts themselves say to each other (RFC 4301 §3.2)."""

    TUNNEL = "tunnel"
    TRANSPORT = "transport"


class Offload(Enum):
    """Whether a network card enciphers (CRYPTO), or does all of ESP (PACKET)."""

    NO = "no"
    CRYPTO = "crypto"
    PACKET = "packet"


@frozen
class Mark:
    """A firewall mark: `value` in the bits of `mask`."""

    value: int
    mask: int = 0xFFFFFFFF

    def __str__(self) -> str:
        return f"{self.value:#x}" if self.mask == 0xFFFFFFFF else f"{self.value:#x}/{self.mask:#x}"


@frozen
class Carriage:
    """`if_id`: packets enter and leave by the operator's own xfrm interface of that number, and routes are the operator's.

    `mark` is what packets carry that the SA's policies are for; `output_mark` is put on its ESP packets. `tfc_padding` pads inner
    packets to so many octets (RFC 4303 §2.7).
    """

    mode: Mode = Mode.TUNNEL
    if_id: int = 0
    mark: Mark | None = None
    output_mark: Mark | None = None
    tfc_padding: int = 0
    offload: Offload = Offload.NO


PLAIN = Carriage()
"""A tunnel with nothing special about it, as every data plane can carry it."""
