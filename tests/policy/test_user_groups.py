"""Who is in which group, and what holds for its members."""

from ipaddress import ip_address

import pytest
from attrs import evolve

from ikegw.policy.groups import NO_GROUP, Group, group_of, said_of
from ikegw.session import NOTHING_GRANTED, Grant

ENGINEERS = Group("engineers", classes=("group=eng", "OU=eng;*"), filters=("eng-*",))
EVERYBODY = Group("everybody")


@pytest.mark.parametrize(
    ("grant", "member"),
    [
        (NOTHING_GRANTED, False),
        (Grant(classes=(b"group=eng",)), True),
        (Grant(classes=(b"\xff\x00binary", b"group=eng")), True),
        (Grant(classes=(b"group=engineering",)), False),
        (Grant(classes=(b"GROUP=ENG",)), False),
        (Grant(classes=(b"OU=eng;O=example\nnext line",)), True),
        (Grant(classes=(b"eng-north",)), False),
        (Grant(filters=("eng-north",)), True),
        (Grant(filters=("x-eng-north",)), False),
        (Grant(filters=("group=eng",)), False),
        (Grant(classes=(b"else",), filters=("eng-",)), True),
    ],
)
def test_who_is_a_member(grant: Grant, member: bool) -> None:
    assert ENGINEERS.has(grant) is member
    assert EVERYBODY.has(grant)


def test_nothing_in_a_pattern_but_the_star_means_anything() -> None:
    odd = Group("odd", filters=("a.c[1]+(x|y)*",))
    assert odd.has(Grant(filters=("a.c[1]+(x|y)",)))
    assert not odd.has(Grant(filters=("abc1x",)))


def test_the_first_that_has_it_counts() -> None:
    eng = Grant(filters=("eng-1",))
    assert group_of((ENGINEERS, EVERYBODY), eng) is ENGINEERS
    assert group_of((EVERYBODY, ENGINEERS), eng) is EVERYBODY
    assert group_of((ENGINEERS,), NOTHING_GRANTED) is None
    assert group_of((), NOTHING_GRANTED) is NO_GROUP


def test_the_server_is_heard_before_the_group() -> None:
    group = evolve(
        ENGINEERS, dns=(ip_address("10.1.0.54"),), session_seconds=3600, idle_seconds=60, port_limit=2
    )
    silent = Grant(user_name="alice")
    terms = group.terms(silent)
    assert (terms.dns, terms.session_seconds, terms.idle_seconds, terms.port_limit) == (
        group.dns,
        3600,
        60,
        2,
    )
    assert terms.user_name == "alice"
    said = Grant(dns=(ip_address("10.1.0.55"),), session_seconds=7, idle_seconds=8, port_limit=9)
    assert group.terms(said) == said
    assert group.terms(Grant(idle_seconds=0)).idle_seconds == 0
    assert NO_GROUP.terms(silent) == silent


def test_what_is_told_of_a_user() -> None:
    assert said_of(Grant(classes=(b"a\n",), filters=("b",))) == r"Class 'a\n', Filter-Id 'b'"
    assert said_of(NOTHING_GRANTED) == "no Class and no Filter-Id"
