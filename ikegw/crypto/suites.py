"""What a negotiation ends with: exactly one algorithm of each kind. `str(suite)` is the proposal string that means it."""

from attrs import frozen

from ikegw.crypto.transforms import Encryption, Group, Integrity, Prf, prf_following


@frozen
class IkeSuite:
    """The algorithms of an IKE SA. `integrity` is None exactly if `encryption.aead` (RFC 5282 §8)."""

    encryption: Encryption
    integrity: Integrity | None
    prf: Prf
    group: Group

    def __str__(self) -> str:
        words = [self.encryption.name]
        if self.integrity is not None:
            words.append(self.integrity.name)
        if self.integrity is None or prf_following(self.integrity) != self.prf:
            words.append(self.prf.name)
        words.append(self.group.name)
        return "-".join(words)


@frozen
class EspSuite:
    """The algorithms of a CHILD SA. `group` is None if it was negotiated without a key exchange of its own."""

    encryption: Encryption
    integrity: Integrity | None
    group: Group | None = None
    esn: bool = False

    def __str__(self) -> str:
        words = [self.encryption.name]
        if self.integrity is not None:
            words.append(self.integrity.name)
        if self.group is not None:
            words.append(self.group.name)
        if self.esn:
            words.append("esn")
        return "-".join(words)
