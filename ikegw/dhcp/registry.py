"""The numbers of DHCPv4 and DHCPv6, from IANA: those that are used here."""

from enum import IntEnum
from typing import Final

SERVER_PORT4: Final = 67
CLIENT_PORT4: Final = 68
SERVER_PORT6: Final = 547
FOR_EVER: Final = 0xFFFFFFFF
"""A lease time without an end."""


class Message4(IntEnum):
    """DHCP message types (RFC 2132 §9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option4(IntEnum):
    """DHCPv4 options."""

    PAD = 0
    SUBNET_MASK = 1
    ROUTERS = 3
    DNS_SERVERS = 6
    DOMAIN_NAME = 15
    NBNS_SERVERS = 44
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_IDENTIFIER = 54
    PARAMETER_LIST = 55
    MESSAGE = 56
    LARGEST_MESSAGE = 57
    T1 = 58
    T2 = 59
    CLIENT_IDENTIFIER = 61
    AGENT_INFORMATION = 82
    SUBNET_SELECTION = 118
    DOMAIN_SEARCH = 119
    CLASSLESS_ROUTES = 121
    MICROSOFT_ROUTES = 249
    END = 255


class AgentOption(IntEnum):
    """Sub-options of the relay agent information (RFC 3046, 3527)."""

    CIRCUIT_ID = 1
    REMOTE_ID = 2
    LINK_SELECTION = 5


class Message6(IntEnum):
    """DHCPv6 message types (RFC 8415 §7.3)."""

    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    RELAY_FORWARD = 12
    RELAY_REPLY = 13


class Option6(IntEnum):
    """DHCPv6 options."""

    CLIENT_IDENTIFIER = 1
    SERVER_IDENTIFIER = 2
    IA_NA = 3
    IA_ADDRESS = 5
    OPTION_REQUEST = 6
    ELAPSED_TIME = 8
    RELAY_MESSAGE = 9
    STATUS_CODE = 13
    INTERFACE_ID = 18
    DNS_SERVERS = 23
    DOMAIN_LIST = 24
    SUBSCRIBER_ID = 38


class Status6(IntEnum):
    """DHCPv6 status codes (RFC 8415 §21.13)."""

    SUCCESS = 0
    UNSPECIFIED_FAILURE = 1
    NO_ADDRESSES_AVAILABLE = 2
    NO_BINDING = 3
    NOT_ON_LINK = 4
    USE_MULTICAST = 5
