"""What a request over the control socket gives with its verb, judged."""

from collections.abc import Mapping
from ipaddress import ip_address

from ikegw.control.protocol import Json
from ikegw.control.server import Refused
from ikegw.ike.gateway import Gateway
from ikegw.ike.listing import Row
from ikegw.paths import Address

Arguments = Mapping[str, Json]


def text_of_argument(arguments: Arguments, name: str, default: str | None = None) -> str:
    """A text, or a number as one; Refused if it is missing, without a default."""
    value = arguments.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or (default is None and not value):
        raise Refused(f'expected "{name}", a text')
    return value


def number_of_argument(arguments: Arguments, name: str, most: float) -> float:
    """A number above zero and up to `most`, which it is if it is missing."""
    value = arguments.get(name, most)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise Refused(f'expected "{name}", a number above 0 and up to {most:g}')
    return value


def address_of_argument(arguments: Arguments, name: str) -> Address | None:
    """An address, if it is given."""
    if name not in arguments:
        return None
    try:
        return ip_address(text_of_argument(arguments, name))
    except ValueError:
        raise Refused(f'expected "{name}", an IPv4 or IPv6 address') from None


def rows_meant(gateway: Gateway, arguments: Arguments) -> list[Row]:
    """The IKE SAs that `sa` means: `road[7]`, `7`, a connection, a peer's identity, user or address; else Refused."""
    wanted = text_of_argument(arguments, "sa").lower()
    found = [row for row in gateway.listing() if wanted in _names_of(row)]
    if not found:
        raise Refused(f"there is no IKE SA {wanted}; `ikegwctl sas` lists them")
    return found


def _names_of(row: Row) -> set[str]:
    names = (
        str(row.name),
        str(row.name.number),
        row.name.connection,
        row.remote,
        row.user,
        str(row.path.remote.address),
        *row.addresses,
    )
    return {name.lower() for name in names if name}
