"""Who says to be somebody, and what the authenticator knows of that one."""

from typing import Final

from attrs import field, frozen

from ikegw.ports import Random

_NOBODYS_OCTETS: Final = 12


@frozen(eq=False)
class Claim:
    """A login as `name`. No `password`: there is no such user, or it may not try now; `why` tells our operator which.

    Everything is computed for such a one too, with a password that nobody has: it costs and looks the same.
    """

    name: str
    random: Random = field(repr=False)
    password: bytes | None = field(default=None, repr=False)
    why: str = ""
    secret: bytes = field(init=False, repr=False)
    """What is compared with."""

    @secret.default
    def _secret(self) -> bytes:
        nobodys = self.random(_NOBODYS_OCTETS).hex().encode()
        return nobodys if self.password is None else self.password

    @property
    def is_possible(self) -> bool:
        """Can the right password let this one in?"""
        return self.password is not None

    def refusal(self, method: str) -> str:
        """What the operator reads when the login failed."""
        return f"EAP-{method}: {self.why or f'wrong password for {self.name!r}'}"
