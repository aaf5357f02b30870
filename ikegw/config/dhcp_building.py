"""DHCP servers that hold no problem, made into values."""

from ikegw.config.dhcp import DhcpServers
from ikegw.config.reading import Section


def build_dhcp(section: Section) -> DhcpServers:
    """One `[dhcp.NAME]`."""
    return DhcpServers(
        section.path[-1],
        tuple(dict.fromkeys(section["servers"])),
        section["giaddr"],
        section["link_selection"],
        section["subnet_selection"],
        section["source6"],
        section["link_address"] or section["source6"],
        section["strategy"],
        section["timeout"],
        section["tries"],
        section["renewal_tries"],
        section["lease_time"] or None,
        section["lease_per"],
        section["client_id"],
        section["circuit_id"],
        section["remote_id"],
        section["port"],
        section["server_port"],
        section["port6"],
        section["server_port6"],
    )
