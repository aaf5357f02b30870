"""EAP logins relayed to RADIUS servers (RFC 3579): `ports.Aaa`."""

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ikegw.config.radius import Service
from ikegw.ports import AaaAnswer, AaaSilent, Accept, Caller, Challenge, Reject
from ikegw.radius.association import Association
from ikegw.radius.client import RadiusClient
from ikegw.radius.flight import Unanswered
from ikegw.radius.granting import grant, message, msk
from ikegw.radius.packets import Attribute, BadReply, Code, Reply, split
from ikegw.radius.station import Station
from ikegw.wire.eap import EapPacket
from ikegw.wire.errors import ParseError
from ikegw.wire.registry import EapCode


@define(eq=False)
class RadiusLogins:
    """Whoever logs in is asked about at the servers of the realm that his connection names. A reload may change `station`."""

    client: RadiusClient
    station: Station

    def begin(self, caller: Caller) -> "RadiusLogin":
        """See `ports.Aaa`."""
        about = self.station.about(caller.session, caller.connection, caller.number, caller.path)
        mtu = self.client.settings.framed_mtu
        return RadiusLogin(self.client, caller, (("User-Name", caller.name), *about, ("Framed-MTU", mtu)))


@define(eq=False)
class RadiusLogin:
    """One dialogue (`ports.AaaDialogue`). Whichever server answers first keeps it: no other knows its State."""

    log = Logger(namespace="ikegw")

    _client: RadiusClient = field(repr=False)
    _caller: Caller
    _about: tuple[Attribute, ...] = field(repr=False)
    _server: Association | None = field(default=None, init=False)
    _states: tuple[bytes, ...] = field(default=(), init=False, repr=False)

    def respond(self, eap: bytes) -> Deferred[AaaAnswer]:
        """See `ports.AaaDialogue`."""
        return Deferred.fromCoroutine(self._respond(eap))

    async def _respond(self, eap: bytes) -> AaaAnswer:
        states = [("State", state) for state in self._states]
        try:
            reply = await self._ask((*self._about, *split("EAP-Message", eap), *states))
        except Unanswered as silence:
            raise AaaSilent(str(silence)) from None
        except BadReply as bad:
            return Reject(message=str(bad))
        except ValueError as error:
            return Reject(message=f"no RADIUS packet can hold what the client says: {error}")
        try:
            return self._understood(reply)
        except BadReply as bad:
            return Reject(message=f"{self._server} sent {bad}")

    async def _ask(self, attributes: tuple[Attribute, ...]) -> Reply:
        if self._server is not None:
            return await self._server.request(Code.ACCESS_REQUEST, attributes)
        realm = self._client.realm(self._caller.aaa, Service.AUTHENTICATION)
        if realm is None:
            raise Unanswered(f"there is no realm {self._caller.aaa}")
        answered = await realm.ask(Code.ACCESS_REQUEST, attributes)
        self._server = answered.association
        return answered.reply

    def _understood(self, reply: Reply) -> AaaAnswer:
        """What a reply means; BadReply for one that breaks RFC 3579."""
        octets = b"".join(reply.octets("EAP-Message"))
        eap = _decoded(octets) if octets else None
        if reply.code is Code.ACCESS_REJECT:
            return Reject(octets or None, message(reply))
        if reply.code is Code.ACCESS_ACCEPT:
            return Accept(octets or None, msk(reply), grant(reply, self._complain))
        if eap is None or eap.code is not EapCode.REQUEST:
            raise BadReply("a challenge without an EAP request")
        self._states = reply.octets("State")
        return Challenge(octets)

    def _complain(self, what: str) -> None:
        self.log.warn(
            "{server}, for {user!r}: {what}", server=str(self._server), user=self._caller.name, what=what
        )


def _decoded(octets: bytes) -> EapPacket:
    try:
        return EapPacket.decode(octets)
    except ParseError as error:
        raise BadReply(f"a malformed EAP packet: {error.reason}") from None
