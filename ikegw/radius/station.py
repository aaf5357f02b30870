"""What every request says of us and of the client: what operators match on (RFC 2865 §5, RFC 3580 §3)."""

from attrs import frozen

from ikegw.config.radius import RadiusSettings
from ikegw.paths import Endpoint, Path
from ikegw.radius.packets import LARGEST_VALUE, Attribute


@frozen
class Station:
    """How this gateway calls itself and its clients towards servers."""

    identifier: str
    with_ports: bool = False

    @classmethod
    def of(cls, settings: RadiusSettings, host: str) -> "Station":
        """As configured; `host` is this host's name."""
        return cls(settings.nas_identifier or host, settings.station_ports)

    def ours(self) -> tuple[Attribute, ...]:
        """What says who asks, whoever it is about."""
        return (("NAS-Identifier", self.identifier[:LARGEST_VALUE]),)

    def about(self, session: str, connection: str, number: int, path: Path) -> tuple[Attribute, ...]:
        """Who asks, about whom. `session` is the Acct-Session-Id; `number`, the IKE SA's, the NAS-Port."""
        address = path.local.address
        family = "NAS-IP-Address" if address.version == 4 else "NAS-IPv6-Address"
        return (
            *self.ours(),
            (family, str(address)),
            ("NAS-Port-Type", "Virtual"),
            ("NAS-Port", number),
            ("NAS-Port-Id", connection),
            ("Service-Type", "Framed"),
            ("Called-Station-Id", self.station_id(path.local)),
            ("Calling-Station-Id", self.station_id(path.remote)),
            ("Acct-Session-Id", session),
        )

    def station_id(self, end: Endpoint) -> str:
        """An end of the IKE SA: `192.0.2.1`, or `192.0.2.1[4500]`."""
        return f"{end.address}[{end.port}]" if self.with_ports else str(end.address)
