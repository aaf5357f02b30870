"""How the tests of providers ask: in one line, with the answer in hand."""

from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred

from ikegw.policy.identities import parse_identity
from ikegw.ports import Addresses, AddressRequest, Lease, NoAddress
from ikegw.session import NOTHING_GRANTED, Grant


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found[0]


def ask(
    name: str = "carol@ikegw.example",
    pools: tuple[str, ...] = ("rw",),
    *,
    ip4: bool = True,
    ip6: bool = False,
    requested: tuple[str, ...] = (),
    user: str = "",
    grant: Grant = NOTHING_GRANTED,
) -> AddressRequest:
    addresses = tuple(ip_address(each) for each in requested)
    return AddressRequest(
        "roadwarriors", parse_identity(name), pools, ip4, ip6, addresses, user=user, grant=grant
    )


def lend(addresses: Addresses, request: AddressRequest) -> Lease:
    lease = result(addresses.lease(request))
    assert isinstance(lease, Lease), lease
    return lease


def refuse(addresses: Addresses, request: AddressRequest) -> str:
    failure = result(addresses.lease(request))
    assert failure.check(NoAddress), failure
    return str(failure.value)
