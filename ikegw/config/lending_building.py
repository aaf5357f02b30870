"""Pools and stores that hold no problem, made into values."""

from pathlib import Path

from ikegw.config.lending import Lending, Pool, Reserved, StoreSettings
from ikegw.config.reading import Section


def build_pool(section: Section) -> Pool:
    """One pool."""
    return Pool(
        section.path[-1],
        tuple(section["addrs"]),
        tuple(section["dns"]),
        tuple(section["subnet"]),
        tuple(section["nbns"]),
        tuple(section["domains"]),
        tuple(section["exclude"]),
        tuple(_reserved(one) for one in section.named["reservations"].values()),
        section["quarantine"],
        section["store"],
    )


def _reserved(section: Section) -> Reserved:
    return Reserved(section.path[-1], tuple(section["addrs"]), tuple(section["id"]), tuple(section["groups"]))


def build_lending(addresses: Section) -> Lending:
    """What holds for all providers."""
    return Lending(addresses["provider_timeout"])


def build_store(store: Section, secret: Section, state: Path) -> StoreSettings:
    """Where is kept who has which address; `state` is the directory of all that is kept."""
    path = store["path"] or state / "addresses.db"
    return StoreSettings(path, secret["dsn"] or "", store["reclaim_time"], store["connections"])
