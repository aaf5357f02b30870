"""iOS, iPadOS, macOS: a configuration profile (.mobileconfig), as Apple's Device Management documents it."""

import plistlib
from typing import Any, Final

from ikegw.profiles.suites import Dialect, Suite, esp_suite, ike_suite
from ikegw.profiles.wanted import File, Login, NotPossible, Profile, Wanted

DIALECT: Final = Dialect(
    "an Apple profile",
    {
        "aes256gcm16": "AES-256-GCM",
        "aes128gcm16": "AES-128-GCM",
        "chacha20poly1305": "ChaCha20Poly1305",
        "aes256": "AES-256",
        "aes128": "AES-128",
    },
    {"sha256": "SHA2-256", "sha384": "SHA2-384", "sha512": "SHA2-512", "sha1": "SHA1-96"},
    {
        "ecp256": "19",
        "ecp384": "20",
        "ecp521": "21",
        "modp2048": "14",
        "modp3072": "15",
        "modp4096": "16",
        "x25519": "31",
    },
)
KEYS: Final = {"rsa": "RSA", "ecdsa256": "ECDSA256", "ecdsa384": "ECDSA384", "ecdsa521": "ECDSA521"}


def profile(wanted: Wanted) -> Profile:
    """The .mobileconfig; NotPossible."""
    wanted.refuse_two_logins("an Apple profile")
    if "=" in wanted.server_identity:
        raise NotPossible(
            "Apple's clients send distinguished names as if they were DNS names; give local.id a DNS name"
        )
    payloads = [_vpn(wanted)]
    if wanted.container is not None:
        payloads.append(
            _payload(wanted, "client", "com.apple.security.pkcs12", PayloadContent=wanted.container)
        )
    if wanted.root is not None:
        payloads.append(_payload(wanted, "ca", "com.apple.security.root", PayloadContent=wanted.root.der))
    whole = _payload(
        wanted,
        "",
        "Configuration",
        PayloadDisplayName=wanted.title,
        PayloadDescription=f"VPN to {wanted.server} for {wanted.user}",
        PayloadRemovalDisallowed=False,
        PayloadContent=payloads,
    )
    file = File(f"{wanted.file_name}.mobileconfig", plistlib.dumps(whole), wanted.container is not None)
    steps = ["open it on the device; on iPhone and iPad then Settings, Profile Downloaded, Install"]
    if wanted.login.by_certificate:
        steps.append("it asks for the password of the .p12 file")
        steps.append(
            f"the key in the .p12 file must be of the kind {wanted.key}; if it is another, say --key"
        )
    return Profile((file,), steps)


def _vpn(wanted: Wanted) -> dict[str, Any]:
    where = f"connections.{wanted.connection}"
    ike = ike_suite(DIALECT, wanted.ike, f"{where}.proposals")
    esp = esp_suite(DIALECT, wanted.esp, f"{where}: esp_proposals")
    settings: dict[str, Any] = {
        "RemoteAddress": wanted.server,
        "RemoteIdentifier": wanted.server_identity,
        "LocalIdentifier": wanted.user if wanted.login is not Login.PASSWORD or "@" in wanted.user else "",
        "AuthenticationMethod": "Certificate",
        "ExtendedAuthEnabled": int(wanted.login is not Login.CERTIFICATE),
        "DeadPeerDetectionRate": "Medium",
        "DisableMOBIKE": 0,
        "EnablePFS": int(bool(esp.group)),
        "UseConfigurationAttributeInternalIPSubnet": int(bool(wanted.networks)),
        "IKESecurityAssociationParameters": _parameters(ike),
        "ChildSecurityAssociationParameters": _parameters(esp, ike),
    }
    if wanted.login.by_certificate:
        settings |= _certificate(wanted)
    else:
        settings["AuthName"] = wanted.user
        if wanted.password is not None:
            settings["AuthPassword"] = wanted.password
    if wanted.issuer and (
        "CertificateType" in settings or (wanted.root is not None and wanted.root.is_direct)
    ):
        settings["ServerCertificateIssuerCommonName"] = wanted.issuer  # has it ask for our certificate
    return _payload(
        wanted,
        "vpn",
        "com.apple.vpn.managed",
        UserDefinedName=wanted.title,
        VPNType="IKEv2",
        IKEv2=settings,
    )


def _certificate(wanted: Wanted) -> dict[str, Any]:
    wanted.need_container()
    if wanted.key not in KEYS:
        raise NotPossible(f"Apple's clients take keys of these kinds: {', '.join(KEYS)}")
    # The type goes with ServerCertificateIssuerCommonName only; RSA is what it is without one
    kind = {} if wanted.key == "rsa" else {"CertificateType": KEYS[wanted.key]}
    return {"PayloadCertificateUUID": wanted.uuid("client").upper(), **kind}


def _parameters(suite: Suite, ike: Suite | None = None) -> dict[str, Any]:
    """Of a combined cipher the integrity algorithm is only what IKE takes its PRF from; the group is always looked for."""
    hash_ = suite.hash or (ike.hash if ike else "sha256")
    group = suite.group or (ike.group if ike else "")
    return {
        "EncryptionAlgorithm": DIALECT.encryptions[suite.encryption],
        "IntegrityAlgorithm": DIALECT.hashes[hash_],
        "DiffieHellmanGroup": int(DIALECT.groups[group]),
        "LifeTimeInMinutes": 1440,
    }


def _payload(wanted: Wanted, part: str, kind: str, **content: Any) -> dict[str, Any]:
    reversed_name = ".".join(reversed(wanted.server.split(".")))
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{reversed_name}.ikegw.{wanted.connection}{'.' if part else ''}{part}",
        "PayloadUUID": wanted.uuid(part).upper(),
        **content,
    }
