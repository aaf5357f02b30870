"""Why there is no lease: whom we asked, what was said, and for how long we waited, in one sentence for the operator."""

from attrs import frozen

from ikegw.dhcp.answers import Answer, Kind
from ikegw.paths import Address, Endpoint

Said = tuple[Answer, Endpoint]
"""An answer, and who gave it."""


@frozen
class Course:
    """How far it came: the last answer if it decides, what was offered and what was bound, and what else was said."""

    family: int
    asked: tuple[Endpoint, ...]
    seconds: float
    heard: Said | None = None
    offer: Said | None = None
    bound: Said | None = None
    ran_out: bool = False
    remark: str = ""

    def why(self) -> str:
        """The sentence."""
        if self.heard is not None and self.heard[0].kind is not Kind.OFFER:
            return self._refused(*self.heard)
        if self.bound is not None:
            answer, server = self.bound
            over = ", which has run out," if self.ran_out else ""
            return f"DHCP server {server.address} did not renew {ip_of(answer)}{over} within {self.seconds:.0f} s"
        if self.offer is not None:
            answer, server = self.offer
            return f"DHCP server {server.address} offered {ip_of(answer)} and was silent for {self.seconds:.0f} s then"
        asked = ", ".join(str(server.address) for server in self.asked)
        remark = f" ({self.remark})" if self.remark else ""
        return f"no DHCP server of {asked} offered an IPv{self.family} address within {self.seconds:.0f} s{remark}"

    def _refused(self, answer: Answer, server: Endpoint) -> str:
        wanted = self.bound or self.offer
        address = ip_of(wanted[0] if wanted else answer)
        verdict = "refused" if answer.kind is Kind.NAK else f"leases {ip_of(answer)} in place of"
        return f"DHCP server {server.address} {verdict} {address}{quoted(answer.text)}"


def ip_of(answer: Answer) -> Address | None:
    """The bare address of an answer."""
    return None if answer.address is None else answer.address.ip


def quoted(text: str) -> str:
    """What a server says to people, behind a colon."""
    return f": {text!r}" if text else ""
