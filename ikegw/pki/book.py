"""What an authority has issued and revoked: the book that is kept beside its keys, as JSON."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Self

from attrs import evolve, field, frozen
from cryptography import x509

from ikegw.pki.authority import Revoked
from ikegw.pki.errors import Refused

VERSION: Final = 1
REASONS: Final = {
    "unspecified": None,
    "key-compromise": x509.ReasonFlags.key_compromise,
    "affiliation-changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation-of-operation": x509.ReasonFlags.cessation_of_operation,
    "privilege-withdrawn": x509.ReasonFlags.privilege_withdrawn,
}
"""Why a certificate is revoked (RFC 5280 §5.3.1), by the names that an operator gives."""


class Role(Enum):
    """What a certificate is for."""

    AUTHORITY = "authority"
    GATEWAY = "gateway"
    CLIENT = "client"


@frozen
class Revocation:
    """When a certificate was revoked, and why: one of `REASONS`."""

    moment: datetime
    reason: str


@frozen
class Entry:
    """One certificate. `issuer` is the name of the authority's files."""

    serial: int
    name: str
    role: Role
    issuer: str
    end: datetime
    revoked: Revocation | None = None

    def serves(self, now: datetime) -> bool:
        """Whether it is neither expired nor revoked."""
        return self.revoked is None and now <= self.end

    def is_meant(self, text: str) -> bool:
        """Whether somebody who says `text` means it: by its name, or by its serial number in hex."""
        digits = text.lower().replace(":", "").removeprefix("0x")
        return self.name == text or digits.lstrip("0") == f"{self.serial:x}"


@frozen
class Book:
    """All of it. `issuer` names the authority that signs from now on; `crl_number` is that of each one's last CRL."""

    issuer: str
    crl_url: str = ""
    entries: tuple[Entry, ...] = ()
    crl_numbers: Mapping[str, int] = field(factory=dict)

    def with_entry(self, entry: Entry) -> Self:
        """With one more certificate."""
        return evolve(self, entries=(*self.entries, entry))

    def with_revoked(self, entries: tuple[Entry, ...], revocation: Revocation) -> Self:
        """With these entries revoked."""
        return evolve(
            self,
            entries=tuple(
                evolve(each, revoked=revocation) if each in entries else each for each in self.entries
            ),
        )

    def with_next_crl(self, issuer: str) -> Self:
        """With the number of the CRL that `issuer` is about to sign."""
        return evolve(self, crl_numbers={**self.crl_numbers, issuer: self.crl_numbers.get(issuer, 0) + 1})

    def revoked_by(self, issuer: str) -> tuple[Revoked, ...]:
        """What a CRL of `issuer` lists. What has expired stays: a clock that is slow would take it for good again."""
        return tuple(
            Revoked(each.serial, each.revoked.moment, REASONS[each.revoked.reason])
            for each in self.entries
            if each.issuer == issuer and each.revoked is not None
        )

    @property
    def issuers(self) -> tuple[str, ...]:
        """Every authority that has signed something, or is to."""
        return tuple(dict.fromkeys((*(each.issuer for each in self.entries), self.issuer)))

    def encode(self) -> bytes:
        """As it stands in the file."""
        whole = {
            "version": VERSION,
            "issuer": self.issuer,
            "crl_url": self.crl_url,
            "crl_numbers": dict(self.crl_numbers),
            "issued": [_written(each) for each in self.entries],
        }
        return json.dumps(whole, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Out of the file; Refused if it is not whole."""
        try:
            whole = json.loads(octets)
            if whole["version"] != VERSION:
                raise Refused(f"it was written by another version of ikegw (format {whole['version']})")
            entries = tuple(map(_read, whole["issued"]))
            return cls(whole["issuer"], whole["crl_url"], entries, whole["crl_numbers"])
        except (ValueError, LookupError, TypeError) as error:
            raise Refused(
                f"it is damaged ({type(error).__name__}); take a copy of it from your backup"
            ) from None


def _written(entry: Entry) -> dict[str, Any]:
    return {
        "serial": f"{entry.serial:x}",
        "name": entry.name,
        "role": entry.role.value,
        "issuer": entry.issuer,
        "end": entry.end.astimezone(UTC).isoformat(timespec="seconds"),
        "revoked": None
        if entry.revoked is None
        else {
            "moment": entry.revoked.moment.astimezone(UTC).isoformat(timespec="seconds"),
            "reason": entry.revoked.reason,
        },
    }


def _read(written: Mapping[str, Any]) -> Entry:
    revoked = written["revoked"]
    if revoked is not None:
        REASONS[revoked["reason"]]
        revoked = Revocation(datetime.fromisoformat(revoked["moment"]), revoked["reason"])
    return Entry(
        int(written["serial"], 16),
        written["name"],
        Role(written["role"]),
        written["issuer"],
        datetime.fromisoformat(written["end"]),
        revoked,
    )
