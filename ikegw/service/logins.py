"""Who is asked about EAP logins: this gateway itself, or RADIUS servers, as each connection says."""

from attrs import frozen

from ikegw.config.eap import LOCAL
from ikegw.ports import Aaa, AaaDialogue, Caller


@frozen
class Logins:
    """`ports.Aaa` for all connections."""

    local: Aaa
    radius: Aaa

    def begin(self, caller: Caller) -> AaaDialogue:
        """See `ports.Aaa`."""
        return (self.local if caller.aaa == LOCAL else self.radius).begin(caller)
