"""What the spine (`ike`, `auth`) needs of the world, a file for each door. Doors implement these; the roof joins them.

Whatever may wait returns a Deferred; nothing here blocks the reactor. Every Deferred is cancellable: cancelling says that
the result is no longer wanted, and whatever still arrives for it is given back (an address released, an SA removed).
"""

from collections.abc import Callable

from ikegw.ports.aaa import (
    Aaa,
    AaaAnswer,
    AaaDialogue,
    AaaSilent,
    Accept,
    Caller,
    Challenge,
    Reject,
)
from ikegw.ports.addresses import Addresses, AddressRequest, Lease, NoAddress
from ikegw.ports.data_plane import (
    Acquired,
    Announced,
    DataPlane,
    DataPlaneError,
    DataPlaneEvent,
    HardExpired,
    Limits,
    MappingChanged,
    NameServers,
    Selectors,
    SoftExpired,
    TunnelSa,
    Usage,
)
from ikegw.ports.fetcher import Fetcher, FetchFailed
from ikegw.ports.sessions import Sessions
from ikegw.ports.standing import Standing
from ikegw.ports.supplicant import Keyed, Supplicant, SupplicantFailed, Supplicants
from ikegw.ports.transport import Transport

__all__ = [
    "Aaa", "AaaAnswer", "AaaDialogue", "AaaSilent", "Accept", "Acquired", "AddressRequest", "Addresses", "Announced", "Caller",
    "Challenge", "DataPlane", "DataPlaneError", "DataPlaneEvent", "FetchFailed", "Fetcher", "HardExpired", "Keyed", "Lease",
    "Limits", "MappingChanged", "NameServers", "NoAddress", "Random", "Reject", "Selectors", "Sessions", "SoftExpired",
    "Standing", "Supplicant", "SupplicantFailed", "Supplicants", "Transport", "TunnelSa", "Usage",
]  # fmt: skip

Random = Callable[[int], bytes]
"""The one source of randomness: `random(n)` gives n fresh octets (`os.urandom` outside tests)."""
