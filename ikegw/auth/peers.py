"""The certificate by which a peer is to be believed: under an authority, or pinned, and in the peer's name (RFC 4945 §3)."""

from datetime import datetime
from typing import Final

from ikegw.auth.certificate_policies import require_policies
from ikegw.auth.certificates import X509, carries
from ikegw.auth.chains import Chain, parse_presented, require_purpose, require_strong_key
from ikegw.auth.credentials import Credentials
from ikegw.auth.errors import no_own_material, not_authentic, out_of_time
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

    A pinned certificate (by `remote.certificates` or `remote.demands.pins`) is trusted by itself; if authorities are named
    besides, both must hold.
    """
    demands = remote.demands
    if remote.pinned:
        pinned = _pinned(credentials, remote, identity, presented)
        _require_valid(pinned, now)
        require_strong_key(pinned, demands.weak)
        chain = Chain(pinned.subject, "pinned", pinned.public_key, pinned.names, pinned.start, pinned.end)
        presented = presented or (pinned.der,)
    if remote.authorities or not remote.pinned:
        if not presented:
            raise not_authentic(
                f"{display(identity)} sent no certificate, and none is pinned for it; have it send its own (strongSwan: "
                "send_cert = always) or name its file as the remote certificate"
            )
        chain = credentials.trust(remote.authorities, demands.weak).chain(presented, now)
        if demands.policies:
            require_policies(chain.path, demands.policies)
    if not carries(chain.names, identity):
        raise not_authentic(_wrong_name(chain, identity))
    return chain


def _pinned(
    credentials: Credentials, remote: RemoteAuth, identity: Identity, presented: tuple[bytes, ...]
) -> X509:
    files = [name for name in remote.certificates if name in credentials.certificates]
    pins = remote.demands.pins
    if not files and not pins:
        raise no_own_material(
            f"the connection pins {', '.join(remote.certificates)}, but no such certificate was loaded from certs/"
        )
    here = [credentials.certificates[name][0] for name in files]
    here += [first for first, *_ in credentials.certificates.values() if set(first.pins) & set(pins)]
    if presented:
        leaf, *_ = parse_presented(presented[:1])
        whole, key = leaf.pins
        if leaf.der in {each.der for each in here} or whole in pins:
            return leaf
        if key in pins:
            _require_names_vouched_for(remote, leaf)
            return leaf
        what = ", ".join((*files, *map(str, pins)))
        raise not_authentic(f"{display(identity)} sent another certificate than the pinned {what}")
    found = next((each for each in here if carries(each.names, identity)), None)
    if found is None:
        known = ", ".join(files) or "none of remote.pinned is in certs/, and the peer sent none"
        raise not_authentic(f"none of the pinned certificates ({known}) is {display(identity)}'s")
    return found


def _require_names_vouched_for(remote: RemoteAuth, leaf: X509) -> None:
    """Of a certificate that is known by its key alone, which its owner can put into another, with any name."""
    if remote.identity.exact is None and not remote.authorities:
        raise not_authentic(
            f"{leaf.title} is known by its key only, which could stand in a certificate with any name: give remote.id the one "
            "identity that it is for, name the authority in remote.cacerts, or put the certificate into certs/"
        )


def _require_valid(pinned: X509, now: datetime) -> None:
    if problem := validity_problem(pinned.title, pinned.start, pinned.end, now):
        raise out_of_time(problem)
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
