"""NetworkManager with its strongSwan plug-in: a connection as a key file (.nmconnection)."""

from collections.abc import Iterator, Mapping

from ikegw.profiles.strongswan import proposal
from ikegw.profiles.wanted import File, Login, Profile, Wanted

DIRECTORY = "/etc/NetworkManager/system-connections"
CERTIFICATES = "/etc/ssl/ikegw"
METHODS = {Login.CERTIFICATE: "cert", Login.PASSWORD: "eap", Login.EAP_TLS: "eap-tls"}


def profile(wanted: Wanted) -> Profile:
    """The key file, and the authority's certificate that it names; NotPossible."""
    wanted.refuse_two_logins("NetworkManager")
    name = wanted.file_name
    sections: dict[str, Mapping[str, str]] = {
        "connection": {"id": wanted.title, "uuid": wanted.uuid(), "type": "vpn", "autoconnect": "false"},
        "vpn": _vpn(wanted),
        "ipv4": _family(wanted),
        "ipv6": _family(wanted),
    }
    files = [File(f"{name}.nmconnection", "\n".join(_lines(sections)).encode(), secret=True)]
    steps = [
        "install the plug-in: network-manager-strongswan on Debian",
        f"put {name}.nmconnection into {DIRECTORY}/, root's and mode 0600; then: nmcli connection reload",
    ]
    if wanted.root is not None:
        files.append(File(f"{name}-ca.pem", wanted.root.pem))
        steps.append(f"put {name}-ca.pem into {CERTIFICATES}/")
    if wanted.login.by_certificate:
        steps.append(
            f"put the certificate into {CERTIFICATES}/ as {name}.pem and its key, which stays secret, as {name}.key"
        )
    return Profile(tuple(files), steps)


def _vpn(wanted: Wanted) -> dict[str, str]:
    name = wanted.file_name
    settings = {
        "service-type": "org.freedesktop.NetworkManager.strongswan",
        "address": wanted.server,
        "remote-identity": wanted.server_identity,
        "method": METHODS[wanted.login],
        "virtual": "yes",
        "proposal": "yes",
        "ike": ";".join(map(proposal, wanted.ike)),
        "esp": ";".join(map(proposal, wanted.esp)),
    }
    if wanted.root is not None:
        settings["certificate"] = f"{CERTIFICATES}/{name}-ca.pem"
    if wanted.login.by_certificate:
        settings |= {
            "local-identity": wanted.user,
            "cert-source": "file",
            "usercert": f"{CERTIFICATES}/{name}.pem",
            "userkey": f"{CERTIFICATES}/{name}.key",
        }
    else:
        settings |= {"user": wanted.user, "password-flags": "1"}  # kept by the person's own keyring
    return settings


def _family(wanted: Wanted) -> dict[str, str]:
    search = {"dns-search": "".join(f"{domain};" for domain in wanted.domains)} if wanted.domains else {}
    return {"method": "auto", "never-default": "true" if wanted.networks else "false", **search}


def _lines(sections: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, settings in sections.items():
        yield f"[{name}]"
        yield from (f"{key}={_escaped(value)}" for key, value in settings.items())
        yield ""


def _escaped(text: str) -> str:
    """A string of a key file: what begins with a space, or breaks the line, is written otherwise."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"\\s{escaped[1:]}" if escaped.startswith(" ") else escaped
