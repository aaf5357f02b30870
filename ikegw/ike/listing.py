"""The table of SAs, as an operator sees it."""

from attrs import frozen

from ikegw.ike.configuration import addresses_of
from ikegw.ike.negotiation import show
from ikegw.ike.sa import IkeSa
from ikegw.paths import Path
from ikegw.policy.identities import display
from ikegw.session import SaName


@frozen
class Row:
    """One IKE SA as the table of SAs shows it; `children` are (name, state, inbound SPI, suite, local, remote).

    `user` is who logged in by EAP, `group` the one of its connection's groups that this user is in.
    `stage` says which machine `state` is of: `initiator`, `responder` or `mature`.
    """

    name: SaName
    stage: str
    state: str
    initiator: bool
    path: Path
    local: str
    remote: str
    suite: str
    up_since: float | None
    addresses: tuple[str, ...]
    user: str
    group: str
    children: tuple[tuple[str, str, bytes, str, str, str], ...]


def row_of(sa: IkeSa) -> Row:
    """What the table says of one IKE SA."""
    return Row(
        sa.name,
        sa.stage,
        sa.state,
        sa.initiator,
        sa.path,
        display(sa.local_identity),
        "" if sa.remote_identity is None else display(sa.remote_identity),
        str(sa.channel.suite) if sa.has_keys else "",
        sa.up_since,
        tuple(map(str, addresses_of(sa.lease))),
        sa.user,
        sa.group.name,
        tuple(
            (
                child.policy.name,
                child.state,
                spi,
                str(child.tunnel.suite),
                " ".join(map(show, child.tunnel.local_selectors)),
                " ".join(map(show, child.tunnel.remote_selectors)),
            )
            for spi, child in sa.children.items()
        ),
    )
