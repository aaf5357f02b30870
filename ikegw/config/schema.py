"""The table of all keys: from it files are read, problems are told, and the reference is written.

Names are swanctl's where swanctl has one.
"""

from typing import Final

from ikegw.config.shape import Table
from ikegw.config.tables.accounting import ACCOUNTING
from ikegw.config.tables.capture import CAPTURE
from ikegw.config.tables.coa import COA
from ikegw.config.tables.connections import CONNECTION
from ikegw.config.tables.dhcp import DHCP, INFORM
from ikegw.config.tables.downloads import AUTHORITY, DOWNLOADS
from ikegw.config.tables.eap import EAP
from ikegw.config.tables.gateway import CONTROL, DATA_PLANE, LIMITS, LISTEN, LOG
from ikegw.config.tables.groups import GROUP
from ikegw.config.tables.pools import ADDRESSES, POOL, STORE
from ikegw.config.tables.radius import RADIUS
from ikegw.config.tables.resolver import RESOLVER
from ikegw.config.tables.secrets import SECRETS
from ikegw.config.tables.shunts import SHUNT
from ikegw.config.tables.state import STATE
from ikegw.config.tables.web import WEB

SCHEMA: Final = Table(
    "",
    "",
    (),
    (
        LISTEN,
        DATA_PLANE,
        LIMITS,
        LOG,
        CONTROL,
        CAPTURE,
        STATE,
        WEB,
        EAP,
        CONNECTION,
        SHUNT,
        RESOLVER,
        GROUP,
        POOL,
        ADDRESSES,
        STORE,
        DHCP,
        INFORM,
        RADIUS,
        ACCOUNTING,
        COA,
        AUTHORITY,
        DOWNLOADS,
        SECRETS,
    ),
)

NOT_OURS: Final = {
    "local_port": "our port is listen.port; leave it out",
    "version": "ikegw speaks IKEv2 only; leave it out",
    "aggressive": "that is IKEv1; leave it out",
    "if_id_in": "write if_id, which is for both directions",
    "if_id_out": "write if_id, which is for both directions",
    "mark_in": "write mark, which is for both directions",
    "mark_out": "write mark, which is for both directions",
    "local-1": "the first round of authentication is local, the second local-2",
    "remote-1": "the first round of authentication is remote, the second remote-2",
    "local-3": "there are two rounds of authentication at most; leave it out",
    "remote-3": "there are two rounds of authentication at most; leave it out",
    "round": "the table's name says which round it is: local, then local-2; leave it out",
    "file": "keys and certificates are found in their directories by themselves",
    "ipcomp": "compression is not supported; leave it out",
    "hostaccess": "firewall rules are yours to make; leave it out",
}
"""What operators know from elsewhere, and what to do about it here."""
