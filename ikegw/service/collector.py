"""How often Python's cyclic garbage collector looks: for a process that holds thousands of IKE SAs, much less than by default."""

import gc

NEW_OBJECTS = 20_000
"""Some two hundred logins' worth, a megabyte of garbage at most; by default a collection comes every few logins."""


def collect_seldom() -> None:
    """Leave out of every collection what is there now, and collect when enough is new.

    By default a tenth to a fifth of a login's time went into looking through what lives on anyway.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 20)
