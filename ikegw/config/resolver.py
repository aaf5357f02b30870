"""Who answers this host's questions about names, and so is told of the DNS servers that a gateway lends us."""

from enum import Enum

from attrs import frozen


class ResolverKind(Enum):
    """AUTO is systemd-resolved where it runs, else resolvconf where there is one, else nobody."""

    AUTO = "auto"
    RESOLVED = "systemd-resolved"
    RESOLVCONF = "resolvconf"
    NONE = "none"


@frozen
class ResolverSettings:
    """`kind`: who is told."""

    kind: ResolverKind = ResolverKind.AUTO


DEFAULT_RESOLVER = ResolverSettings()
