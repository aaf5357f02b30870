"""What every IKE SA of a gateway shares: the ports, the clock, the randomness, and where events go."""

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from ikegw.auth.authenticator import Authenticator
from ikegw.events import Publish
from ikegw.ike.fragments import Memory
from ikegw.ports import Aaa, Addresses, DataPlane, Random, Supplicants, Transport
from ikegw.ports.witness import Witness, nobody


@frozen
class Surroundings:
    """The world as an IKE SA sees it."""

    clock: IReactorTime
    random: Random
    transport: Transport
    data_plane: DataPlane
    addresses: Addresses
    authenticator: Authenticator
    aaa: Aaa
    supplicants: Supplicants
    publish: Publish
    witness: Witness = nobody
    worker: int = 0
    fragments: Memory = field(factory=Memory)
    boot: str = field(init=False)
    """What tells the sessions of this life of the gateway from those of every other: when it began, and some chance."""

    @boot.default
    def _boot(self) -> str:
        return f"{int(self.clock.seconds()):x}{self.random(4).hex()}"

    def ike_spi(self) -> bytes:
        """A fresh IKE SPI of ours: 8 octets, the first one the worker's number, never all zero."""
        while True:
            spi = bytes([self.worker]) + self.random(7)
            if any(spi[1:]):
                return spi
