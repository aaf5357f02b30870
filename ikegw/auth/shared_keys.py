"""Shared secrets by identity: which one serves between us and this peer (as swanctl's `secrets.ike`)."""

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import field, frozen
from attrs.validators import min_len

from ikegw.policy.identities import ANY_RANK, IdentityPattern, Normal, normal
from ikegw.wire.identification import Identity


@frozen
class SharedKey:
    """A secret and whom it belongs to; no patterns: anybody."""

    patterns: tuple[IdentityPattern, ...]
    secret: bytes = field(repr=False, validator=min_len(1))


_NO_MATCH: Final = (0, 0)


class SharedKeys:
    """Finds the secret between a local and a remote identity.

    A secret serves a peer that one of its patterns matches, the most specific match winning, and then the one that matches
    us best. A secret whose patterns all name exactly us serves any peer, but only if none is the peer's own; so does,
    last of all, a secret without patterns. Note what is *not* so: `{carol, gw}` never serves dave at gw.

    Secrets of exact identities are found by hash, however many there are; only those with wildcards are tried in turn.
    """

    def __init__(self, keys: Iterable[SharedKey] = ()) -> None:
        self._keys = tuple(keys)
        self._exact: dict[Normal, list[SharedKey]] = {}
        self._wild: list[SharedKey] = []
        self._anybody: SharedKey | None = None
        for key in self._keys:
            if not key.patterns:
                self._anybody = self._anybody or key
            for identity in {normal(pattern.exact) for pattern in key.patterns if pattern.exact is not None}:
                self._exact.setdefault(identity, []).append(key)
            if any(pattern.exact is None for pattern in key.patterns):
                self._wild.append(key)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, local: Identity, remote: Identity | None) -> SharedKey | None:
        """The secret that fits best, the first configured among equals; None if there is none.

        Without a remote identity (an initiator that takes any gateway) it is one that names us, else the only one there is.
        """
        best, best_rank = None, _NO_MATCH
        for key in self._candidates(local, remote):
            rank = _rank(key, local, remote)
            if rank > best_rank:
                best, best_rank = key, rank
        if best is None and remote is None and len(self._keys) == 1:
            return self._keys[0]
        return best or self._anybody

    def _candidates(self, local: Identity, remote: Identity | None) -> Iterator[SharedKey]:
        if remote is not None:
            yield from self._exact.get(normal(remote), ())
        yield from self._wild
        yield from self._exact.get(normal(local), ())


def _rank(key: SharedKey, local: Identity, remote: Identity | None) -> tuple[int, int]:
    ours = max(pattern.rank(local) for pattern in key.patterns)
    if remote is None:
        return (ANY_RANK, ours) if ours else _NO_MATCH
    theirs = max(pattern.rank(remote) for pattern in key.patterns)
    if theirs:
        return theirs, ours
    # Wildcards that match us must not open the door to everybody else: only a secret that is wholly ours does.
    wholly_ours = all(pattern.exact is not None and pattern.rank(local) for pattern in key.patterns)
    return (0, ours) if wholly_ours else _NO_MATCH
