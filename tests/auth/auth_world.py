"""A public key infrastructure for the tests of authentication: P-256 throughout, valid around one moment."""

from datetime import UTC, datetime

from attrs import frozen

from ikegw.testing.pki import CLIENT_USAGES, GATEWAY_USAGES, Authority, Party, Period

NOW = datetime(2026, 1, 19, 12, tzinfo=UTC)


@frozen
class World:
    """Who there is; `root` is trusted by most tests, `foreign` by none."""

    now: datetime
    period: Period
    root: Authority
    foreign: Authority
    middle: Authority
    gateway: Party
    carol: Party
    below: Party

    def issue(self, name: str = "carol@ikegw.example", **wrong: object) -> Party:
        """A client's certificate by the root, wrong in the given way."""
        return self.root.issue(name, "ecdsa256", **wrong)  # type: ignore[arg-type]


def make_world() -> World:
    """Everybody, with new keys."""
    period = Period.around(NOW)
    root = Authority.root("Root", "ecdsa256", period)
    middle = root.intermediate("Middle", "ecdsa256")
    return World(
        NOW,
        period,
        root,
        Authority.root("Foreign", "ecdsa256", period),
        middle,
        root.issue(
            "gw.ikegw.example",
            "ecdsa256",
            ["gw.ikegw.example", "192.0.2.1", "2001:db8::1"],
            usages=GATEWAY_USAGES,
        ),
        root.issue("carol@ikegw.example", "ecdsa256", usages=CLIENT_USAGES),
        middle.issue("dave@ikegw.example", "ecdsa256"),
    )
