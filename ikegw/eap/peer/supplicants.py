"""Makes logins as the configuration has them: implements `ports.Supplicants`."""

from attrs import define, field

from ikegw.eap.credentials import Certificates, Passwords
from ikegw.eap.peer.account import Account
from ikegw.eap.peer.login import Login
from ikegw.eap.peer.methods import usable
from ikegw.policy.connections import LocalAuth
from ikegw.policy.identities import display
from ikegw.ports import Random
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType


@define(eq=False)
class EapSupplicants:
    """A reload changes `passwords` and `certificates`; logins under way keep what they began with."""

    random: Random = field(repr=False)
    passwords: Passwords
    certificates: Certificates

    def begin(self, local: LocalAuth, responder: Identity, *, authentic: bool) -> Login:
        """See `ports.Supplicants`."""
        name = local.eap_identity or ("" if local.identity is None else _name(local.identity))
        account = Account(
            name.encode(),
            self.random,
            self.passwords.of(name),
            self.certificates.own(local.certificates),
            local.aaa_identity or _name(responder),
            self.certificates.authorities(local.aaa_authorities),
        )
        methods, obstacles = usable(local.eap_methods, account, authentic=authentic)
        return Login(account, methods, obstacles)


def _name(identity: Identity) -> str:
    """The identity as EAP and certificates have it: without the marks that a log line gives it."""
    if identity.type in (IdType.FQDN, IdType.RFC822_ADDR, IdType.KEY_ID):
        return identity.data.decode("utf-8", "replace")
    return display(identity)
