"""Shared secrets by identity: which one serves between us and this peer (as swanctl's `secrets.ike`)."""

from collections.abc import Iterable

from attrs import field, frozen

from ikegw.policy.identities import IdentityPattern
from ikegw.wire.identification import Identity


@frozen
class SharedKey:
    """A secret and whom it belongs to. No patterns: anybody's."""

    patterns: tuple[IdentityPattern, ...]
    secret: bytes = field(repr=False)


class SharedKeys:
    """Finds the secret between a local and a remote identity."""

    def __init__(self, keys: Iterable[SharedKey] = ()) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, local: Identity, remote: Identity | None) -> SharedKey | None:
        """The secret whose patterns fit best; None if there is none."""
        for key in self._keys:
            if remote is not None and any(pattern.matches(remote) for pattern in key.patterns):
                return key
        for key in self._keys:
            if all(pattern.matches(local) for pattern in key.patterns):
                return key
        return None
