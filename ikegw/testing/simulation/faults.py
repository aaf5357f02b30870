"""What a run is made of: every fault and habit as a plain value, drawn from the seed, or set by a test."""

from random import Random as Generator

from attrs import frozen

from ikegw.policy.connections import Unique


@frozen
class Faults:
    """What the wire does to a datagram: probabilities, and seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    late: float = 0.0
    """How often a datagram, or its duplicate, is late by up to `lateness`: so it is overtaken."""
    lateness: float = 3.0
    latency: float = 0.02
    spread: float = 0.01


@frozen
class Habits:
    """How often people and machines do things to the hosts, as weights beside each other, 0 for never."""

    every: float = 5.0
    """Seconds between two such things, in the mean."""

    disconnect: float = 1.0
    end_at_gateway: float = 1.0
    rekey_ike: float = 3.0
    rekey_child: float = 3.0
    collide: float = 5.0
    more_children: float = 1.0
    remove_child: float = 1.0
    reauthenticate: float = 1.0
    vanish: float = 1.0
    crash_gateway: float = 0.2
    reload: float = 0.3
    shut_down_gateway: float = 0.2
    cut: float = 1.5
    rebind: float = 1.0
    """A NAT gives a client another public port."""


@frozen
class Lifetimes:
    """Seconds, for both ends apart; 0 where a timer is off."""

    ike: tuple[float, float] = (90.0, 90.0)
    child: tuple[float, float] = (40.0, 40.0)
    dpd: tuple[float, float] = (15.0, 15.0)
    reauth: float = 0.0


@frozen
class Plan:
    """One run. Times are seconds of the simulation."""

    seed: int
    clients: int = 2
    rounds: int = 2
    trouble: float = 60.0
    """How long a round's trouble lasts, before the wire heals and everything must come to rest."""
    faults: Faults = Faults()
    habits: Habits = Habits()
    lifetimes: Lifetimes = Lifetimes()
    plane_delay: float = 0.0
    """How long each data plane takes to give an SPI or to install an SA."""
    lease_seconds: float = 0.0
    """How long a server of addresses lends each; 0: the gateway has pools of its own, and what they lend has no end."""
    lease_delay: float = 0.0
    lease_failures: float = 0.0
    """How often that server refuses what it is asked, while there is trouble."""
    logins: bool = False
    """Do the clients log in by EAP, in place of a shared key?"""
    twice: bool = False
    """Do they prove themselves by that key first, and then by EAP (RFC 4739)?"""
    login_rounds: int = 1
    login_seconds: float = 0.0
    """How long the AAA server takes for an answer, and a client for a response."""
    login_failures: float = 0.0
    """How often that server is silent or refuses, while there is trouble."""
    pfs: bool = False
    natted: float = 0.3
    """The share of the clients that a NAT is in front of."""
    unique: Unique = Unique.REPLACE
    restart: bool = True
    """Do clients call again by themselves when the gateway is dead?"""


def dice(seed: int) -> Generator:
    """Chance that is the same every time."""
    return Generator(seed)  # noqa: S311 - not for secrets


def plan_of(seed: int) -> Plan:
    """The run that belongs to a seed."""
    random = dice(seed)
    draw = random.uniform

    def either(low: float, high: float) -> tuple[float, float]:
        """Both ends renew, or one of them alone."""
        both = draw(low, high), draw(low, high)
        return random.choice((both, both, (both[0], 0.0), (0.0, both[1])))

    lending, logging_in = dice(seed + 4), dice(seed + 6)
    by_login = seed % 5 in (1, 2)
    served = seed % 3 == 2
    return Plan(
        seed,
        clients=random.choice((1, 1, 2, 3)),
        rounds=random.choice((1, 2)),
        trouble=draw(40.0, 120.0),
        faults=Faults(
            loss=random.choice((0.0, 0.05, 0.2, 0.4)),
            duplication=random.choice((0.0, 0.1, 0.3)),
            late=random.choice((0.0, 0.1, 0.3)),
            lateness=draw(0.1, 6.0),
            latency=draw(0.001, 0.2),
            spread=draw(0.0, 0.1),
        ),
        habits=Habits(every=draw(1.5, 10.0)),
        lifetimes=Lifetimes(
            either(60.0, 120.0),
            either(20.0, 60.0),
            (draw(10.0, 20.0), draw(10.0, 20.0)),
            random.choice((0.0, 0.0, 0.0, draw(60.0, 150.0))),
        ),
        pfs=random.random() < 0.25,
        unique=random.choice((Unique.REPLACE, Unique.REPLACE, Unique.KEEP, Unique.NEVER, Unique.REFUSE)),
        restart=random.random() < 0.7,
        plane_delay=random.choice((0.005, 0.05, 0.2)) if seed % 4 == 3 else 0.0,
        lease_seconds=lending.uniform(50.0, 100.0) if served else 0.0,
        lease_delay=lending.choice((0.0, 0.02, 0.5, 5.0)) if served else 0.0,
        lease_failures=lending.choice((0.0, 0.1, 0.4)) if served else 0.0,
        logins=by_login,
        twice=by_login and seed % 9 == 5,
        login_rounds=logging_in.choice((1, 2, 5)),
        login_seconds=logging_in.choice((0.0, 0.02, 0.5)),
        login_failures=logging_in.choice((0.0, 0.1, 0.3)),
    )
