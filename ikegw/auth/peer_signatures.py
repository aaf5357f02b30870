"""The signature in a peer's AUTH payload, checked as its connection demands."""

from attrs import evolve

from ikegw.auth.certificates import SHORTEST_RSA
from ikegw.auth.chains import Chain
from ikegw.auth.errors import not_authentic
from ikegw.crypto.signatures import BadSignature, SignaturePolicy, WeakSignature, verify
from ikegw.policy.demands import Weakness
from ikegw.policy.identities import display
from ikegw.wire.authentication import Authentication
from ikegw.wire.identification import Identity


def scheme_of(
    authentication: Authentication,
    octets: bytes,
    chain: Chain,
    identity: Identity,
    policy: SignaturePolicy,
    weak: frozenset[Weakness],
) -> str:
    """The name of the scheme in which the key of `chain`, which is `identity`'s, signed `octets`; AuthenticationError.

    `weak` is what the connection lets pass beyond `policy`.
    """
    allowing = _allowing(policy, weak)
    try:
        return verify(chain.public_key, authentication.method, authentication.data, octets, allowing)
    except BadSignature as error:
        is_weak = isinstance(error, WeakSignature)
        hint = '; old Windows can do no better: let it with remote.weak = ["sha1"]' if is_weak else ""
        raise not_authentic(
            f"the signature of {display(identity)} ({chain.subject}) does not hold: {error}{hint}"
        ) from None


def _allowing(policy: SignaturePolicy, weak: frozenset[Weakness]) -> SignaturePolicy:
    if not weak:
        return policy
    shortest = SHORTEST_RSA if Weakness.SHORT_RSA in weak else policy.minimum_rsa_bits
    return evolve(policy, sha1=policy.sha1 or Weakness.SHA1 in weak, minimum_rsa_bits=shortest)
