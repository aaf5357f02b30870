"""What accounting asks of the RADIUS client, in its own terms."""

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from ikegw.config.radius import Service
from ikegw.radius.accounting_sender import Ask, NeverAccepted, NotAcknowledged
from ikegw.radius.client import RadiusClient
from ikegw.radius.flight import Unanswered
from ikegw.radius.packets import Attribute, BadReply, Code


def asking(client: RadiusClient) -> Ask:
    """Send records to the accounting servers of a realm, whichever lives."""

    def ask(realm: str, attributes: tuple[Attribute, ...]) -> Deferred[None]:
        servers = client.realm(realm, Service.ACCOUNTING)
        if servers is None:
            return fail(NotAcknowledged(f"there is no realm {realm}"))
        return servers.ask(Code.ACCOUNTING_REQUEST, attributes).addCallbacks(lambda _: None, _understood)

    return ask


def _understood(failure: Failure) -> Failure | None:
    """A server that answers with nonsense has the record all the same."""
    error = failure.value
    if isinstance(error, Unanswered):
        raise NotAcknowledged(str(error))
    if isinstance(error, ValueError | KeyError):
        raise NeverAccepted(str(error))
    return None if isinstance(error, BadReply) else failure
