"""For whom an address is kept from one login to the next: the name that EAP made certain, else the identity of IKE."""

from hashlib import sha256

from attrs import frozen

from ikegw.policy.identities import display, normal, parse_identity
from ikegw.ports import AddressRequest
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType


@frozen
class Owner:
    """One client. `key` is the same whenever it comes, `name` is for people; `groups`: also what its AAA server says of it."""

    key: str
    name: str
    identity: Identity
    groups: frozenset[str] = frozenset()


def owner_of(request: AddressRequest) -> Owner:
    """Whose addresses these will be. A user of EAP is the same as a peer whose identity is spelled like that."""
    identity = _named(request.user) if request.user else request.identity
    grant = request.grant
    groups = frozenset(
        (*(octets.decode("utf-8", "replace") for octets in grant.classes), *grant.filters, request.group)
    ) - {""}
    # Whatever a peer calls itself, its key is short; two names that display alike have two keys.
    key = sha256(repr(normal(identity)).encode()).hexdigest()[:32]
    return Owner(key, request.user or display(identity), identity, groups)


def _named(user: str) -> Identity:
    try:
        return parse_identity(user)
    except ValueError:
        return Identity(IdType.KEY_ID, user.encode("utf-8", "surrogateescape"))
