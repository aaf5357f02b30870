"""Driving SM_REAUTH (rows Q-16 … Q-18): another IKE SA is made with the peer, and then this one ends (RFC 7296 §2.8.3)."""

from typing import TYPE_CHECKING

from attrs import define, field

from ikegw.ike.sa import IkeSa
from ikegw.ike.slot import Intent
from ikegw.ike.succession import GUARD_SECONDS

if TYPE_CHECKING:
    from ikegw.ike.living import Living


@define(eq=False)
class Reauthenticating:
    """Whether another IKE SA is being made in place of this one, which may be rekeyed meanwhile."""

    living: "Living" = field(repr=False)
    under_way: bool = field(default=False, init=False)

    @property
    def _sa(self) -> IkeSa:
        return self.living.sa

    def begin(self) -> None:
        """Row Q-16. The peer may rekey this IKE SA meanwhile: then it is its successor that the new one replaces."""
        self.under_way = True
        began = self._sa.table.reauthenticate(self._sa)
        began.addCallbacks(
            lambda name: self.living.newest.reauthenticating.over(worked=True),
            lambda failure: self.living.newest.reauthenticating.over(worked=False),
        ).addErrback(self._sa.broke)

    def over(self, *, worked: bool) -> None:
        """The new one is up (row Q-17), or it came to nothing."""
        sa, machine = self._sa, self.living.machine
        self.under_way = False
        if worked:
            sa.ends_because("re-authenticated")
        if sa.state == "SM_REAUTH":
            (machine.reauthenticated if worked else machine.reauth_failed)()
        elif worked:
            machine.terminate()
        elif not sa.ended.called:
            self.retry()

    def retry(self) -> None:
        """Row Q-18."""
        self._sa.arm("reauth", GUARD_SECONDS, lambda: self.living.slot.post(Intent.REAUTH))
