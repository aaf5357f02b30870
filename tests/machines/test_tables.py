"""Every pair of a state and an input is a transition, or impossible for a reason that is written here.

Whoever adds an input or a state is asked by this table where else it may come. The simulation says whether the reasons are true:
an input that a table does not name fails a run.
"""

import pytest

from ikegw.machines.child import Child, ChildMachine
from ikegw.machines.initiator import Initiator, InitiatorMachine
from ikegw.machines.lease import Lease, LeaseMachine
from ikegw.machines.mature import Mature, MatureMachine
from ikegw.machines.responder import Responder, ResponderMachine
from ikegw.machines.tracing import transitions

ANSWER = "answers come only to what this state has asked"
STEP = "a step of this state's own work tells it"
ENTRY = "the output that enters the state tells it at once"
QUEUE = "the slot gives it only in this state"
SLOT = "whoever no longer waits for the slot has left the queue"
DRIVER = "its driver asks the state first"
KEYS = "only what is in the table of children hears of it"
ENDED = "what has ended is in no table, and its timers are stopped"

CHILD = {
    "installed": ("SA_INIT SA_CREATE_WAIT", ANSWER),
    "create": ("SA_INIT", "a new machine's first input"),
    "slot_free": ("SA_CREATE SA_REKEY SA_REMOVE", SLOT),
    "other_group": ("SA_CREATE_WAIT SA_REKEY_WAIT", ANSWER),
    "postponed": ("SA_CREATE_WAIT SA_REKEY_WAIT", ANSWER),
    "refused": ("SA_INIT SA_CREATE_WAIT SA_REKEY_WAIT", ANSWER),
    "unusable": ("SA_INIT SA_CREATE_WAIT", ANSWER),
    "soft_expired": ("SA_MATURE", DRIVER),
    "rekeyed": ("SA_REKEY_WAIT", ANSWER),
    "rekeyed_meanwhile_gone": ("SA_REKEY_WAIT", ANSWER),
    "rekey_redundant": ("SA_REKEY_WAIT", ANSWER),
    "not_found": ("SA_REKEY_WAIT", ANSWER),
    "superseded": ("SA_MATURE SA_REKEY SA_REKEY_WAIT", "all others are answered TEMPORARY_FAILURE (K-01)"),
    "remove": ("SA_CREATE SA_CREATE_WAIT SA_MATURE SA_REKEY SA_REKEY_WAIT SA_REMOVE", KEYS),
    "peer_deleted": ("SA_MATURE SA_REKEY SA_REKEY_WAIT SA_REMOVE", KEYS),
    "delete_answered": ("SA_REMOVE SA_DEAD", ANSWER),
    "ike_sa_gone": ("SA_INIT SA_CREATE SA_CREATE_WAIT SA_MATURE SA_REKEY SA_REKEY_WAIT SA_REMOVE", ENDED),
}
CHILD_STATES = "SA_INIT SA_CREATE SA_CREATE_WAIT SA_MATURE SA_REKEY SA_REKEY_WAIT SA_REMOVE SA_DEAD"

INITIATOR = {
    "begin": ("SMI_INIT", "a new machine's first input"),
    "unconfigured": ("SMI_INIT", "a new machine's first input"),
    "repeated": ("IKE_SMI_COOKIE IKE_SMI_INVALIDKE", ENTRY),
    **dict.fromkeys(
        (
            "cookie", "other_group", "other_group_unacceptable", "too_many_rounds", "refused", "grace_over",
            "illegal", "negotiated", "negotiated_for_two", "one_proof_only",
        ),
        ("SMI_AUTH", "unprotected answers are heard before there are keys, and not later"),
    ),
    **dict.fromkeys(
        ("child_made", "child_refused", "child_unusable"), ("SMI_AUTH_WAIT SMI_INSTALLCSA_DL SMI_INSTALLCSA", ANSWER)
    ),
    "round_answered": ("SMI_ROUND_WAIT", ANSWER),
    "material_missing": ("SMI_AUTH_WAIT SMI_INSTALLCSA_DL SMI_AUTH_PEER SMI_ROUND_PEER", STEP),
    "material_refused": ("SMI_INSTALLCSA_DL SMI_AUTH_PEER SMI_ROUND_PEER", STEP),
    "eap_requested": ("SMI_AUTH_WAIT SMI_ANOTHER_AUTH SMI_EAP", ANSWER),
    "peer_authentic": ("SMI_AUTH_PEER SMI_ROUND_PEER", STEP),
    "supplicant_awaited": ("SMI_EAP", STEP),
    "supplicant_ready": ("SMI_EAP_WAIT", "the supplicant is asked only for this"),
    "supplicant_failed": ("SMI_EAP SMI_EAP_WAIT", "the supplicant is asked only for this"),
    "eap_succeeded": ("SMI_EAP", "before there was a request, no method is complete"),
    **dict.fromkeys(("eap_success_early", "eap_failed"), ("SMI_AUTH_WAIT SMI_ANOTHER_AUTH SMI_EAP", ANSWER)),
    "peer_refused": ("SMI_AUTH_WAIT SMI_ROUND_WAIT SMI_ANOTHER_AUTH SMI_EAP SMI_INSTALLCSA", ANSWER),
    "not_authentic": (
        "SMI_AUTH_WAIT SMI_INSTALLCSA_DL SMI_AUTH_PEER SMI_ROUND_WAIT SMI_ROUND_PEER SMI_ANOTHER_AUTH SMI_EAP SMI_INSTALLCSA",
        "while our supplicant works, nothing is checked",
    ),
    "timeout": (
        "SMI_AUTH SMI_AUTH_WAIT SMI_ROUND_WAIT SMI_ANOTHER_AUTH SMI_EAP SMI_INSTALLCSA", "only a request that is out is given up"
    ),
    "terminate": (
        "SMI_INIT SMI_AUTH SMI_AUTH_WAIT SMI_INSTALLCSA_DL SMI_AUTH_PEER SMI_ROUND_WAIT SMI_ROUND_PEER SMI_ANOTHER_AUTH SMI_EAP "
        "SMI_EAP_WAIT SMI_INSTALLCSA",
        "COOKIE and INVALIDKE pass at once; then the mature machine hears it",
    ),
}  # fmt: skip
INITIATOR_STATES = (
    "SMI_INIT SMI_AUTH IKE_SMI_COOKIE IKE_SMI_INVALIDKE SMI_AUTH_WAIT SMI_AUTH_PEER SMI_EAP SMI_EAP_WAIT SMI_INSTALLCSA "
    "SMI_INSTALLCSA_DL SMI_ROUND_WAIT SMI_ROUND_PEER SMI_ANOTHER_AUTH SM_MATURE SM_TERMINATE SM_DEAD"
)

_LOGIN = "SMR_AUTH_RESPONSE_ID SMR_AUTH_RESPONSE SMR_EAP_INITIATOR_REQUEST SMR_EAP_AAA_REQUEST SMR_EAP_DONE SMR_EAP_FAILED"
_ROUND = "SMR_ROUND_FINALIZE SMR_ROUND_DL_PEER SMR_ANOTHER_AUTH"
_WITH_KEYS = f"SMR_AUTH {_LOGIN} SMR_AUTH_FINALIZE SMR_AUTH_DL_PEER SMR_CFG_WAIT {_ROUND}"
AAA = "the AAA server is asked only in these"
RESPONDER = {
    **dict.fromkeys(("agreed", "wrong_group", "no_proposal"), ("SMR_INIT", STEP)),
    **dict.fromkeys(
        ("admissible", "first_of_two", "method_not_allowed"), ("SMR_AUTH", STEP)
    ),
    **dict.fromkeys(("unconfigured", "eap_named", "eap_unnamed"), ("SMR_AUTH SMR_ANOTHER_AUTH", STEP)),
    "round_complete": ("SMR_ROUND_FINALIZE", STEP),
    "proved": ("SMR_AUTH_RESPONSE", STEP),
    "no_own_material": ("SMR_AUTH_RESPONSE SMR_AUTH_FINALIZE SMR_ROUND_FINALIZE", STEP),
    "eap_response": ("SMR_EAP_INITIATOR_REQUEST", DRIVER),
    "final_auth": ("SMR_EAP_DONE", DRIVER),
    "out_of_turn": (
        "SMR_EAP_INITIATOR_REQUEST SMR_EAP_DONE SMR_EAP_FAILED SMR_ANOTHER_AUTH", "elsewhere a request is being served already"
    ),
    **dict.fromkeys(
        ("aaa_challenge", "aaa_reject", "aaa_unusable", "aaa_timeout"),
        ("SMR_AUTH_RESPONSE_ID SMR_EAP_AAA_REQUEST", AAA),
    ),
    "aaa_accept": ("SMR_EAP_AAA_REQUEST", DRIVER),
    **dict.fromkeys(
        ("not_authentic", "material_missing"), ("SMR_AUTH_FINALIZE SMR_ROUND_FINALIZE", STEP)
    ),
    **dict.fromkeys(
        ("configuration_awaited", "child_refused", "complete", "complete_without_child"),
        ("SMR_AUTH_FINALIZE", STEP),
    ),
    **dict.fromkeys(
        ("material_obtained", "material_dispensable", "material_refused"), ("SMR_AUTH_DL_PEER SMR_ROUND_DL_PEER", STEP)
    ),
    **dict.fromkeys(("configured", "configuration_failed"), ("SMR_CFG_WAIT", STEP)),
    "peer_rejected_us": (_WITH_KEYS, "protected: there must be keys"),
    "malformed": (f"SMR_INIT {_WITH_KEYS}", ENDED),
    "timeout": ("SMR_AUTH SMR_ANOTHER_AUTH SMR_EAP_INITIATOR_REQUEST SMR_EAP_DONE SMR_EAP_FAILED", "the timer runs only there"),
    "terminate": (_WITH_KEYS, "SMR_INIT passes at once"),
}  # fmt: skip
RESPONDER_STATES = f"SMR_INIT {_WITH_KEYS} SM_MATURE SM_TERMINATE SM_DEAD"

_LIVING = "SM_MATURE SM_REKEY_WAIT SM_DPD_WAIT SM_UPDATE_WAIT SM_CRL_UPDATE SM_REAUTH SM_LEASE_RENEW"
MATURE = {
    **dict.fromkeys(("rekey", "dpd", "update", "crl_update", "reauth", "reauth_by_peer", "lease_renew"), ("SM_MATURE", QUEUE)),
    "enter_rekey": ("SM_REKEY", ENTRY),
    "enter_dpd": ("SM_DPD", ENTRY),
    "enter_update": ("SM_UPDATE", ENTRY),
    "enter_terminate": ("SM_TERMINATE", ENTRY),
    **dict.fromkeys(
        ("rekeyed", "other_group", "rekey_postponed", "rekey_refused", "rekey_redundant"), ("SM_REKEY_WAIT", ANSWER)
    ),
    "alive": ("SM_DPD_WAIT", ANSWER),
    "updated": ("SM_UPDATE_WAIT", ANSWER),
    **dict.fromkeys(("crl_updated", "crl_update_failed", "revoked"), ("SM_CRL_UPDATE", ANSWER)),
    **dict.fromkeys(("reauthenticated", "reauth_failed"), ("SM_REAUTH", DRIVER)),
    **dict.fromkeys(("lease_renewed", "lease_lost"), ("SM_LEASE_RENEW", ANSWER)),
    "lease_left_to_heir": ("SM_LEASE_RENEW", DRIVER),
    "terminate": (f"{_LIVING} SM_DYING SM_DEAD", "SM_REKEY, SM_DPD, SM_UPDATE and SM_TERMINATE pass at once"),
    "nothing_to_send": ("SM_DYING", ENTRY),
    "delete_answered": ("SM_DYING", ANSWER),
    "peer_deleted": (f"{_LIVING} SM_DYING", ENDED),
    "malformed": (f"{_LIVING} SM_DYING", ENDED),
    "timeout": (f"{_LIVING} SM_DYING", ENDED),
}  # fmt: skip
MATURE_STATES = f"{_LIVING} SM_REKEY SM_DPD SM_UPDATE SM_TERMINATE SM_DYING SM_DEAD"

LEASE = {
    "begin": ("INIT", "a new machine's first input"),
    **dict.fromkeys(
        ("offered", "acknowledged", "refused"),
        ("SELECTING REQUESTING RENEWING FINISHED", "no transaction is open, so every message is foreign"),
    ),
    "timeout1": ("SELECTING REQUESTING RENEWING FINISHED", "the timer runs only there"),
    "timeout2": ("SELECTING REQUESTING RENEWING", "FINISHED waits one TIMEOUT1 only"),
    "renewal_due": (
        "BOUND",
        "its driver lets whoever comes while it is being renewed wait for the same answer",
    ),
    "client_gone": (
        "INIT SELECTING REQUESTING BOUND RENEWING",
        "its driver tells it once, and not after ERROR",
    ),
}
LEASE_STATES = "INIT SELECTING REQUESTING BOUND RENEWING FINISHED ERROR"

MACHINES = pytest.mark.parametrize(
    ("protocol", "machine", "table", "states"),
    [
        (Child, ChildMachine, CHILD, CHILD_STATES),
        (Initiator, InitiatorMachine, INITIATOR, INITIATOR_STATES),
        (Responder, ResponderMachine, RESPONDER, RESPONDER_STATES),
        (Mature, MatureMachine, MATURE, MATURE_STATES),
        (Lease, LeaseMachine, LEASE, LEASE_STATES),
    ],
    ids=["child", "initiator", "responder", "mature", "lease"],
)


@MACHINES
def test_every_pair_is_a_transition_or_impossible_for_a_reason(protocol, machine, table, states):
    inputs = {name for name in vars(protocol) if not name.startswith("_")}
    assert set(table) == inputs, "an input without an entry: where may it come?"
    possible = {(row.state, row.cause) for row in transitions(machine)}
    named = {(state, name) for name, (where, _) in table.items() for state in where.split()}
    assert named == possible
    assert all(reason for _, reason in table.values())


@MACHINES
def test_every_state_was_thought_of(protocol, machine, table, states):
    known = {row.state for row in transitions(machine)} | {row.following for row in transitions(machine)}
    assert known == set(states.split())
