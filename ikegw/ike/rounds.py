"""An initiator that proves itself twice (RFC 4739), from its first AUTH to the second identity; `relaying` goes on from there."""

from collections.abc import Callable, Sequence

from attrs import define, field

from ikegw.auth.authenticator import AuthenticationError
from ikegw.events import AuthFailure
from ikegw.ike.opening import Opening
from ikegw.ike.proofs import ByCredentials, ProvedBefore, told_to
from ikegw.ike.relaying import Relaying
from ikegw.ike.sa import IkeSa
from ikegw.machines.responder import Responder
from ikegw.policy.connections import Connection, for_second_identity
from ikegw.policy.identities import display
from ikegw.wire.identification import IdInitiator
from ikegw.wire.message import Message, Payload
from ikegw.wire.shapes import AUTH_EAP_CHILDLESS_START, shape_of


@define(eq=False)
class Rounds:
    """The first of two proofs. `first` verifies it and proves ourselves; `message` is its request, which asked for the child too.

    `fitting` are the connections that fit the first identity: which of them it is, the second one says. `refuse` publishes why
    it came to nothing, and prepares that answer.
    """

    sa: IkeSa = field(repr=False)
    machine: Responder = field(repr=False)
    opening: Opening = field(repr=False)
    message: Message = field(repr=False)
    fitting: Sequence[Connection] = field(repr=False)
    first: ByCredentials = field(repr=False)
    refuse: Callable[[AuthFailure, str], None] = field(repr=False)

    @property
    def answer(self) -> tuple[Payload, ...]:
        """The payloads of the IKE_AUTH response (row R-20)."""
        return self.first.payloads

    def verify(self) -> None:
        """SMR_ROUND_FINALIZE: the initiator's proof, then ours."""
        self.first.verify(self.machine.material_missing, self._verified, self._failed)

    def _verified(self) -> None:
        self.first.prove(self.machine.round_complete, self._failed)

    def _failed(self, error: AuthenticationError) -> None:
        self.refuse(error.reason, error.detail)
        if error.reason is AuthFailure.NO_OWN_MATERIAL:
            self.machine.no_own_material()
        else:
            self.machine.not_authentic()

    def download(self) -> None:
        """SMR_ROUND_DL_PEER."""
        self.first.obtain(told_to(self.machine), self._not_obtained)

    def _not_obtained(self, error: AuthenticationError) -> None:
        self.refuse(error.reason, error.detail)
        self.machine.material_refused()

    def login(self, message: Message) -> Relaying | None:
        """Rows R-21, RE-18, RE-19: the login that is to begin; None: it was refused.

        What its first proof has made certain stays who the peer is; by the second it is a user besides.
        """
        sa, shape = self.sa, shape_of(message)
        if shape is not AUTH_EAP_CHILDLESS_START:
            awaited = "IDi alone, with which its second proof begins"
            self.refuse(
                AuthFailure.NOT_AUTHENTIC, f"expected {awaited}; the peer sent another message ({shape.name})"
            )
            self.machine.out_of_turn()
            return None
        identity = message.need(IdInitiator).identity
        chosen = next(iter(for_second_identity(self.fitting, sa.connection, identity)), None)
        second = None if chosen is None else chosen.second_remote
        if chosen is None or second is None:
            known = "; ".join(f"{_second_id(each)} ({each.name})" for each in self.fitting[:8])
            who = f"{display(sa.peer)} proved itself, but may not go on as {display(identity)}"
            self.refuse(AuthFailure.NO_CONFIGURATION, f"{who}; its connections have remote-2.id {known}")
            self.machine.unconfigured()
            return None
        sa.belong_to(chosen)
        return Relaying(
            sa, self.machine, self.opening, self.message, identity, second, ProvedBefore(), self.refuse
        )


def _second_id(connection: Connection) -> str:
    second = connection.second_remote
    return "none" if second is None else str(second.identity)
