"""What a peer's CERT payloads hold: certificates, sent or named by hash and URL, CRLs, OCSP answers (RFC 7296 §3.6, RFC 4806)."""

from collections.abc import Iterable
from functools import partial
from hashlib import sha1
from typing import Final

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from ikegw.auth.archive import Archive
from ikegw.auth.bundles import BadBundle, read_bundle
from ikegw.auth.errors import AuthenticationError, not_authentic
from ikegw.auth.sources import Source, Tried, Useless
from ikegw.crypto.compare import equal
from ikegw.events import AuthFailure
from ikegw.wire.certificate import Certificate
from ikegw.wire.registry import CertEncoding

DIGEST_OCTETS: Final = 20
LONGEST_URL: Final = 1024
MOST_SHOWN: Final = 16
"""CRLs and OCSP answers that a peer may send along."""


@frozen
class Shown:
    """DER of each kind, in the order in which it came; `wanted` is what has to be fetched before that can be said."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    answers: tuple[bytes, ...] = ()
    wanted: tuple[Source, ...] = ()


def shown(payloads: Iterable[Certificate], archive: Archive, by_url: bool, tried: Tried) -> Shown:
    """Sort what came. AuthenticationError if a certificate is named by URL and cannot be had, or may not (`by_url` False)."""
    certificates: list[bytes] = []
    crls: list[bytes] = []
    answers: list[bytes] = []
    wanted: list[Source] = []
    for payload in payloads:
        match payload.encoding:
            case CertEncoding.X509_SIGNATURE:
                certificates.append(payload.data)
            case CertEncoding.CRL:
                crls.append(payload.data)
            case CertEncoding.OCSP_CONTENT:
                answers.append(payload.data)
            case CertEncoding.HASH_AND_URL | CertEncoding.HASH_AND_URL_BUNDLE if by_url:
                digest, url = _named(payload.data)
                octets = archive.fetched(digest)
                if octets is None:
                    wanted.append(_source(url, digest, archive, tried))
                elif payload.encoding is CertEncoding.HASH_AND_URL:
                    certificates.append(octets)
                else:
                    _unpack(octets, certificates, crls)
            case CertEncoding.HASH_AND_URL | CertEncoding.HASH_AND_URL_BUNDLE:
                raise AuthenticationError(
                    AuthFailure.DOWNLOAD_FAILED,
                    "the peer sent the address of its certificate instead of the certificate, which this connection does not ask "
                    "for; set remote.hash_and_url, or switch hash-and-URL off there",
                )
    return Shown(tuple(certificates), tuple(crls[:MOST_SHOWN]), tuple(answers[:MOST_SHOWN]), tuple(wanted))


def _named(data: bytes) -> tuple[bytes, str]:
    url = data[DIGEST_OCTETS : DIGEST_OCTETS + LONGEST_URL + 1]
    if not url or len(url) > LONGEST_URL or not url.isascii() or not url.decode("ascii").isprintable():
        raise not_authentic(
            "the peer named a certificate by hash and URL, but what it sent is no hash and URL"
        )
    return data[:DIGEST_OCTETS], url.decode("ascii")


def _source(url: str, digest: bytes, archive: Archive, tried: Tried) -> Source:
    source = Source(url, partial(_take, digest, archive), about=digest.hex())
    if source in tried:
        raise AuthenticationError(
            AuthFailure.DOWNLOAD_FAILED,
            f"the peer's certificate is to be had at a URL, but was not: {tried[source]}",
        )
    return source


def _take(digest: bytes, archive: Archive, octets: bytes) -> Deferred[None]:
    if not equal(sha1(octets, usedforsecurity=False).digest(), digest):
        raise Useless("what is there is not what the peer named (its SHA-1 hash is another)")
    archive.put_fetched(octets)
    return succeed(None)


def _unpack(octets: bytes, certificates: list[bytes], crls: list[bytes]) -> None:
    try:
        more_certificates, more_crls = read_bundle(octets)
    except BadBundle as error:
        raise not_authentic(f"the peer named a bundle of certificates that cannot be read: {error}") from None
    certificates.extend(more_certificates)
    crls.extend(more_crls)
