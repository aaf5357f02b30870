"""The sessions of authenticated peers, as accounting, RADIUS servers and operators see them; the gateway has them."""

from typing import Protocol

from twisted.internet.defer import Deferred

from ikegw.ports.data_plane import Usage
from ikegw.session import EndCause, Grant, Session


class Sessions(Protocol):
    """What is asked and told about sessions that are up."""

    def sessions(self) -> tuple[Session, ...]:
        """All that are up, the oldest first."""
        ...

    def usage(self, session: str) -> Deferred[Usage]:
        """What all CHILD SAs of a session have carried so far, those that are gone too; KeyError if there is no such session."""
        ...

    def end(self, session: str, cause: EndCause, reason: str) -> bool:
        """MSG_IKE_TERMINATE; False if there is no such session. `reason` is a sentence for the log."""
        ...

    def objection(self, session: str, grant: Grant) -> str:
        """Why a session cannot be changed so: its user would be in none of the groups of its connection. Empty: it can."""
        ...

    def change(self, session: str, grant: Grant) -> bool:
        """Live from now on with these times and filters (RFC 5176 §3.2); False if there is no such session.

        Seconds in `grant` are counted from now.
        """
        ...
