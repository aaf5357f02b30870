"""Which of our certificates proves who we are to this peer, or why none can."""

from collections.abc import Sequence
from datetime import datetime

from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import no_own_material
from ikegw.auth.own import OwnCertificate, best, named
from ikegw.auth.periods import validity_problem
from ikegw.policy.connections import LocalAuth
from ikegw.policy.identities import display
from ikegw.wire.certificate import CertificateRequest
from ikegw.wire.identification import Identity
from ikegw.wire.registry import HashId


def choose(
    credentials: Credentials,
    local: LocalAuth,
    identity: Identity,
    requests: Sequence[CertificateRequest],
    hashes: frozenset[HashId],
    now: datetime,
) -> OwnCertificate:
    """The certificate by which we are `identity`: one that `local` names, else one in that name; AuthenticationError."""
    candidates = (
        credentials.own_named(local.certificates) if local.certificates else named(credentials.own, identity)
    )
    own = best(candidates, requests, hashes, now)
    if own is None:
        raise no_own_material(_nothing_for(credentials, local, identity))
    certificate = own.certificate
    if problem := validity_problem(f"our {certificate.title}", certificate.start, certificate.end, now):
        raise no_own_material(problem)
    return own


def _nothing_for(credentials: Credentials, local: LocalAuth, identity: Identity) -> str:
    loaded = [name for name in local.certificates if name in credentials.certificates]
    if loaded:
        return f"no private key for certs/{loaded[0]}: put the one that belongs to it into private/"
    if local.certificates:
        return f"no certificate {', '.join(local.certificates)} was loaded from certs/"
    ours = "; ".join(f"{own.file}: {own.certificate.names_text()}" for own in credentials.own)
    return (
        f"none of our certificates with a private key is {display(identity)}'s; there are: {ours or 'none'}; "
        "name one in the connection or put one into certs/ and private/"
    )
