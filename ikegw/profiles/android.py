"""strongSwan's app for Android: a profile in JSON (.sswan). The client that Android brings along imports none."""

import json
from base64 import b64encode
from typing import Any

from ikegw.profiles.strongswan import proposal
from ikegw.profiles.wanted import File, Login, Profile, Wanted

TYPES = {
    Login.CERTIFICATE: "ikev2-cert",
    Login.PASSWORD: "ikev2-eap",
    Login.EAP_TLS: "ikev2-eap-tls",
    Login.CERTIFICATE_AND_PASSWORD: "ikev2-cert-eap",
}


def profile(wanted: Wanted) -> Profile:
    """The .sswan file."""
    remote: dict[str, Any] = {"addr": wanted.server, "id": wanted.server_identity}
    if wanted.root is not None:
        remote["cert"] = b64encode(wanted.root.der).decode()
    local: dict[str, Any] = {}
    if wanted.login.by_certificate:
        local["id"] = wanted.user
        if wanted.container is not None:
            local["p12"] = b64encode(wanted.container).decode()
    if wanted.login.by_password:
        local["eap_id"] = wanted.user
        if wanted.password is not None:
            local["shared_secret"] = wanted.password
    whole: dict[str, Any] = {
        "uuid": wanted.uuid(),
        "name": wanted.title,
        "type": TYPES[wanted.login],
        "remote": remote,
        "local": local,
        "ike-proposal": proposal(wanted.ike[0]),
        "esp-proposal": proposal(wanted.esp[0]),
    }
    if wanted.networks:
        whole["split-tunneling"] = {"subnets": [str(network) for network in wanted.networks]}
    text = json.dumps(whole, indent=2, ensure_ascii=False)
    secret = "p12" in local or "shared_secret" in local
    steps = ["install the app strongSwan VPN Client, then open the file with it (or: ⋮, Import VPN profile)"]
    if "p12" in local:
        steps.append("it asks for the password of the .p12 file")
    return Profile((File(f"{wanted.file_name}.sswan", f"{text}\n".encode(), secret),), steps)
