"""Who is asked about EAP logins: this gateway itself, or RADIUS servers, as each connection says."""

from attrs import frozen

from ikegw.ports import Aaa, AaaDialogue, Caller

LOCAL = "local"
"""The name in `aaa` that means this gateway itself."""


@frozen
class Logins:
    """`ports.Aaa` for all connections."""

    local: Aaa
    radius: Aaa

    def begin(self, caller: Caller) -> AaaDialogue:
        """See `ports.Aaa`."""
        return (self.local if caller.aaa == LOCAL else self.radius).begin(caller)
