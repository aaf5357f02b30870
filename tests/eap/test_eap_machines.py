"""Every pair of a state and an input of both EAP machines is a transition, or impossible for a reason that is written here."""

import pytest

from ikegw.eap.peer.machine import Peer, PeerMachine
from ikegw.eap.server.machine import Authenticator, AuthenticatorMachine
from ikegw.machines.tracing import transitions

PEER = {
    "identity_requested": "NO_METHOD METHOD MAY_CONT DONE FAILED",
    "notified": "NO_METHOD METHOD MAY_CONT DONE FAILED",
    "method_requested": "NO_METHOD METHOD MAY_CONT DONE FAILED",
    "other_requested": "NO_METHOD METHOD MAY_CONT DONE FAILED",
    "continued": "NO_METHOD METHOD MAY_CONT DONE FAILED",
    "went_on": "METHOD MAY_CONT",
    "may_end": "METHOD MAY_CONT",
    "completed": "METHOD MAY_CONT",
    "failed": "METHOD MAY_CONT",
}
AUTHENTICATOR = {
    "identified": "IDENTITY PROPOSED METHOD SUCCESS FAILURE",
    "declined": "IDENTITY PROPOSED METHOD SUCCESS FAILURE",
    "responded": "IDENTITY PROPOSED METHOD SUCCESS FAILURE",
    "unacceptable": "IDENTITY PROPOSED METHOD SUCCESS FAILURE",
    "passed": "METHOD",
    "refused": "PROPOSED METHOD",
}


def by_input(machine):
    found = {}
    for row in transitions(machine):
        found.setdefault(row.cause, set()).add(row.state)
    return found


@pytest.mark.parametrize(
    ("machine", "inputs", "table"),
    [(PeerMachine, Peer, PEER), (AuthenticatorMachine, Authenticator, AUTHENTICATOR)],
)
def test_every_input_comes_where_the_table_says(machine, inputs, table):
    assert {name for name in vars(inputs) if not name.startswith("_")} == set(table)
    assert by_input(machine) == {name: set(states.split()) for name, states in table.items()}


def test_success_is_believed_only_in_two_states():
    assert {row.state for row in transitions(PeerMachine) if row.following in ("MAY_CONT", "DONE")} <= {
        "METHOD",
        "MAY_CONT",
        "DONE",
    }
    assert {row.cause for row in transitions(PeerMachine) if row.following == "DONE" != row.state} == {
        "completed"
    }


def test_the_only_way_to_SUCCESS_is_a_method_that_passed():
    assert {
        (row.state, row.cause) for row in transitions(AuthenticatorMachine) if row.following == "SUCCESS"
    } == {("METHOD", "passed")}


def test_nothing_leads_out_of_failure():
    for machine, state in ((PeerMachine, "FAILED"), (AuthenticatorMachine, "FAILURE")):
        assert {row.following for row in transitions(machine) if row.state == state} == {state}
