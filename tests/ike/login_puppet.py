"""The initiator of an EAP login whose words the test chooses: it has the client's keys, and the client is gone."""

from attrs import define, field

from ikegw.auth.octets import psk_mac
from ikegw.events import StateEntered
from ikegw.ike.channel import Channel
from ikegw.ike.initiating import Initiating
from ikegw.ike.opening import Opening
from ikegw.ike.sa import IkeSa
from ikegw.paths import Path
from ikegw.policy.connections import Connection
from ikegw.ports import AaaAnswer, AaaSilent, Accept, Challenge, Reject
from ikegw.testing.aaa import ScriptedAaa
from ikegw.testing.eap_method import Question, failure, msk, success
from ikegw.testing.login import EAP_GATEWAY, PASSWORD, login_pair
from ikegw.testing.pair import Pair
from ikegw.testing.wire import Datagram, pass_on
from ikegw.wire.authentication import Authentication
from ikegw.wire.eap import Eap, EapPacket
from ikegw.wire.identification import Identity, IdInitiator
from ikegw.wire.message import Header, Message, Payload, decode_header
from ikegw.wire.notify import Notify
from ikegw.wire.registry import AuthMethod, EapCode, EapType, ExchangeType, NotifyType

FIRST = Question(1, 1).packet(7)


@define(eq=False)
class LoginPuppet:
    """Has `pair`'s client begin an IKE SA, and speaks in its place from IKE_AUTH on; `sa` is the gateway's."""

    pair: Pair
    heard: list[Message] = field(factory=list, init=False)
    sa: IkeSa = field(init=False)
    identity: Identity = field(init=False)
    _channel: Channel = field(init=False)
    _opening: Opening = field(init=False)
    _path: Path = field(init=False)
    _request: tuple[Payload, ...] = field(init=False)
    """The client's own first IKE_AUTH request."""

    _last: tuple[bytes, ...] = field(default=(), init=False)
    _asked: int = field(default=1, init=False)

    def __attrs_post_init__(self) -> None:
        wire = self.pair.world.wire
        wire.tap = lambda datagram: [datagram] if is_init(datagram.octets) else []
        self.pair.client.gateway.initiate("home").addErrback(lambda failure: None)
        self.pair.world.run(0.05)
        (client,) = self.pair.client.gateway._by_spi.values()
        (self.sa,) = self.pair.gateway.gateway._by_spi.values()
        phase = client.phase
        assert isinstance(phase, Initiating)
        assert phase._authenticating is not None
        self._opening, self._channel, self._path = phase._authenticating.opening, client.channel, client.path
        self._request = self.sa.channel.open(wire.history[-1].octets).payloads
        self.identity = client.local_identity
        client.end()
        wire.join(self.pair.client.address, self._received)
        wire.tap = pass_on

    def _received(self, path: Path, octets: bytes) -> None:
        if not is_init(octets):
            self.heard.append(self._channel.open(octets))

    @property
    def aaa(self) -> ScriptedAaa:
        """Whom the gateway asks."""
        aaa = self.pair.gateway.gateway.aaa
        assert isinstance(aaa, ScriptedAaa)
        return aaa

    # ------------------------------------------------------------ what it says

    def say(self, *payloads: Payload, exchange: ExchangeType = ExchangeType.IKE_AUTH) -> None:
        """Send a request."""
        header = Header(self.sa.spi_initiator, self.sa.spi_responder, exchange, False, True, self._asked)
        self._last = self._channel.seal_within(header, payloads, 1200)
        self.repeat()

    def repeat(self) -> None:
        """The last request again, now."""
        for octets in self._last:
            self.pair.world.wire.deliver(Datagram(self._path, octets))

    def ask(self, *payloads: Payload, exchange: ExchangeType = ExchangeType.IKE_AUTH) -> Message:
        """Send a request, and wait for its answer."""
        before = len(self.heard)
        self.say(*payloads, exchange=exchange)
        self.pair.world.run(0.05)
        (answer,) = self.heard[before:]
        self._asked += 1
        return answer

    def start(self, identity: Identity | None = None, *more: Payload) -> Message:
        """The request without AUTH, as the client would send it."""
        self.identity = identity or self.identity
        known = [
            IdInitiator(self.identity) if isinstance(each, IdInitiator) else each for each in self._request
        ]
        return self.ask(*known, *more)

    def response(self, data: bytes) -> bytes:
        """The EAP response to the request that was heard last."""
        asked = next(message.need(Eap) for message in reversed(self.heard) if message.one(Eap) is not None)
        identifier = EapPacket.decode(asked.packet).identifier
        return EapPacket(EapCode.RESPONSE, identifier, EapType.EXPERIMENTAL, data).encode()

    def respond(self, data: bytes) -> Message:
        """Send that."""
        return self.ask(Eap(self.response(data)))

    def proof(self, key: bytes | None) -> Authentication:
        """AUTH with the MSK, or with SK_pi."""
        octets = self._opening.signed_by_initiator(self._channel, self.identity)
        key = self._channel.sk_pi if key is None else key
        return Authentication(AuthMethod.SHARED_KEY, psk_mac(self._channel.suite.prf, key, octets))

    def prove(self, key: bytes | None) -> Message:
        """The request with AUTH alone."""
        return self.ask(self.proof(key))

    # ------------------------------------------------------------ what came of it

    def expected(self, key: bytes | None) -> Authentication:
        """The AUTH that the gateway is to send at the end."""
        octets = self._opening.signed_by_responder(self._channel, self.sa.local_identity)
        key = self._channel.sk_pr if key is None else key
        return Authentication(AuthMethod.SHARED_KEY, psk_mac(self._channel.suite.prf, key, octets))

    def told(self, answer: Message) -> list[NotifyType]:
        """An answer that is nothing but notifies."""
        assert {type(payload) for payload in answer.payloads} == {Notify}
        return [notify.type for notify in answer.every(Notify)]

    @property
    def states(self) -> list[str]:
        """Those that the gateway's machines went through."""
        return [event.state for event in self.pair.gateway.heard(StateEntered)]

    @property
    def left_nothing(self) -> bool:
        """Is there nothing left of it at the gateway, no timer either?"""
        gateway = self.pair.gateway
        return gateway.is_empty and not self.sa._timers and not self.sa._waiting


def is_init(octets: bytes) -> bool:
    """Is it of IKE_SA_INIT?"""
    return decode_header(octets)[0].exchange is ExchangeType.IKE_SA_INIT


def logging_in(*answers: AaaAnswer | AaaSilent | None, gateway: Connection = EAP_GATEWAY) -> LoginPuppet:
    """A login at a gateway whose AAA server says this."""
    aaa = ScriptedAaa(answers)
    return LoginPuppet(login_pair(gateway, aaa=lambda clock: aaa))


def half_way(state: str) -> LoginPuppet:
    """A login that has come to `state`."""
    answers: dict[str, tuple[Challenge | Accept | Reject | None, ...]] = {
        "SMR_AUTH_RESPONSE_ID": (None,),
        "SMR_EAP_INITIATOR_REQUEST": (Challenge(FIRST),),
        "SMR_EAP_AAA_REQUEST": (Challenge(FIRST), None),
        "SMR_EAP_DONE": (Challenge(FIRST), Accept(success(7), msk(PASSWORD))),
        "SMR_EAP_FAILED": (Challenge(FIRST), Reject(failure(7))),
    }
    puppet = logging_in(*answers[state])
    if answers[state][0] is None:
        puppet.say(*puppet._request)
    else:
        puppet.start()
    if answers[state][1:] == (None,):
        puppet.say(Eap(puppet.response(b"")))
    elif answers[state][1:]:
        puppet.respond(b"")
    assert puppet.states[-1] == state
    return puppet
