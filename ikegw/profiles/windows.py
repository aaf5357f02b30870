"""Windows 10 and 11: a PowerShell script that makes the connection with its built-in client."""

from base64 import b64encode
from typing import Final

from ikegw.policy.identities import parse_identity
from ikegw.profiles.suites import Dialect, esp_suite, ike_suite
from ikegw.profiles.wanted import File, Login, NotPossible, Profile, Wanted

IKE: Final = Dialect(
    "Windows",
    {
        "aes256gcm16": "GCMAES256",
        "aes128gcm16": "GCMAES128",
        "aes256": "AES256",
        "aes192": "AES192",
        "aes128": "AES128",
    },
    {"sha384": "SHA384", "sha256": "SHA256", "sha1": "SHA1"},
    {"ecp384": "ECP384", "ecp256": "ECP256", "modp2048": "Group14"},
)
ESP: Final = Dialect(
    "Windows",
    {**IKE.encryptions, "aes192gcm16": "GCMAES192"},
    {"sha256": "SHA256128", "sha1": "SHA196"},
    {"ecp384": "ECP384", "ecp256": "ECP256", "modp2048": "PFS2048"},
)
"""Of ESP: -CipherTransformConstants, -AuthenticationTransformConstants, -PfsGroup."""
_ITSELF: Final = parse_identity("192.0.2.1")


def profile(wanted: Wanted) -> Profile:
    """The script; NotPossible."""
    wanted.refuse_two_logins("Windows")
    if wanted.login is not Login.CERTIFICATE and not wanted.welcome.matches(_ITSELF):
        raise NotPossible(
            f"Windows calls itself by its address in an EAP login, which connections.{wanted.connection}.remote.id "
            f"({wanted.welcome}) does not let in; leave remote.id out"
        )
    lines = [
        f"# VPN to {_comment(wanted.server)} for {_comment(wanted.user)}. Run it in PowerShell as administrator.",
        "#Requires -RunAsAdministrator",
        "$ErrorActionPreference = 'Stop'",
        f"$name = {quoted(wanted.title)}",
        *_authority(wanted),
        *_certificate(wanted),
        *_connection(wanted),
        *(
            f"Add-VpnConnectionRoute -ConnectionName $name -DestinationPrefix {quoted(str(network))} -PassThru | Out-Null"
            for network in wanted.networks
        ),
        'Write-Host "$name is ready: Settings, Network, VPN."',
    ]
    file = File(
        f"{wanted.file_name}.ps1",
        ("\r\n".join(lines) + "\r\n").encode("utf-8-sig"),
        wanted.container is not None,
    )
    steps = [f"in PowerShell as administrator: powershell -ExecutionPolicy Bypass -File {file.name}"]
    if wanted.login.by_certificate:
        steps.append("it asks for the password of the .p12 file")
    if wanted.login is Login.CERTIFICATE:
        steps.append('Windows signs with SHA-1: the connection needs remote.weak = ["sha1"]')
    return Profile((file,), steps)


def quoted(text: str) -> str:
    """A PowerShell string that is taken as it is: it takes typographic quotation marks for its own."""
    for mark in "'\u2018\u2019\u201a\u201b":
        text = text.replace(mark, mark * 2)
    return f"'{text}'"


def _comment(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _file(octets: bytes, variable: str) -> list[str]:
    return [
        f"${variable} = New-TemporaryFile",
        f"[IO.File]::WriteAllBytes(${variable}, [Convert]::FromBase64String('{b64encode(octets).decode()}'))",
    ]


def _authority(wanted: Wanted) -> list[str]:
    if wanted.root is None:
        return []
    return [
        *_file(wanted.root.der, "authority"),
        "Import-Certificate -FilePath $authority -CertStoreLocation Cert:\\LocalMachine\\Root | Out-Null",
        "Remove-Item $authority",
    ]


def _certificate(wanted: Wanted) -> list[str]:
    if not wanted.login.by_certificate:
        return []
    container = wanted.need_container()
    store = "LocalMachine" if wanted.login is Login.CERTIFICATE else "CurrentUser"
    return [
        *_file(container, "container"),
        f"$password = Read-Host -AsSecureString {quoted(f'Password of the .p12 file of {wanted.user}')}",
        "try {",
        f"    Import-PfxCertificate -FilePath $container -CertStoreLocation Cert:\\{store}\\My -Password $password | Out-Null",
        "} finally { Remove-Item $container }",
    ]


def _connection(wanted: Wanted) -> list[str]:
    where = f"connections.{wanted.connection}"
    ike = ike_suite(IKE, wanted.ike, f"{where}.proposals")
    esp = esp_suite(ESP, wanted.esp, f"{where}: esp_proposals")
    cipher = ESP.encryptions[esp.encryption]
    authentication = ESP.hashes[esp.hash] if esp.hash else cipher
    method = {
        Login.CERTIFICATE: "MachineCertificate",
        Login.PASSWORD: "Eap",
        Login.EAP_TLS: "Eap -EapConfigXmlStream (New-EapConfiguration -Tls -UserCertificate).EapConfigXmlStream",
    }[wanted.login]
    split = " -SplitTunneling" if wanted.networks else ""
    suffix = f" -DnsSuffix {quoted(wanted.domains[0])}" if wanted.domains else ""
    return [
        "if (Get-VpnConnection -Name $name -ErrorAction SilentlyContinue) { Remove-VpnConnection -Name $name -Force }",
        f"Add-VpnConnection -Name $name -ServerAddress {quoted(wanted.server)} -TunnelType Ikev2 -AuthenticationMethod {method}"
        f" -EncryptionLevel Required -RememberCredential{split}{suffix} -Force",
        f"Set-VpnConnectionIPsecConfiguration -ConnectionName $name -EncryptionMethod {IKE.encryptions[ike.encryption]}"
        f" -IntegrityCheckMethod {IKE.hashes[ike.hash]} -DHGroup {IKE.groups[ike.group]} -CipherTransformConstants {cipher}"
        f" -AuthenticationTransformConstants {authentication} -PfsGroup {ESP.groups[esp.group] if esp.group else 'None'} -Force",
    ]
