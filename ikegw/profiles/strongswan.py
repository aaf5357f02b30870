"""strongSwan's swanctl (charon), on Linux and elsewhere: swanctl.conf, and the files that it names."""

from collections.abc import Iterator, Mapping
from typing import Union

from ikegw.crypto.transforms import NO_GROUP
from ikegw.policy.offers import Offer
from ikegw.profiles.wanted import File, Login, Profile, Wanted

Tree = Mapping[str, Union[str, "Tree"]]


def profile(wanted: Wanted) -> Profile:
    """swanctl's files."""
    name = wanted.file_name
    files = []
    steps = [f"put {name}.conf into /etc/swanctl/conf.d/"]
    if wanted.root is not None:
        files.append(File(f"{name}-ca.pem", wanted.root.pem))
        steps.append(f"put {name}-ca.pem into /etc/swanctl/x509ca/")
    if wanted.login.by_certificate and wanted.container is not None:
        files.append(File(f"{name}.p12", wanted.container, secret=True))
        steps.append(f"put {name}.p12 into /etc/swanctl/pkcs12/; swanctl asks for its password")
    if wanted.login.by_password and wanted.password is None:
        steps.append(f"write the password into {name}.conf, where it says so")
    steps.append(f"swanctl --load-all, then swanctl --initiate --child {wanted.connection}")
    text = "\n".join((*_lines({"connections": {wanted.connection: _connection(wanted)}}), *_secrets(wanted)))
    conf = File(f"{name}.conf", f"{text}\n".encode(), wanted.password is not None)
    return Profile((conf, *files), steps)


def proposal(offer: Offer) -> str:
    """A proposal in charon's words."""
    return "-".join("modpnone" if word == NO_GROUP.name else word for word in str(offer).split("-"))


def _connection(wanted: Wanted) -> Tree:
    remote = {"auth": "pubkey", "id": wanted.server_identity}
    if wanted.root is not None:
        remote["cacerts"] = f"{wanted.file_name}-ca.pem"
    networks = wanted.networks or ("0.0.0.0/0", "::/0")
    child = {
        "remote_ts": ", ".join(map(str, networks)),
        "esp_proposals": ", ".join(map(proposal, wanted.esp)),
    }
    return {
        "version": "2",
        "remote_addrs": wanted.server,
        "vips": "0.0.0.0, ::",
        "proposals": ", ".join(map(proposal, wanted.ike)),
        **_locals(wanted),
        "remote": remote,
        "children": {wanted.connection: child},
    }


def _locals(wanted: Wanted) -> Tree:
    certificate = {"auth": "pubkey", "id": wanted.user}
    password = {"auth": "eap", "id": wanted.user, "eap_id": wanted.user}
    match wanted.login:
        case Login.CERTIFICATE:
            return {"local": certificate}
        case Login.EAP_TLS:
            return {"local": {**password, "auth": "eap-tls"}}
        case Login.CERTIFICATE_AND_PASSWORD:
            return {"local-1": certificate, "local-2": password}
    return {"local": password}


def _secrets(wanted: Wanted) -> Iterator[str]:
    if not wanted.login.by_password:
        return
    secret = {"id": wanted.user, "secret": wanted.password or "…"}
    lines = _lines({"secrets": {f"eap-{wanted.connection}": secret}})
    if wanted.password is not None:
        yield from lines
        return
    yield "# Write the password in place of … and take the # away:"
    yield from (f"# {line}" for line in lines)


def _lines(tree: Tree, depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    for key, value in tree.items():
        if isinstance(value, str):
            yield f"{indent}{key} = {_quoted(value)}"
        else:
            yield f"{indent}{key} {{"
            yield from _lines(value, depth + 1)
            yield f"{indent}}}"


def _quoted(text: str) -> str:
    """A string of strongswan.conf(5)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
