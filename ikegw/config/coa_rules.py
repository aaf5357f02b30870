"""The section of CoA: made into `CoaSettings`, and what its values must be to each other."""

from collections.abc import Iterator

from ikegw.config.coa import CoaClient, CoaSettings
from ikegw.config.problems import Problem
from ikegw.config.reading import Section


def build_coa(coa: Section, secrets: dict[str, Section]) -> CoaSettings:
    """The settings; every section must be whole."""
    return CoaSettings(
        tuple(coa["addresses"]),
        coa["port"],
        tuple(
            CoaClient(
                name,
                tuple(network for networks in client["addresses"] for network in networks),
                secrets[name]["secret"],
                client["old"],
                client["require_timestamp"],
                client["several"],
            )
            for name, client in coa.named["clients"].items()
        ),
    )


def check_coa(coa: Section, secrets: dict[str, Section], incomplete: bool) -> Iterator[Problem]:
    """Every problem of clients and their secrets. Incomplete: what is missing may be in a file that could not be read."""
    clients = coa.named["clients"]
    for name, client in clients.items():
        if name not in secrets and not incomplete:
            text = f"it has no secret: write [secrets.coa.{name}] with secret into a file in secrets.d/"
            yield client.problem("addresses", text)
        if client.whole("addresses") and not all(client["addresses"] or [()]):
            text = "anybody, and none, is nobody's address: name the addresses of your RADIUS servers"
            yield client.problem("addresses", text)
    for name, secret in secrets.items():
        if name not in clients and not incomplete:
            known = f"known are {', '.join(sorted(clients))}" if clients else "there are none at all"
            yield secret.problem("secret", f"there is no CoA client {name!r}: {known}")
