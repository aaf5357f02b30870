"""All that we prove ourselves with and check others by: a value that a reload replaces whole."""

from attrs import field, frozen

from ikegw.auth.shared_keys import SharedKey, SharedKeys


def _index(keys: tuple[SharedKey, ...] | SharedKeys) -> SharedKeys:
    return keys if isinstance(keys, SharedKeys) else SharedKeys(keys)


@frozen
class Credentials:
    """Shared keys, our certificates with their private keys, and the authorities that we trust."""

    shared_keys: SharedKeys = field(factory=SharedKeys, converter=_index, repr=False)
