"""Driving SM_CRL_UPDATE (rows Q-11 … Q-15): is the peer's certificate still good? If not, the session ends."""

from typing import TYPE_CHECKING

from attrs import define, field

from ikegw.auth.authenticator import AuthenticationError
from ikegw.events import AuthFailed, RevocationUnknown
from ikegw.ike.sa import IkeSa
from ikegw.session import EndCause

if TYPE_CHECKING:
    from ikegw.ike.living import Living


@define(eq=False)
class Revoking:
    """Asks again about the certificates by which an IKE SA's peer was believed."""

    living: "Living" = field(repr=False)

    @property
    def _sa(self) -> IkeSa:
        return self.living.sa

    def ask(self) -> None:
        """Row Q-11."""
        examination = self._sa.examination
        if examination is None:
            self.living.machine.crl_updated()
        else:
            self._sa.wait_for(examination.renew(), self._updated, AuthenticationError, self._revoked)

    def _updated(self, unknown: tuple[str, ...]) -> None:
        """Rows Q-12 and Q-14, in whichever state the peer's requests or an operator have brought it to meanwhile."""
        sa, machine = self._sa, self.living.machine
        for detail in unknown:
            sa.surroundings.publish(RevocationUnknown(sa.name, sa.path, sa.peer, detail))
        if sa.state == "SM_CRL_UPDATE":
            if sa.successor is None:
                self.living.lifetimes.await_crl_update(failed=bool(unknown))
            (machine.crl_update_failed if unknown else machine.crl_updated)()

    def _revoked(self, error: AuthenticationError) -> None:
        """Rows Q-13 and Q-15; whatever the IKE SA has become by rekeying ends with it."""
        sa = self._sa
        sa.surroundings.publish(AuthFailed(sa.name, sa.path, sa.remote_identity, error.reason, error.detail))
        if sa.successor is not None:
            self.living.newest.told_to_end(error.detail)
        sa.ends_because(error.detail, EndCause.NAS_REQUEST)
        if sa.state == "SM_CRL_UPDATE":
            self.living.machine.revoked()
