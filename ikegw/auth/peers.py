"""The certificate by which a peer is to be believed: under an authority, or pinned, and in the peer's name (RFC 4945 §3)."""

from datetime import datetime
from typing import Final

from ikegw.auth.certificates import X509, carries
from ikegw.auth.chains import Chain, require_purpose
from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import no_own_material, not_authentic
from ikegw.auth.periods import validity_problem
from ikegw.policy.connections import RemoteAuth
from ikegw.policy.identities import display
from ikegw.wire.identification import Identity
from ikegw.wire.registry import IdType

NAMED_IN_CERTIFICATES: Final = frozenset(
    {IdType.IPV4_ADDR, IdType.FQDN, IdType.RFC822_ADDR, IdType.IPV6_ADDR, IdType.DER_ASN1_DN}
)


def peer_chain(
    credentials: Credentials,
    remote: RemoteAuth,
    identity: Identity,
    presented: tuple[bytes, ...],
    now: datetime,
) -> Chain:
    """The peer's public key and by what we know that it is `identity`'s; AuthenticationError. `presented` are DER.

    A pinned certificate (`remote.certificates`) is trusted by itself; if authorities are named besides, both must hold.
    """
    if remote.certificates:
        pinned = _pinned(credentials, remote, identity, presented)
        _require_valid(pinned, now)
        chain = Chain(pinned.subject, "pinned", pinned.public_key, pinned.names, pinned.start, pinned.end)
        presented = presented or (pinned.der,)
    if remote.authorities or not remote.certificates:
        if not presented:
            raise not_authentic(
                f"{display(identity)} sent no certificate, and none is pinned for it; have it send its own (strongSwan: "
                "send_cert = always) or name its file as the remote certificate"
            )
        chain = credentials.trust(remote.authorities).chain(presented, now)
    if not carries(chain.names, identity):
        raise not_authentic(_wrong_name(chain, identity))
    return chain


def _pinned(
    credentials: Credentials, remote: RemoteAuth, identity: Identity, presented: tuple[bytes, ...]
) -> X509:
    files = [name for name in remote.certificates if name in credentials.certificates]
    if not files:
        raise no_own_material(
            f"the connection pins {', '.join(remote.certificates)}, but no such certificate was loaded from certs/"
        )
    pins = [credentials.certificates[name][0] for name in files]
    if presented:
        found = next((pin for pin in pins if pin.der == presented[0]), None)
        if found is None:
            raise not_authentic(
                f"{display(identity)} sent another certificate than the pinned {', '.join(files)}"
            )
        return found
    found = next((pin for pin in pins if carries(pin.names, identity)), None)
    if found is None:
        raise not_authentic(f"none of the pinned certificates ({', '.join(files)}) is {display(identity)}'s")
    return found


def _require_valid(pinned: X509, now: datetime) -> None:
    if problem := validity_problem(pinned.title, pinned.start, pinned.end, now):
        raise not_authentic(problem)
    require_purpose(pinned)


def _wrong_name(chain: Chain, identity: Identity) -> str:
    names = ", ".join(map(display, chain.names)) or "none"
    if identity.type not in NAMED_IN_CERTIFICATES:
        return (
            f"an identity of type {identity.type.name} ({display(identity)}) is in no certificate; have the peer use one of the "
            f"names in its certificate ({names})"
        )
    return (
        f"certificate {chain.subject} is not {display(identity)}'s: the names in it are {names}; have the peer use one of "
        "them as its identity, or issue a certificate with this name"
    )
