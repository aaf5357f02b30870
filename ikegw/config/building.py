"""Sections that hold no problem, made into the frozen `Config`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from ikegw.config.accounting import AccountingSettings
from ikegw.config.capture import CaptureSettings
from ikegw.config.coa_rules import build_coa
from ikegw.config.dhcp import InformSettings
from ikegw.config.dhcp_building import build_dhcp
from ikegw.config.download_rules import build_authority, build_downloads
from ikegw.config.eap_building import build_eap
from ikegw.config.groups_rules import build_groups
from ikegw.config.lending_building import build_lending, build_pool, build_store
from ikegw.config.radius_building import build_radius
from ikegw.config.reading import Section
from ikegw.config.resolver import ResolverSettings
from ikegw.config.rounds_rules import build_local, build_second_local, build_second_remote
from ikegw.config.settings import (
    Config,
    Control,
    DataPlaneSettings,
    Directories,
    GateLimits,
    Listen,
    Logging,
    Network,
    Passphrase,
    SharedKey,
)
from ikegw.config.shunt_rules import build_shunt
from ikegw.config.updown_rules import build_script
from ikegw.config.web_rules import build_web
from ikegw.policy.carriage import Carriage
from ikegw.policy.connections import ChildPolicy, Connection, OcspUse, RemoteAuth, Retransmit
from ikegw.policy.demands import Demands

T = TypeVar("T")


def build(root: Section, path: Path, directories: Directories) -> Config:
    """The configuration; every section must be whole."""
    listen, plane, limits = root.tables["listen"], root.tables["data_plane"], root.tables["limits"]
    log, state = root.tables["log"], root.tables["state"]["directory"]
    return Config(
        path,
        directories,
        Listen(tuple(listen["addresses"]), tuple(listen["interfaces"]), listen["port"], listen["nat_t_port"]),
        DataPlaneSettings(plane["kind"], plane["tun"], plane["mtu"]),
        GateLimits(
            limits["cookie_threshold"],
            limits["cookie_threshold_ip"],
            limits["block_threshold"],
            limits["half_open"],
            limits["half_open_timeout"],
        ),
        Logging(log["level"], log["states"]),
        Control(root.tables["control"]["socket"], root.tables["control"]["group"]),
        build_web(root.tables["web"]),
        tuple(
            _connection(section, limits["half_open_timeout"], root.named["groups"])
            for section in root.named["connections"].values()
        ),
        tuple(map(build_pool, root.named["pools"].values())),
        tuple(_shared_key(section) for section in root.tables["secrets"].named["ike"].values()),
        build_radius(root.tables["radius"], root.tables["secrets"].named["radius"]),
        build_eap(root.tables["eap"], root.tables["secrets"].named["eap"]),
        _accounting_settings(root.tables["accounting"], state),
        tuple(map(build_dhcp, root.named["dhcp"].values())),
        InformSettings(root.tables["inform"]["address"]),
        build_lending(root.tables["addresses"]),
        build_store(root.tables["store"], root.tables["secrets"].tables["store"], state),
        build_coa(root.tables["coa"], root.tables["secrets"].named["coa"]),
        build_downloads(root.tables["downloads"], state),
        tuple(map(build_authority, root.named["authorities"].values())),
        shunts=tuple(map(build_shunt, root.named["shunts"].values())),
        resolver=ResolverSettings(root.tables["resolver"]["kind"]),
        capture=_capture(root.tables["capture"]),
        passphrases=tuple(
            Passphrase(section.path[-1], section["file"], section["secret"])
            for section in root.tables["secrets"].named["private"].values()
        ),
    )


def _connection(section: Section, half_open_seconds: float, groups: dict[str, Section]) -> Connection:
    local, remote = section.tables["local"], section.tables["remote"]
    return Connection(
        name=section.path[-1],
        local=build_local(local, ocsp_replies=section["ocsp"] in (OcspUse.REPLY, OcspUse.BOTH)),
        remote=RemoteAuth(
            remote["auth"],
            remote["id"],
            tuple(remote["cacerts"]),
            tuple(remote["certs"]),
            remote["eap_identity"],
            remote["revocation"],
            remote["hash_and_url"],
            section["ocsp"] in (OcspUse.REQUEST, OcspUse.BOTH),
            Demands(tuple(remote["pinned"]), tuple(remote["cert_policy"]), frozenset(remote["weak"])),
        ),
        children=tuple(_child(child) for child in section.named["children"].values()),
        proposals=_flat(section["proposals"]),
        local_addresses=_networks(section["local_addrs"]),
        remote_addresses=_networks(section["remote_addrs"]),
        remote_port=section["remote_port"],
        remote_nat_t_port=section["remote_nat_t_port"],
        pools=tuple(section["pools"]),
        domains=tuple(section["domains"]),
        aaa=section["aaa"] or "",
        accounting=_accounting(section),
        virtual=tuple(section["vips"]),
        address_expiry=section["address_expiry"],
        nat_traversal=section["nat_traversal"],
        force_encapsulation=section["encap"],
        mobike=section["mobike"],
        return_routability=section["return_routability"],
        fragmentation=section["fragmentation"],
        unique=section["unique"],
        send_certificate=section["send_cert"],
        keep_ike=section["keep_ike"],
        tries=section["keyingtries"],
        retransmit=Retransmit(
            section["retransmit_timeout"],
            section["retransmit_base"],
            section["retransmit_tries"],
            section["retransmit_jitter"],
            section["retransmit_limit"],
        ),
        half_open_seconds=half_open_seconds
        if section["half_open_timeout"] is None
        else section["half_open_timeout"],
        window=section["window"],
        dpd_seconds=section["dpd_delay"],
        keepalive_seconds=section["keep_alive"],
        rekey_seconds=section["rekey_time"],
        over_seconds=section["over_time"],
        jitter_seconds=section["rand_time"],
        reauth_seconds=section["reauth_time"],
        groups=build_groups(section, groups),
        second_local=build_second_local(section.tables["local-2"]),
        second_remote=build_second_remote(section.tables["remote-2"]),
    )


def _capture(capture: Section) -> CaptureSettings:
    return CaptureSettings(capture["allowed"], capture["seconds"], capture["bytes"])


def _accounting_settings(accounting: Section, state: Path) -> AccountingSettings:
    return AccountingSettings(
        accounting["directory"] or state,
        accounting["interim_time"],
        accounting["counts_time"],
        accounting["keep_time"],
    )


def _accounting(section: Section) -> str:
    realm = section["accounting"] or section["aaa"] or ""
    return "" if realm in ("none", "local") else str(realm)


def _child(section: Section) -> ChildPolicy:
    return ChildPolicy(
        name=section.path[-1],
        local_selectors=tuple(section["local_ts"]),
        remote_selectors=tuple(section["remote_ts"]),
        proposals=_flat(section["esp_proposals"]),
        start=section["start_action"],
        dpd=section["dpd_action"],
        close=section["close_action"],
        rekey_seconds=section["rekey_time"],
        life_seconds=section["life_time"],
        jitter_seconds=section["rand_time"],
        rekey_octets=section["rekey_bytes"] or None,
        life_octets=_life(section["rekey_bytes"], section["life_bytes"]),
        rekey_packets=section["rekey_packets"] or None,
        life_packets=_life(section["rekey_packets"], section["life_packets"]),
        replay_window=section["replay_window"],
        carriage=Carriage(
            section["mode"],
            section["if_id"],
            section["mark"],
            section["set_mark_out"],
            section["tfc_padding"],
            section["hw_offload"],
        ),
        updown=build_script(section),
    )


def _life(rekey: int, life: int | None) -> int | None:
    return (rekey + rekey // 10 if life is None else life) or None


def _shared_key(section: Section) -> SharedKey:
    return SharedKey(section.path[-1], tuple(section["id"]), section["secret"])


def _flat(parts: Iterable[Iterable[T]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(item for part in parts for item in part))


def _networks(given: list[tuple[Network, ...]]) -> tuple[Network, ...]:
    """All of them together; none, which stands for any, as soon as one of them says any."""
    return _flat(given) if all(given) else ()
