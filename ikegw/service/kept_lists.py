"""CRLs that were downloaded, kept on disk: a gateway that starts anew knows them before their servers can be reached."""

from datetime import UTC, datetime
from hashlib import sha256

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread

from ikegw.auth.archive import Archive, Kept
from ikegw.auth.certificates import X509
from ikegw.auth.crls import BadCrl, Crl
from ikegw.config import Config
from ikegw.download.shelf import Shelf


@frozen
class KeptLists:
    """`archive` is what certificates are judged by; what is new in it is written to `shelf`."""

    shelf: Shelf
    archive: Archive

    @classmethod
    def make(cls, config: Config) -> "KeptLists":
        """Nothing is read yet."""
        shelf = Shelf(config.downloads.directory, deferToThread)
        return cls(shelf, Archive(lambda crl, issuer: shelf.put(_name(crl, issuer), crl.der)))

    def start(self) -> Deferred[None]:
        """Read what was kept; what is over is thrown away. Holds nobody up who has kept nothing."""
        if not self.shelf.directory.is_dir():
            return succeed(None)
        return self.shelf.read(_still_counting).addCallback(self.archive.find)


def _name(crl: Crl, issuer: X509) -> str:
    """One file for each CRL that an issuer publishes, whichever edition."""
    scope = sha256(crl.scope.der).hexdigest()[:16]
    return f"{issuer.key_hash.hex()}-{scope}{'' if crl.base is None else '-delta'}.crl"


def _still_counting(octets: bytes, since: float) -> Kept | None:
    try:
        crl = Crl.parse(octets)
    except BadCrl:
        return None
    return Kept(crl, datetime.fromtimestamp(since, UTC)) if crl.next_update > datetime.now(UTC) else None
