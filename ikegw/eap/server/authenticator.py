"""The embedded authenticator: implements `ports.Aaa` for connections with `aaa = "local"`."""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from ikegw.eap.server.attempts import Attempts
from ikegw.eap.server.claim import Claim
from ikegw.eap.server.dialogue import Dialogue
from ikegw.eap.server.settings import Settings
from ikegw.paths import Address
from ikegw.ports import Caller, Random


@define(eq=False)
class EmbeddedAuthenticator:
    """A reload changes `settings`; logins under way keep what they began with, and failures stay counted."""

    clock: IReactorTime = field(repr=False)
    random: Random = field(repr=False)
    settings: Settings = field(repr=False)
    _users: Attempts = field(factory=Attempts, init=False, repr=False)
    _sources: Attempts = field(factory=Attempts, init=False, repr=False)

    def begin(self, caller: Caller) -> Dialogue:
        """See `ports.Aaa`."""
        source, settings = caller.path.remote.address, self.settings
        return Dialogue(
            settings,
            lambda name: self._claim(settings, name, source),
            lambda name: self._failed(settings, name, source),
        )

    def _claim(self, settings: Settings, name: str, source: Address) -> Claim:
        password, seconds, now = settings.passwords.of(name), settings.failure_seconds, self.clock.seconds()
        if self._users.exhausted(_user(name), settings.user_failures, seconds, now):
            return Claim(name, self.random, None, f"too many logins as {name!r} have failed of late")
        if self._sources.exhausted(_source(source), settings.address_failures, seconds, now):
            return Claim(name, self.random, None, f"too many logins from {source} have failed of late")
        if password is None:
            return Claim(name, self.random, None, f"there is no user {name!r} in secrets.eap")
        return Claim(name, self.random, password)

    def _failed(self, settings: Settings, name: str, source: Address) -> None:
        seconds, now = settings.failure_seconds, self.clock.seconds()
        self._users.failed(_user(name), settings.user_failures, seconds, now)
        self._sources.failed(_source(source), settings.address_failures, seconds, now)


def _user(name: str) -> str:
    r"""`DOMAIN\user` and `user` may be one account, and are counted as one."""
    return name.rpartition("\\")[2]


def _source(address: Address) -> bytes:
    """An IPv4 address, or an IPv6 /64, of which a host has them all."""
    return address.packed[:8]
