"""How often logins have failed: passwords are not to be guessed at the speed of our CPU."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from attrs import define

MOST_REMEMBERED: Final = 16384


@define
class _Level:
    """Failures that still count: each is forgotten little by little."""

    failures: float
    at: float


class Attempts:
    """Failures by whatever they are counted for. Those that failed longest ago are forgotten first, and memory is bounded."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._levels: OrderedDict[Hashable, _Level] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def exhausted(self, key: Hashable, allowed: int, seconds: float, now: float) -> bool:
        """Has `key` failed so often that it may not try now? `allowed` 0: never."""
        return bool(allowed) and self._now(key, allowed, seconds, now) > allowed - 1

    def failed(self, key: Hashable, allowed: int, seconds: float, now: float) -> None:
        """Count one more failure."""
        if allowed:
            failures = min(self._now(key, allowed, seconds, now) + 1, float(allowed))
            self._levels[key] = _Level(failures, now)
            self._levels.move_to_end(key)
            if len(self._levels) > self._most:
                self._levels.popitem(last=False)

    def _now(self, key: Hashable, allowed: int, seconds: float, now: float) -> float:
        level = self._levels.get(key)
        if level is None:
            return 0.0
        return max(0.0, level.failures - (now - level.at) * allowed / seconds)
