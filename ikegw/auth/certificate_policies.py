"""For which certificate policies a path is good (RFC 5280 §6.1, without qualifiers).

OpenSSL, which checks everything else about a path, checks these only for callers that pyOpenSSL does not let us be. The tree of
the RFC comes down to a set here, since policy mappings are not followed.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define
from cryptography import x509

from ikegw.auth.certificates import X509, extension
from ikegw.auth.errors import not_authentic

ANY_POLICY: Final = "2.5.29.32.0"
_MAPPINGS: Final = x509.ObjectIdentifier("2.5.29.33")


def require_policies(path: Sequence[X509], wanted: Sequence[str] = ()) -> None:
    """That `path`, from the end entity to (and with) the trusted one, is good for one of `wanted`; AuthenticationError.

    With none wanted, any will do, and none at all unless an authority demands one (requireExplicitPolicy).
    """
    leaf, *issuers = path[:-1] or path
    state = _State(set(wanted) or None, len(path), len(path))
    for issuer in reversed(issuers):
        state.take(issuer, is_leaf=False)
        if wanted and _maps(issuer):
            raise not_authentic(
                f"{issuer.title} maps certificate policies onto others, which is not followed here; ask for none of them"
            )
        state.descend(issuer)
    state.take(leaf, is_leaf=True)
    if state.standing is None or state.standing:
        return
    if wanted:
        raise not_authentic(
            f"the path to {leaf.title} is good for none of the certificate policies that the connection asks for "
            f"({', '.join(wanted)}); that certificate itself names {', '.join(sorted(_policies(leaf))) or 'none'}"
        )
    if state.is_demanded(leaf):
        raise not_authentic(
            f"the path to {leaf.title} is good for no certificate policy, though one of its authorities demands one"
        )


@define
class _State:
    """`standing`: the policies that all certificates so far are good for, None: any.

    Of those still to come, so many may say "any policy", and so many may be good for none.
    """

    standing: set[str] | None
    any_policy: int
    good_for_none: int

    def take(self, certificate: X509, *, is_leaf: bool) -> None:
        """One certificate more (§6.1.3 (d), (e))."""
        said = _policies(certificate)
        if ANY_POLICY in said and (self.any_policy > 0 or (certificate.self_issued and not is_leaf)):
            return
        named = said - {ANY_POLICY}
        self.standing = set(named) if self.standing is None else self.standing & named

    def descend(self, issuer: X509) -> None:
        """What an authority says of those below it (§6.1.4)."""
        extensions = issuer.certificate.extensions
        if not issuer.self_issued:
            self.any_policy, self.good_for_none = max(self.any_policy - 1, 0), max(self.good_for_none - 1, 0)
        constraints = extension(extensions, x509.PolicyConstraints)
        if constraints is not None and constraints.require_explicit_policy is not None:
            self.good_for_none = min(self.good_for_none, constraints.require_explicit_policy)
        inhibit = extension(extensions, x509.InhibitAnyPolicy)
        if inhibit is not None:
            self.any_policy = min(self.any_policy, inhibit.skip_certs)
        if self.standing and _maps(issuer):
            self.standing = None  # what it is called below is not followed: nothing is held against it

    def is_demanded(self, leaf: X509) -> bool:
        """Whether the path must be good for some policy (§6.1.5 (a), (b))."""
        constraints = extension(leaf.certificate.extensions, x509.PolicyConstraints)
        return self.good_for_none <= 1 or (
            constraints is not None and constraints.require_explicit_policy == 0
        )


def _policies(certificate: X509) -> frozenset[str]:
    said = extension(certificate.certificate.extensions, x509.CertificatePolicies)
    return frozenset(each.policy_identifier.dotted_string for each in said or ())


def _maps(certificate: X509) -> bool:
    return any(each.oid == _MAPPINGS for each in certificate.certificate.extensions)
