"""Why a proof of identity could not be made or was not believed."""

from ikegw.events import AuthFailure


class AuthenticationError(Exception):
    """One of the five reasons, and `detail`: a sentence for the operator with what was expected, what came, and what to do.

    Never sent to the peer, who learns AUTHENTICATION_FAILED and nothing more.
    """

    def __init__(self, reason: AuthFailure, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"


def no_own_material(detail: str) -> AuthenticationError:
    """We lack the secret, the key or the certificate."""
    return AuthenticationError(AuthFailure.NO_OWN_MATERIAL, detail)


def not_authentic(detail: str) -> AuthenticationError:
    """What the peer sent proves nothing."""
    return AuthenticationError(AuthFailure.NOT_AUTHENTIC, detail)


def out_of_time(detail: str) -> AuthenticationError:
    """A certificate is not valid now."""
    return AuthenticationError(AuthFailure.OUT_OF_TIME, detail)


def method_not_allowed(detail: str) -> AuthenticationError:
    """The peer used a method that this connection or this program does not take."""
    return AuthenticationError(AuthFailure.METHOD_NOT_ALLOWED, detail)
