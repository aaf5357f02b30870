"""The sections of EAP, made into `EapSettings`."""

from ikegw.config.eap import EapSettings, EapUser
from ikegw.config.reading import Section


def build_eap(eap: Section, secrets: dict[str, Section]) -> EapSettings:
    """The settings; every section must be whole."""
    return EapSettings(
        tuple(dict.fromkeys(eap["methods"])),
        tuple(eap["certs"]),
        tuple(eap["cacerts"]),
        eap["revocation"],
        eap["user_failures"],
        eap["address_failures"],
        eap["failure_time"],
        tuple(
            EapUser(section.path[-1], names_of(section), section["secret"]) for section in secrets.values()
        ),
    )


def names_of(section: Section) -> tuple[str, ...]:
    """Whose password it is."""
    return tuple(section["id"]) or (section.path[-1],)
