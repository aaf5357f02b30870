"""When to try again after N(TEMPORARY_FAILURE): never at once, later each time, not for ever (RFC 7296 §2.25; row Q-05)."""

from attrs import define

from ikegw.ports import Random

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 30.0
GIVE_UP_SECONDS = 180.0


@define(eq=False)
class Backoff:
    """Growing waits with jitter: both ends of a collision must not come back at the same time."""

    _wait: float = FIRST_SECONDS
    _waited: float = 0.0

    def next(self, random: Random) -> float | None:
        """Seconds to wait now; None when it has been minutes, and the SAs must be out of step."""
        if self._waited > GIVE_UP_SECONDS:
            return None
        wait = self._wait * (0.5 + int.from_bytes(random(2), "big") / 65536)
        self._wait = min(self._wait * 2, LONGEST_SECONDS)
        self._waited += wait
        return wait
