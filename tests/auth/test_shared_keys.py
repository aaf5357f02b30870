"""Which secret serves between us and a peer."""

import pytest

from ikegw.auth.shared_keys import SharedKey, SharedKeys
from ikegw.policy.identities import IdentityPattern, parse_identity

GW = "gw.ikegw.example"


def keys(**patterns: str) -> SharedKeys:
    """Secrets called by their arguments' names, each with its patterns apart by spaces."""
    return SharedKeys(
        SharedKey(tuple(IdentityPattern.parse(each) for each in text.split()), name.encode())
        for name, text in patterns.items()
    )


def found(known: SharedKeys, remote: str | None, local: str = GW) -> str | None:
    key = known.find(parse_identity(local), None if remote is None else parse_identity(remote))
    return None if key is None else key.secret.decode()


def test_most_specific_match_of_the_peer_wins() -> None:
    known = keys(
        anybody="",
        any="%any",
        domain="*@ikegw.example",
        carol="carol@ikegw.example",
        subdomain="*@vpn.ikegw.example",
    )
    assert found(known, "carol@ikegw.example") == "carol"
    assert found(known, "CAROL@IKEGW.example") == "carol"
    assert found(known, "dave@ikegw.example") == "domain"
    assert found(known, "dave@vpn.ikegw.example") == "subdomain"
    assert found(known, "192.0.2.7") == "any"


def test_between_equals_the_one_that_names_us_wins_then_the_first() -> None:
    known = keys(
        elsewhere=f"carol@ikegw.example {'other.example'}",
        here=f"carol@ikegw.example {GW}",
        later="dave dave",
    )
    assert found(known, "carol@ikegw.example") == "here"
    assert found(known, "carol@ikegw.example", local="third.example") == "elsewhere"
    assert found(keys(first="dave", second="dave"), "dave") == "first"


def test_a_secret_of_ours_alone_serves_any_peer_without_its_own() -> None:
    known = keys(anybody="", ours=GW, carols="carol@ikegw.example")
    assert found(known, "stranger.example") == "ours"
    assert found(known, "carol@ikegw.example") == "carols"
    assert found(known, "stranger.example", local="other.example") == "anybody"


@pytest.mark.parametrize(
    "patterns", [f"carol@ikegw.example {GW}", f"*.ikegw.example {GW}", "*.ikegw.example"]
)
def test_somebody_elses_secret_never_serves_a_stranger_at_our_name(patterns: str) -> None:
    assert found(keys(carols=patterns), "mallory@evil.example") is None


def test_unknown_peer_finds_nothing() -> None:
    assert found(keys(carol="carol@ikegw.example"), "dave@ikegw.example") is None
    assert found(SharedKeys(), "carol@ikegw.example") is None
    assert found(SharedKeys(), None) is None


def test_an_initiator_that_takes_any_gateway_uses_the_secret_that_names_it_or_its_only_one() -> None:
    assert found(keys(gateway="gw.example"), None, local="carol") == "gateway"
    assert found(keys(gateway="gw.example", carols="carol"), None, local="carol") == "carols"
    assert found(keys(one="gw.example", other="gw2.example"), None, local="carol") is None
    assert found(keys(one="gw.example", anybody=""), None, local="carol") == "anybody"


def test_ten_thousand_users_cost_a_lookup_no_more_than_one() -> None:
    calls = 0
    matches = IdentityPattern.rank

    def counting(self: IdentityPattern, identity: object) -> int:
        nonlocal calls
        calls += 1
        return matches(self, identity)  # type: ignore[arg-type]

    known = SharedKeys(
        SharedKey((IdentityPattern.parse(f"user{number}@ikegw.example"),), b"%d" % number)
        for number in range(10_000)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IdentityPattern, "rank", counting)
        assert found(known, "user7777@ikegw.example") == "7777"
    assert calls < 5


def test_secret_is_in_no_repr_and_must_not_be_empty() -> None:
    assert "hunter2" not in repr(SharedKey((), b"hunter2"))
    with pytest.raises(ValueError, match="secret"):
        SharedKey((), b"")
