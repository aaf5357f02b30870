"""What an operator's script is told of a tunnel, in its environment: names of ours, no secrets."""

from collections.abc import Iterable

from ikegw.policy.identities import display
from ikegw.policy.selectors import networks_of
from ikegw.ports import TunnelSa
from ikegw.wire.selectors import TrafficSelector


def variables(verb: str, tunnel: TunnelSa, device: str) -> dict[str, str]:
    """For `verb` "up" or "down". What a peer says of itself may stand in them: the values are printable, and no more."""
    about, path = tunnel.announced, tunnel.path
    if about is None:
        raise AssertionError(f"nobody is told of {tunnel.name}")
    found = {
        "VERB": f"{verb}-{'host' if _is_host(tunnel) else 'client'}",
        "CONNECTION": about.sa.connection,
        "CHILD": about.child,
        "NUMBER": str(about.sa.number),
        "LOCAL_ID": display(about.local),
        "REMOTE_ID": display(about.remote),
        "USER": about.user,
        "LOCAL": str(path.local.address),
        "LOCAL_PORT": str(path.local.port),
        "REMOTE": str(path.remote.address),
        "REMOTE_PORT": str(path.remote.port),
        "LOCAL_TS": _selectors(tunnel.local_selectors),
        "REMOTE_TS": _selectors(tunnel.remote_selectors),
        "VIRTUAL": " ".join(map(str, tunnel.virtual)),
        "DEVICE": device,
        "MODE": tunnel.carriage.mode.value,
        "IN_UDP": "yes" if tunnel.udp_encapsulated else "no",
    }
    return {f"IKEGW_{name}": _printable(value) for name, value in found.items()}


def _is_host(tunnel: TunnelSa) -> bool:
    """Does it carry this host's own packets alone?"""
    ours = {tunnel.path.local.address, *tunnel.virtual}
    return all(one.start == one.end and one.start in ours for one in tunnel.local_selectors)


def _selectors(selectors: Iterable[TrafficSelector]) -> str:
    return " ".join(word for one in selectors for word in _words(one))


def _words(selector: TrafficSelector) -> Iterable[str]:
    """Its networks; with a protocol or ports, each followed by `[17/53-53]`."""
    low, high = selector.start_port, selector.end_port
    plain = not selector.protocol and (low, high) == (0, 65535)
    ending = "" if plain else f"[{selector.protocol}/{low}-{high}]"
    return (f"{network}{ending}" for network in networks_of(selector))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)
