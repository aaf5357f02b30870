"""OpenSSL's OCSP responder for one authority: `openssl ocsp` with an index of what it issued."""

from collections.abc import Iterable
from pathlib import Path

from attrs import define, field
from cryptography.hazmat.primitives.serialization import Encoding

from ikegw.testing.pki import Authority, Party
from laboratory.namespaces import Namespace
from laboratory.processes import Daemon

PORT = 8888


@define
class OcspResponder:
    """One responder, in `place` at any address of it. `signer` answers in the authority's place, if there is one."""

    name: str
    place: Namespace
    directory: Path
    authority: Authority
    signer: Party | None = None
    daemon: Daemon = field(init=False)

    @daemon.default
    def _daemon(self) -> Daemon:
        there = self.directory
        command = (
            "openssl", "ocsp", "-port", str(PORT), "-index", str(there / "index.txt"), "-CA", str(there / "ca.pem"),
            "-rsigner", str(there / "signer.pem"), "-rkey", str(there / "signer.key"), "-nmin", "5",
        )  # fmt: skip
        return Daemon(f"OCSP responder {self.name}", self.place.within(*command), there / "ocsp.log")

    def start(self, good: Iterable[Party], revoked: Iterable[Party] = ()) -> None:
        """Write down what the authority issued and revoked, and answer."""
        self.directory.mkdir(parents=True, exist_ok=True)
        signer = self.signer or self.authority
        for name, certificate in (("ca.pem", self.authority.certificate), ("signer.pem", signer.certificate)):
            (self.directory / name).write_bytes(certificate.public_bytes(Encoding.PEM))
        key = self.directory / "signer.key"
        key.touch(mode=0o600)
        key.write_bytes(Party(signer.certificate, signer.key).private_pem)
        lines = [_line(party, is_revoked=False) for party in good]
        lines += [_line(party, is_revoked=True) for party in revoked]
        (self.directory / "index.txt").write_text("".join(lines))
        since = self.daemon.mark()
        self.daemon.start()
        self.daemon.wait_for("waiting for OCSP client connections", since=since)

    def stop(self) -> None:
        """Stop it."""
        self.daemon.stop()


def _line(party: Party, *, is_revoked: bool) -> str:
    """A line of the index of `openssl ca`: state, end, time of revocation and its reason, serial, file, subject."""
    certificate = party.certificate
    end = f"{certificate.not_valid_after_utc:%y%m%d%H%M%SZ}"
    since = f"{certificate.not_valid_before_utc:%y%m%d%H%M%SZ},keyCompromise" if is_revoked else ""
    serial = f"{certificate.serial_number:X}"
    state = "R" if is_revoked else "V"
    return (
        "\t".join((state, end, since, serial.zfill(len(serial) + len(serial) % 2), "unknown", "/CN=x")) + "\n"
    )
