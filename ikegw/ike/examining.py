"""From a peer's AUTH to what we think of it, alike for both sides: what is missing is fetched first (rows I-07, R-13)."""

from collections.abc import Callable

from ikegw.auth.authenticator import AuthenticationError, Examination, Verified
from ikegw.events import RevocationUnknown
from ikegw.ike.sa import IkeSa


def judge(
    examination: Examination,
    missing: Callable[[], None],
    verified: Callable[[Verified], None],
    refused: Callable[[AuthenticationError], None],
) -> None:
    """Go on with the one that it comes to."""
    if examination.lacks:
        missing()
        return
    try:
        verdict = examination.verdict()
    except AuthenticationError as error:
        refused(error)
    else:
        verified(verdict)


def obtain(
    sa: IkeSa,
    examination: Examination,
    done: Callable[[bool], None],
    failed: Callable[[AuthenticationError], None],
) -> None:
    """Fetch what is missing. `done` hears whether something could not be had that policy can do without, which is told here."""

    def obtained(unknown: tuple[str, ...]) -> None:
        for detail in unknown:
            sa.surroundings.publish(RevocationUnknown(sa.name, sa.path, sa.peer, detail))
        done(bool(unknown))

    sa.wait_for(examination.obtain(), obtained, AuthenticationError, failed)
