"""Many logins wait for a DHCP server that never answers: nobody else waits a moment longer for that (row R-15)."""

from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from time import thread_time

from attrs import evolve

from ikegw.addresses.chain import Chain
from ikegw.config.dhcp import DhcpServers
from ikegw.dhcp.messages4 import read4
from ikegw.dhcp.provider import DhcpProvider
from ikegw.dhcp.relay import Relay
from ikegw.events import AddressLeased, Event, IkeUp, Refused
from ikegw.gate.limits import Limits
from ikegw.paths import Endpoint
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.testing.heap_clock import HeapClock
from ikegw.testing.pair import CLIENT, GATEWAY, Pair, make_pair, shared_key

WAITING = 500
OFFICE = DhcpServers("office", (ip_address("10.50.0.2"),), IPv4Address("10.60.0.1"))
UNLIMITED = Limits(*[10 * WAITING] * 4)
AT_MOST_SECONDS = 0.05
"""Of our CPU at a stretch: what somebody else waits for his answer."""

PATIENT = evolve(CLIENT, retransmit=evolve(CLIENT.retransmit, first=60.0))
WAITERS = evolve(
    GATEWAY,
    name="waiters",
    remote=evolve(GATEWAY.remote, identity=IdentityPattern.parse("*@waiting")),
    pools=("dhcp:office",),
)


class Silence:
    """A DHCP server that hears everything."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def lender(self, clock, pool) -> Chain:
        here = Endpoint(IPv4Address("10.60.0.1"), 67)
        numbers = iter(range(1, 10**6))

        def random(octets: int) -> bytes:
            return next(numbers).to_bytes(octets, "big")

        relay = Relay(here, read4, lambda octets, to: self.heard.append(octets), clock, random, 4)
        provider = DhcpProvider(OFFICE, lambda settings, family: relay, clock, list[Event]().append)
        return Chain(clock, 16.0, [pool], {"dhcp:office": provider})


def with_waiters(count: int = WAITING) -> tuple[Pair, Silence]:
    """So many have proved themselves, and wait for an address."""
    silence = Silence()
    pair = make_pair(limits=UNLIMITED, addresses=silence.lender, clock=HeapClock())
    pair.gateway.gateway.reload((GATEWAY, WAITERS))
    client = pair.client.gateway
    for number in range(count):
        local = evolve(CLIENT.local, identity=parse_identity(f"user{number}@waiting"))
        client.connections = (evolve(PATIENT, name=f"wait{number}", local=local),)
        client.initiate(f"wait{number}").addErrback(lambda _: None)
    pair.world.run(0.1)
    assert len(silence.heard) == count
    assert not pair.gateway.heard(AddressLeased)
    return pair, silence


def cpu_of(work: Callable[[], object]) -> float:
    began = thread_time()
    work()
    return thread_time() - began


def test_R_15_a_login_beside_500_that_wait_for_a_silent_DHCP_server_takes_no_longer():
    pair, _ = with_waiters()
    took = []
    for number in range(3, 8):
        other = pair.world.host(f"192.0.2.{number}", (CLIENT,), shared_key("%any"))
        other.gateway.initiate("home")
        took.append(cpu_of(lambda: pair.world.run(0.1)))
        assert other.heard(IkeUp)
        other.gateway.terminate(1)
        pair.world.run(0.1)
    assert min(took) < AT_MOST_SECONDS, "a login of two sides, and all that came between"


def test_H_02_500_that_ask_again_at_once_hold_nobody_up():
    pair, silence = with_waiters()
    took = []
    pair.world.run(0.6, 0.1)
    for wait in (1.0, 2.0, 4.0):
        before = len(silence.heard)
        took.append(cpu_of(lambda: pair.world.run(0.5, 0.5)))
        assert len(silence.heard) == before + WAITING
        pair.world.run(2 * wait - 0.5, 0.5)
    assert min(took) < AT_MOST_SECONDS


def test_RE_12_those_that_give_up_at_once_leave_nothing():
    pair, silence = with_waiters(100)
    pair.world.run(20.0, 0.5)
    assert len(silence.heard) == 100 * OFFICE.tries
    assert len(pair.gateway.heard(Refused)) == 100
    assert not pair.gateway.heard(AddressLeased)
    pair.world.run(5.0, 0.5)
    assert pair.gateway.is_empty
