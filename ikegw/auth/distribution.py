"""Where an issuer publishes what it revoked: distribution points (RFC 5280 §4.2.1.13), as certificates and CRLs name them."""

from collections.abc import Iterable
from typing import Final

from attrs import frozen
from cryptography import x509

MOST_POINTS: Final = 8
"""Distribution points, and addresses of each, that count; who lists more hides nothing and wastes our time."""


@frozen
class DistributionPoint:
    """`urls` to fetch from; `names` are all its names, by which a CRL says which points it is for."""

    urls: tuple[str, ...]
    names: frozenset[x509.GeneralName]


def points_of(extension: Iterable[x509.DistributionPoint] | None) -> tuple[DistributionPoint, ...]:
    """The points that we can use: of all reasons, and of the issuer itself. Another's CRL (cRLIssuer) is never believed here."""
    points = tuple(extension or ())[:MOST_POINTS]
    return tuple(
        DistributionPoint(_urls(point.full_name), frozenset(point.full_name))
        for point in points
        if point.full_name and not point.reasons and not point.crl_issuer
    )


def _urls(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    return tuple(name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))[
        :MOST_POINTS
    ]
