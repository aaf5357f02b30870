"""Is a certificate that of the EAP server that we mean to log in at? (RFC 5216 §5.2, RFC 9190 §2.2, RFC 9525)"""

from ipaddress import ip_address

from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address


def problem_with_name(certificate: x509.Certificate, name: str) -> str:
    """Empty if the certificate's subjectAltName says `name`, a DNS name or an address; else a sentence."""
    try:
        try:
            verify_certificate_ip_address(certificate, str(ip_address(name)))
        except ValueError:
            verify_certificate_hostname(certificate, name)
    except (VerificationError, CertificateError, ValueError):
        return (
            f"the EAP server's certificate ({certificate.subject.rfc4514_string()}) is not that of {name!r}: "
            "its subjectAltName says otherwise; correct aaa_id, or the server's certificate"
        )
    return ""
