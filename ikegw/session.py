"""A peer's session: its name, what was granted to it, why it ended. Pure values, known to every room but the innermost."""

from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from attrs import frozen

from ikegw.paths import Address, Path
from ikegw.wire.identification import Identity


@frozen
class SaName:
    """How an IKE SA is called in logs and tables: `roadwarriors[7]`."""

    connection: str
    number: int

    def __str__(self) -> str:
        return f"{self.connection}[{self.number}]"


class Termination(Enum):
    """What follows when the session's time is over (Termination-Action, RFC 2865 §5.29)."""

    END = "end"
    REAUTHENTICATE = "reauthenticate"


@frozen
class Grant:
    """What an Access-Accept says of the session. Empty fields: it says nothing of that, and the configuration holds.

    Seconds are counted from the login. `pools4` and `pools6` are names of pools of ours. `routes` are networks behind the client
    (Framed-Route, Framed-IPv6-Route), which become traffic selectors of its end. `classes` come back in accounting as they are.
    """

    user_name: str = ""
    ip4: IPv4Address | None = None
    ip4_netmask: IPv4Address | None = None
    ip6: IPv6Address | None = None
    pools4: tuple[str, ...] = ()
    pools6: tuple[str, ...] = ()
    routes: tuple[IPv4Network | IPv6Network, ...] = ()
    dns: tuple[Address, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    classes: tuple[bytes, ...] = ()
    filters: tuple[str, ...] = ()
    session_seconds: int | None = None
    termination: Termination = Termination.END
    idle_seconds: int | None = None
    interim_seconds: int | None = None
    message: str = ""
    port_limit: int | None = None


NOTHING_GRANTED = Grant()
"""What is known of a peer without an AAA server."""


class EndCause(IntEnum):
    """Why a session ended: Acct-Terminate-Cause (RFC 2866 §5.10), of which a VPN gateway has these."""

    USER_REQUEST = 1
    LOST_CARRIER = 2
    LOST_SERVICE = 3
    IDLE_TIMEOUT = 4
    SESSION_TIMEOUT = 5
    ADMIN_RESET = 6
    ADMIN_REBOOT = 7
    NAS_ERROR = 9
    NAS_REQUEST = 10
    NAS_REBOOT = 11
    PORT_PREEMPTED = 13
    USER_ERROR = 17


@frozen
class Session:
    """An established IKE SA of a peer, the same through every rekeying. `began` is in seconds of the gateway's clock.

    `id` is never used twice, also not by another life of this gateway. `user` is what accounting calls the peer: the
    User-Name of the Accept, else the EAP identity, else IDi. `aaa` names who is to be told of it, `login` who said that its EAP
    login is good; both empty for nobody. `group` is the user's, and `grant` what the Accept said with what the group says where
    that is silent.
    """

    id: str
    sa: SaName
    path: Path
    local: Identity
    remote: Identity
    user: str
    method: str
    began: float
    aaa: str = ""
    addresses: tuple[Address, ...] = ()
    grant: Grant = NOTHING_GRANTED
    group: str = ""
    login: str = ""
