"""Choosing inbound SPIs (RFC 4303 §2.1): the first octet is the worker's number, so that a kernel can steer by it."""

from typing import Final

from attrs import define, field

from ikegw.ports import DataPlaneError, Random

RESERVED: Final = 255
"""SPIs up to this are IANA's."""

_ATTEMPTS: Final = 64


@define
class SpiSpace:
    """The SPIs of one worker: reserved, then installed, then free again."""

    random: Random
    worker: int = 0
    taken: set[bytes] = field(factory=set)

    def reserve(self) -> bytes:
        """A free SPI, unguessable; DataPlaneError if the space is as good as full."""
        for _ in range(_ATTEMPTS):
            spi = bytes((self.worker,)) + self.random(3)
            if int.from_bytes(spi, "big") > RESERVED and spi not in self.taken:
                self.taken.add(spi)
                return spi
        raise DataPlaneError(
            f"no free inbound SPI found for worker {self.worker}: {len(self.taken)} are in use; remove unused SAs"
        )

    def free(self, spi: bytes) -> None:
        """Give one back; a free one stays free."""
        self.taken.discard(spi)
