"""All that we prove ourselves with and check others by: a value that a reload replaces whole."""

from collections.abc import Mapping
from itertools import chain

from attrs import field, frozen

from ikegw.auth.certificates import X509
from ikegw.auth.chains import Trust
from ikegw.auth.crls import Crl
from ikegw.auth.errors import no_own_material
from ikegw.auth.own import OwnCertificate, issuers, named
from ikegw.auth.own import PrivateKey as PrivateKey
from ikegw.auth.shared_keys import SharedKey, SharedKeys
from ikegw.policy.authorities import NO_SOURCES, AuthoritySources
from ikegw.policy.connections import LocalAuth, RemoteAuth
from ikegw.policy.demands import Weakness

Files = Mapping[str, tuple[X509, ...]]
"""File name -> the certificates in it, in their order."""


def _index(keys: tuple[SharedKey, ...] | SharedKeys) -> SharedKeys:
    return keys if isinstance(keys, SharedKeys) else SharedKeys(keys)


@frozen(eq=False)
class Credentials:
    """Shared keys, certificates and authorities by the names of their files, and private keys by the hash of their public half.

    Each certificate in `authorities` is trusted. One in `certificates` is ours if it is the first of its file and we hold its
    key; what else is there are certificates of peers, to be pinned by name, and intermediates, which help but are not trusted.
    """

    shared_keys: SharedKeys = field(factory=SharedKeys, converter=_index)
    certificates: Files = field(factory=dict, repr=lambda files: repr(sorted(files)))
    authorities: Files = field(factory=dict, repr=lambda files: repr(sorted(files)))
    private_keys: Mapping[bytes, PrivateKey] = field(factory=dict, repr=False)
    crls: tuple[Crl, ...] = field(default=(), repr=False)
    sources: Mapping[str, AuthoritySources] = field(factory=dict, repr=False)
    """By file in `ca/` or `certs/`: where the authorities in it publish, besides what certificates say."""

    own: tuple[OwnCertificate, ...] = field(init=False, repr=False)
    _trusts: dict[tuple[tuple[str, ...], frozenset[Weakness]], Trust] = field(
        init=False, factory=dict, repr=False
    )

    def __attrs_post_init__(self) -> None:
        known = tuple(chain.from_iterable((*self.certificates.values(), *self.authorities.values())))
        own = tuple(
            OwnCertificate(file, first, self.private_keys[first.key_hash], issuers(first, (*rest, *known)))
            for file, (first, *rest) in self.certificates.items()
            if first.key_hash in self.private_keys
        )
        object.__setattr__(self, "own", own)

    def own_named(self, files: tuple[str, ...]) -> tuple[OwnCertificate, ...]:
        """Our certificates in these files of `certs/`."""
        return tuple(own for file in files for own in self.own if own.file == file)

    def own_for(self, local: LocalAuth) -> tuple[OwnCertificate, ...]:
        """Those of ours that `local` may show: the files that it names, else what is its identity's, else all."""
        if local.certificates:
            return self.own_named(local.certificates)
        return self.own if local.identity is None else named(self.own, local.identity)

    def trust(self, authorities: tuple[str, ...], weak: frozenset[Weakness] = frozenset()) -> Trust:
        """Trust in the authorities of these files of `ca/`, or in all of them; AuthenticationError if a file is not there."""
        trust = self._trusts.get((authorities, weak))
        if trust is None:
            trusted = [each for name in authorities or self.authorities for each in self._authority(name)]
            others = chain.from_iterable((*self.certificates.values(), *self.authorities.values()))
            between = [each for each in others if each.is_authority and each not in trusted]
            trust = self._trusts[authorities, weak] = Trust(trusted, between, weak=weak)
        return trust

    def _authority(self, name: str) -> tuple[X509, ...]:
        try:
            return self.authorities[name]
        except KeyError:
            raise no_own_material(
                f"the connection trusts {name!r}, but no such certificate was loaded from ca/"
            ) from None

    def sources_of(self, issuer: X509) -> AuthoritySources:
        """What is configured of where `issuer` publishes."""
        for file, sources in self.sources.items():
            there = (*self.authorities.get(file, ()), *self.certificates.get(file, ()))
            if any(each.key_hash == issuer.key_hash for each in there):
                return sources
        return NO_SOURCES

    def missing(self, auth: LocalAuth | RemoteAuth) -> tuple[str, ...]:
        """The files that `auth` names and that were not loaded, as `ca/x.pem`: for whoever checks a configuration."""
        authorities = auth.authorities if isinstance(auth, RemoteAuth) else ()
        return (
            *(f"certs/{name}" for name in auth.certificates if name not in self.certificates),
            *(f"ca/{name}" for name in authorities if name not in self.authorities),
        )
