"""What the two sides make of a CHILD SA's proposals and selectors: choices out of values, nothing done yet."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from ikegw.crypto.keymat import child_keys
from ikegw.crypto.suites import EspSuite
from ikegw.ike.channel import Channel
from ikegw.ike.transport_mode import carriage
from ikegw.paths import Address, Path
from ikegw.policy.connections import ChildPolicy, Connection
from ikegw.policy.proposals import Chosen, choose_esp, explain
from ikegw.policy.selectors import Dynamic, Network, behind, narrow, networks_of, resolve
from ikegw.ports import Limits, Random, TunnelSa
from ikegw.session import SaName
from ikegw.wire.notify import Notify
from ikegw.wire.proposal import SecurityAssociation
from ikegw.wire.registry import NotifyType
from ikegw.wire.selectors import SelectorsInitiator, SelectorsResponder, TrafficSelector


@frozen
class Agreed:
    """A child that a responder can have: its policy, suite, and selectors on our side and on the peer's."""

    policy: ChildPolicy
    chosen: Chosen[EspSuite]
    local_selectors: tuple[TrafficSelector, ...]
    remote_selectors: tuple[TrafficSelector, ...]


class NoChild(Exception):
    """The CHILD SA cannot be had: the notify for the peer, and a sentence for the operator."""

    def __init__(self, notify: Notify, detail: str) -> None:
        super().__init__(detail)
        self.notify = notify
        self.detail = detail


def agree(
    children: Sequence[ChildPolicy],
    proposed: SecurityAssociation,
    theirs: Sequence[TrafficSelector],
    ours: Sequence[TrafficSelector],
    reached: Callable[[ChildPolicy], Sequence[TrafficSelector]],
    remote: Sequence[Address],
    routes: Sequence[Network] = (),
    *,
    with_group: bool,
    members: str = "",
) -> Agreed:
    """Choose, as responder, the first child whose selectors and proposals meet what the peer asked; NoChild if none does.

    `reached` says what the peer may reach by a child of a policy. `remote` stands where that one says dynamic, and `routes` are
    what is behind the peer besides. IKE_AUTH's child has no key exchange of its own: `with_group` False.

    `members`: the group of users that the peer is in, for the operator.
    """
    met = False
    for policy in children:
        mine = narrow(ours, reached(policy))
        allowed = (*resolve(policy.remote_selectors, remote), *behind(policy.remote_selectors, routes))
        peers = narrow(theirs, allowed)
        if not mine or not peers:
            continue
        met = True
        chosen = choose_esp(policy.proposals, proposed, with_group=with_group)
        if chosen is not None:
            return Agreed(policy, chosen, mine, peers)
    if met:
        offers = tuple(offer for policy in children for offer in policy.proposals)
        raise NoChild(
            Notify(NotifyType.NO_PROPOSAL_CHOSEN), f"no ESP proposal in common: {explain(offers, proposed)}"
        )
    wanted = " ".join(map(str, (*map(show, theirs), "===", *map(show, ours))))
    whom, where = (f" to group {members}", f", and local_ts of groups.{members}") if members else ("", "")
    raise NoChild(
        Notify(NotifyType.TS_UNACCEPTABLE),
        f"the peer asked for {wanted}, which no child of the connection allows{whom}; compare local_ts and remote_ts{where}",
    )


def asked_of_us(connection: Connection, policy: ChildPolicy, own: Address) -> tuple[TrafficSelector, ...]:
    """TSi of IKE_AUTH: our address where it is dynamic, any of its family if unspecified.

    But if we ask for virtual ones, all of their families, for the peer to narrow.
    """
    found: list[TrafficSelector] = []
    for selector in policy.local_selectors:
        if isinstance(selector, Dynamic):
            found += [_anything(selector, address) for address in connection.virtual or (own,)]
        else:
            found.append(selector)
    return tuple(dict.fromkeys(found))


def _anything(selector: Dynamic, like: Address) -> TrafficSelector:
    if not like.is_unspecified:
        return selector.at(like)
    last = IPv4Address((1 << 32) - 1) if like.version == 4 else IPv6Address((1 << 128) - 1)
    return TrafficSelector(like, last, selector.protocol, selector.start_port, selector.end_port)


@lru_cache(maxsize=16384)  # the table of SAs is asked for again and again
def show(selector: TrafficSelector) -> str:
    """A selector as an operator reads it."""
    networks = networks_of(selector)
    addresses = f"{selector.start}-{selector.end}" if len(networks) > 1 else str(networks[0])
    if not selector.protocol and (selector.start_port, selector.end_port) == (0, 65535):
        return addresses
    return f"{addresses}[{selector.protocol}/{selector.start_port}-{selector.end_port}]"


def selector_payloads(
    initiator: Sequence[TrafficSelector], responder: Sequence[TrafficSelector]
) -> tuple[SelectorsInitiator, SelectorsResponder]:
    """The TSi and TSr payloads."""
    return SelectorsInitiator(tuple(initiator)), SelectorsResponder(tuple(responder))


def tunnel(
    name: SaName,
    policy: ChildPolicy,
    channel: Channel,
    nonces: tuple[bytes, bytes],
    suite: EspSuite,
    *,
    we_initiated: bool,
    path: Path,
    udp_encapsulated: bool,
    spis: tuple[bytes, bytes],
    selectors: tuple[tuple[TrafficSelector, ...], tuple[TrafficSelector, ...]],
    random: Random,
    virtual: tuple[Address, ...] = (),
    shared: bytes = b"",
    standby: bool = False,
    transport: bool = False,
) -> TunnelSa:
    """The data plane's view of a child: keys of RFC 7296 §2.17 as seen from our side.

    `nonces` are (Ni, Nr) of the exchange that makes it, `spis` (inbound, outbound), `selectors` (local, remote).
    """
    from_initiator, from_responder = child_keys(suite, channel.suite.prf, channel.sk_d, *nonces, shared)
    outbound, inbound = (from_initiator, from_responder) if we_initiated else (from_responder, from_initiator)
    return TunnelSa(
        name=f"{name}.{policy.name}",
        path=path,
        udp_encapsulated=udp_encapsulated,
        inbound_spi=spis[0],
        outbound_spi=spis[1],
        suite=suite,
        inbound_keys=inbound,
        outbound_keys=outbound,
        local_selectors=selectors[0],
        remote_selectors=selectors[1],
        virtual=virtual,
        limits=limits(policy, random),
        replay_window=policy.replay_window,
        carriage=carriage(policy, transport),
        standby=standby,
    )


def limits(policy: ChildPolicy, random: Random) -> Limits:
    """A child's limits as the data plane keeps them; soft ones with jitter, so that not all are rekeyed at once."""
    spread = int.from_bytes(random(2), "big") / 65535
    share = 1 - spread * (policy.jitter / policy.rekey_seconds if policy.rekey_seconds else 0.0)
    return Limits(
        soft_seconds=policy.rekey_seconds - policy.jitter * spread if policy.rekey_seconds else None,
        hard_seconds=policy.hard_seconds or None,
        soft_octets=None if policy.rekey_octets is None else round(policy.rekey_octets * share),
        hard_octets=policy.life_octets,
        soft_packets=None if policy.rekey_packets is None else round(policy.rekey_packets * share),
        hard_packets=policy.life_packets,
    )
