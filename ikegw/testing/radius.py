"""A RADIUS server in memory: what it is sent, it keeps, until a test says how it answers."""

from collections.abc import Callable

from attrs import define, field
from pyrad.packet import AcctPacket, AuthPacket, Packet

from ikegw.radius.link import LinkEnd
from ikegw.radius.packets import Attribute, Code, add, dictionary

CODE_AT = 0
_ACCOUNTING = Code.ACCOUNTING_REQUEST


@define(eq=False)
class Asked:
    """One packet that the server was sent, on one of its links."""

    octets: bytes = field(repr=False)
    packet: Packet = field(repr=False)
    link: "MemoryLink" = field(repr=False)

    @property
    def code(self) -> Code:
        """What was asked."""
        return Code(self.packet.code)

    def reply(
        self, code: Code, *attributes: Attribute, signed: bool = True, secret: bytes | None = None
    ) -> bytes:
        """Make an answer, with a Message-Authenticator if `signed`, by another secret if there is one."""
        reply = self.packet.CreateReply(message_authenticator=signed)
        reply.code = code
        if secret is not None:
            reply.secret = secret
        for name, value in attributes:
            add(reply, name, value)
        octets: bytes = reply.ReplyPacket()
        return octets

    def answer(self, code: Code, *attributes: Attribute) -> None:
        """Answer as a server should."""
        self.link.deliver(self.reply(code, *attributes))


@define(eq=False)
class MemoryLink:
    """A link (`radius.link.Link`) to a server in memory."""

    server: "MemoryServer" = field(repr=False)
    end: LinkEnd = field(repr=False)
    reliable: bool = False
    closed: bool = False
    renewed: int = 0

    def send(self, octets: bytes) -> None:
        """See `Link`."""
        self.server.received(self, octets)

    def renew(self) -> None:
        """See `Link`."""
        self.renewed += 1

    def close(self) -> None:
        """See `Link`."""
        self.closed = True

    def deliver(self, octets: bytes) -> None:
        """What the server sends, arrives."""
        if not self.closed:
            self.end.received(octets)


Behaviour = Callable[[Asked], None]


def silence(asked: Asked) -> None:
    """What a dead server does."""


@define(eq=False)
class MemoryServer:
    """A server: `asked` is all that arrived; `behave` is what it does at once with each packet."""

    secret: bytes = field(default=b"testing123", repr=False)
    behave: Behaviour = silence
    reliable: bool = False
    asked: list[Asked] = field(factory=list, init=False)
    links: list[MemoryLink] = field(factory=list, init=False)

    def open(self, end: LinkEnd) -> MemoryLink:
        """One more link (`radius.link.OpenLink`)."""
        link = MemoryLink(self, end, self.reliable)
        self.links.append(link)
        return link

    def received(self, link: MemoryLink, octets: bytes) -> None:
        """Keep what came, and do as told."""
        kind = AcctPacket if octets[CODE_AT] == _ACCOUNTING else AuthPacket
        asked = Asked(octets, kind(packet=octets, secret=self.secret, dict=dictionary()), link)
        self.asked.append(asked)
        self.behave(asked)

    def of(self, code: Code) -> list[Asked]:
        """What it was asked with this code."""
        return [asked for asked in self.asked if asked.code is code]
