"""How many sessions a peer may have: places that are taken before a session begins, so that of logins at once no more come in."""

from collections.abc import Hashable, Iterable

from attrs import define, field


@define(eq=False)
class Seats:
    """By whom and why they are counted: the numbers of the IKE SAs that have a place, which rekeying does not change."""

    _taken: dict[Hashable, set[int]] = field(factory=dict, init=False, repr=False)
    _of: dict[int, list[Hashable]] = field(factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """Of how many peers or users there are any."""
        return len(self._taken)

    def others(self, key: Hashable, leaving: Iterable[int] = ()) -> int:
        """How many have a place, but for those that are about to leave."""
        return len(self._taken.get(key, set()).difference(leaving))

    def take(self, key: Hashable, number: int) -> None:
        """One IKE SA more has a place."""
        self._taken.setdefault(key, set()).add(number)
        self._of.setdefault(number, []).append(key)

    def leave(self, number: int) -> None:
        """An IKE SA leaves all its places, if it has any."""
        for key in self._of.pop(number, ()):
            taken = self._taken[key]
            taken.discard(number)
            if not taken:
                del self._taken[key]
