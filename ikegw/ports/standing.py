"""Whether a peer that was authentic still is: what is asked while its session is up (rows Q-11 … Q-15)."""

from typing import Protocol

from twisted.internet.defer import Deferred


class Standing(Protocol):
    """Of one peer, from its login to the end of its session."""

    def renew(self) -> Deferred[tuple[str, ...]]:
        """Is the peer still authentic? Fires with a sentence for each thing that could not be asked anew.

        Errback `auth.AuthenticationError` if it is not authentic any more, or if policy cannot live with what is not known.
        """
        ...

    def due(self) -> float | None:
        """Seconds until `renew` should be asked; None for never."""
        ...
