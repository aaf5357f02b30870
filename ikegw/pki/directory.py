"""An authority in a directory: its keys, its book, and what it issues, in the files that gateways and clients take.

    authority/   certificates and keys of the authorities themselves     book.json   what was issued, what was revoked
    ca/  crl/  certs/  private/   what a gateway takes, as it stands     clients/    each client's certificate, key and .p12

The book is written before what it speaks of: a certificate that nobody could revoke must not come to be.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from attrs import define, evolve, field
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ikegw.pki.asked import common_name, key_usages_of, kind_of_key, period_of, period_under
from ikegw.pki.authority import Authority, Party, Period
from ikegw.pki.book import REASONS, Book, Entry, Revocation, Role
from ikegw.pki.errors import Refused
from ikegw.pki.extensions import (
    CLIENT_USAGES,
    GATEWAY_USAGES,
    Extension,
    client_name,
    crl_at,
    gateway_names,
)
from ikegw.pki.files import PRIVATE, PUBLIC, alone, write
from ikegw.pki.keys import BadKey, from_pem, to_pem
from ikegw.pki.pkcs12 import Form, pack

BOOK: Final = "book.json"
ROOT: Final = "ca"
"""The name of the root's files."""
_DIRECTORIES: Final = {
    "authority": 0o700, "clients": 0o700, "private": 0o700, "ca": 0o755, "crl": 0o755, "certs": 0o755,
}  # fmt: skip


@define
class Pki:
    """The authority in `directory`; who has it, has it alone."""

    directory: Path
    book: Book
    _passphrase: bytes | None = field(default=None, repr=False)

    # ------------------------------------------------------------ authorities

    def add_intermediate(self, title: str, kind: str, days: int, now: datetime) -> Entry:
        """An authority under the root, which issues from now on: the root's key may then be taken to a safe place."""
        root = self._authority(ROOT)
        taken = {each.name for each in self.book.entries}
        name = next(name for name in _numbered("issuing") if name not in taken)
        made = root.intermediate(
            common_name(title),
            kind_of_key(kind),
            0,
            self._says_where(ROOT),
            period_under(root, days, now),
        )
        entry = self._entered(made.certificate, name, Role.AUTHORITY, ROOT, evolve(self.book, issuer=name))
        self._write_authority(name, made)
        return entry

    def _authority(self, name: str) -> Authority:
        file = self.directory / "authority" / f"{name}.pem"
        key_file = file.with_suffix(".key")
        if not key_file.exists():
            raise Refused(f"{key_file} is not here; bring it back for as long as {name} is to sign")
        try:
            certificate, *above = x509.load_pem_x509_certificates(file.read_bytes())
            key = from_pem(key_file.read_bytes(), self._passphrase)
        except BadKey as error:
            raise Refused(f"{key_file}: {error}") from None
        except ValueError:
            raise Refused(f"{file} is damaged; take a copy of it from your backup") from None
        period = Period(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        return Authority(certificate, key, period, tuple(above))

    def _issuer(self) -> Authority:
        name = self.book.issuer
        if any(
            each.name == name and each.revoked for each in self.book.entries if each.role is Role.AUTHORITY
        ):
            raise Refused(f"the authority {name} was revoked; make another with: ikegwctl pki intermediate")
        return self._authority(name)

    def _write_authority(self, name: str, authority: Authority) -> None:
        party = Party(authority.certificate, authority.key, authority.above)
        write(self.directory / "authority" / f"{name}.key", to_pem(party.key, self._passphrase), PRIVATE)
        write(self.directory / "authority" / f"{name}.pem", party.chain_pem, PUBLIC)

    def _says_where(self, issuer: str) -> tuple[Extension, ...]:
        return (crl_at(f"{self.book.crl_url}{issuer}.crl"),) if self.book.crl_url else ()

    # ------------------------------------------------------------ certificates

    def gateway(self, names: Sequence[str], kind: str, days: int, now: datetime, *, renew: bool) -> Entry:
        """A gateway's, for these DNS names and addresses, the first its common name: in `certs/` and `private/`."""
        try:
            alternatives = gateway_names(names)
        except ValueError as error:
            raise Refused(
                f"{str(error)!r} is neither a DNS name nor an address, by which clients would call a gateway"
            ) from None
        self._require_new(names[0], Role.GATEWAY, now, renew=renew)
        issuer = self._issuer()
        party = issuer.issue(
            common_name(names[0]),
            kind_of_key(kind),
            alternatives,
            usages=GATEWAY_USAGES,
            key_usages=key_usages_of(kind),
            period=period_under(issuer, days, now),
            extensions=self._says_where(self.book.issuer),
        )
        entry = self._entered(party.certificate, names[0], Role.GATEWAY, self.book.issuer)
        write(self.directory / "private" / f"{names[0]}.pem", party.private_pem, PRIVATE)
        write(self.directory / "certs" / f"{names[0]}.pem", party.chain_pem, PUBLIC)
        return entry

    def client(self, name: str, kind: str, days: int, now: datetime, *, renew: bool) -> Entry:
        """A client's, of this name (`carol@example.org`, a DNS name, an address): in `clients/`."""
        try:
            alternative = client_name(common_name(name))
        except ValueError:
            raise Refused(
                f"{name!r} is no name that a certificate carries: write carol@example.org, a DNS name, an address, or one word "
                "of ASCII"
            ) from None
        self._require_new(name, Role.CLIENT, now, renew=renew)
        issuer = self._issuer()
        party = issuer.issue(
            name,
            kind_of_key(kind),
            [alternative],
            usages=CLIENT_USAGES,
            key_usages=key_usages_of(kind),
            period=period_under(issuer, days, now),
            extensions=self._says_where(self.book.issuer),
        )
        entry = self._entered(party.certificate, name, Role.CLIENT, self.book.issuer)
        write(self._of_client(name, "key"), party.private_pem, PRIVATE)
        write(self._of_client(name, "pem"), party.chain_pem, PUBLIC)
        return entry

    def party(self, name: str) -> Party:
        """The client of that name, with its key."""
        try:
            certificate, *above = x509.load_pem_x509_certificates(self._of_client(name, "pem").read_bytes())
            return Party(certificate, from_pem(self._of_client(name, "key").read_bytes()), tuple(above))
        except FileNotFoundError:
            raise Refused(
                f"there is no client {name!r} with certificate and key in {self.directory}/clients"
            ) from None
        except (BadKey, ValueError) as error:
            raise Refused(f"the files of {name!r} in {self.directory}/clients are damaged: {error}") from None

    def pack(self, name: str, password: str, form: Form) -> Path:
        """The client's key and chain in one file under a password."""
        root = x509.load_pem_x509_certificate((self.directory / "ca" / f"{ROOT}.pem").read_bytes())
        octets, file = pack(self.party(name), name, [root], password, form), self._of_client(name, "p12")
        write(file, octets, PRIVATE)
        return file

    def _of_client(self, name: str, ending: str) -> Path:
        return self.directory / "clients" / f"{common_name(name)}.{ending}"

    def _require_new(self, name: str, role: Role, now: datetime, *, renew: bool) -> None:
        known = next((each for each in self.book.entries if each.name == name and each.serves(now)), None)
        if known is not None and known.role is not role:
            raise Refused(f"{name!r} is the name of a {known.role.value} already; take another")
        if known is not None and not renew:
            raise Refused(
                f"{name} has a certificate until {known.end:%Y-%m-%d}; --renew makes another beside it, which does not revoke it"
            )

    def _entered(
        self, certificate: x509.Certificate, name: str, role: Role, issuer: str, book: Book | None = None
    ) -> Entry:
        entry = Entry(certificate.serial_number, name, role, issuer, certificate.not_valid_after_utc)
        self._write_book((book or self.book).with_entry(entry))
        return entry

    def _write_book(self, book: Book) -> None:
        write(self.directory / BOOK, book.encode(), PRIVATE)
        self.book = book

    # ------------------------------------------------------------ revocation

    def revoke(self, text: str, reason: str, now: datetime) -> tuple[Entry, ...]:
        """Revoke what `text` means: a name, and then all certificates of it that still serve, or a serial number."""
        meant = [each for each in self.book.entries if each.is_meant(text)]
        found = tuple(each for each in meant if each.serves(now))
        if not meant:
            raise Refused(
                f"no certificate of that name or serial number was issued here: {text}; see ikegwctl pki list"
            )
        if not found:
            raise Refused(f"every certificate of {text} is revoked or expired already")
        if reason not in REASONS:
            raise Refused(f"{reason!r} is no reason; there are {', '.join(REASONS)}")
        self._write_book(self.book.with_revoked(found, Revocation(now, reason)))
        return found

    def write_crls(self, days: int, now: datetime) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """A new CRL of each authority, good for `days`: the files, and the names of those whose key is not here."""
        written, absent = [], []
        for name in self.book.issuers:
            if not (self.directory / "authority" / f"{name}.key").exists():
                absent.append(name)
                continue
            authority, period = self._authority(name), period_of(days, now)
            self._write_book(self.book.with_next_crl(name))
            number = self.book.crl_numbers[name]
            octets = authority.revocation_list(self.book.revoked_by(name), evolve(period, start=now), number)
            file = self.directory / "crl" / f"{name}.crl"
            write(file, octets, PUBLIC)
            written.append(file)
        return tuple(written), tuple(absent)


def create(
    directory: Path,
    title: str,
    kind: str,
    days: int,
    now: datetime,
    *,
    organization: str = "",
    crl_url: str = "",
    passphrase: bytes | None = None,
) -> None:
    """Make a root in `directory`, which may be there but has none yet; Refused, OSError.

    `title` is its common name. `crl_url` is the address under which the files of `crl/` will be found, ending in a slash.
    """
    if crl_url and not (crl_url.startswith(("http://", "https://")) and crl_url.isascii()):
        raise Refused(f"{crl_url!r} is no address under which CRLs can be fetched (http://…/)")
    name = [x509.NameAttribute(NameOID.COMMON_NAME, common_name(title))]
    if organization:
        name.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, common_name(organization)))
    root = Authority.self_signed(x509.Name(name), kind_of_key(kind), period_of(days, now))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder, mode in _DIRECTORIES.items():
        (directory / folder).mkdir(mode=mode, exist_ok=True)
    with alone(directory):
        if (directory / BOOK).exists() or any((directory / "authority").glob("*.key")):
            raise Refused(
                f"{directory} has an authority already; name another directory, or go on with this one"
            )
        url = crl_url if not crl_url or crl_url.endswith("/") else f"{crl_url}/"
        pki = Pki(directory, Book(ROOT, url), passphrase)
        pki._write_authority(ROOT, root)
        write(directory / "ca" / f"{ROOT}.pem", root.certificate.public_bytes(Encoding.PEM), PUBLIC)
        pki._write_book(pki.book)


@contextmanager
def opened(directory: Path, passphrase: bytes | None = None) -> Iterator[Pki]:
    """The authority in `directory`, for oneself; Refused, OSError."""
    file = directory / BOOK
    if not file.exists():
        raise Refused(
            f"{directory} holds no authority; make one with: ikegwctl pki --directory {directory} init NAME"
        )
    with alone(directory):
        try:
            book = Book.decode(file.read_bytes())
        except Refused as error:
            raise Refused(f"{file}: {error}") from None
        yield Pki(directory, book, passphrase)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
