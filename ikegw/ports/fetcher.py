"""Who downloads certificates, CRLs and OCSP answers (rows I-07…I-12, R-13, R-14, Q-11…Q-15)."""

from typing import Protocol

from twisted.internet.defer import Deferred


class FetchFailed(Exception):
    """DL_FAILED: the text says the URL and why."""


class Fetcher(Protocol):
    """Fetches within limits of size, time, redirects, destinations, and number at once; equal fetches are one."""

    def fetch(
        self, url: str, body: bytes | None = None, content_type: str = "", *, configured: bool = False
    ) -> Deferred[bytes]:
        """What is at an http, https or file URL, by POST if there is a `body`; errback FetchFailed, within its time limit.

        `configured`: the operator named the URL, so that it may lead anywhere; else it came from outside.
        """
        ...
