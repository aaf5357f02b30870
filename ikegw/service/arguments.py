"""What a request over the control socket gives with its verb, judged."""

from collections.abc import Mapping

from ikegw.control.protocol import Json
from ikegw.control.server import Refused
from ikegw.ike.gateway import Gateway
from ikegw.ike.listing import Row

Arguments = Mapping[str, Json]


def text_of_argument(arguments: Arguments, name: str, default: str | None = None) -> str:
    """A text, or a number as one; Refused if it is missing, without a default."""
    value = arguments.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or (default is None and not value):
        raise Refused(f'expected "{name}", a text')
    return value


def rows_meant(gateway: Gateway, arguments: Arguments) -> list[Row]:
    """The IKE SAs that `sa` means: `road[7]`, `7`, a connection, a peer's identity, or its address; Refused if there are none."""
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
        str(row.path.remote.address),
        *row.addresses,
    )
    return {name.lower() for name in names}
