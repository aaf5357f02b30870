"""A child's script: made into a value, and what keeps it from being run."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ikegw.config.problems import Problem
from ikegw.config.reading import Section
from ikegw.policy.updown import Script


def check_script(child: Section) -> Iterator[Problem]:
    """Every problem of a child's three keys."""
    if not child.whole("updown", "updown_timeout", "updown_required"):
        return
    if child["updown"] is None:
        if child["updown_required"]:
            yield child.problem(
                "updown_required", "there is no updown that could be; write its path, or leave it out"
            )
        return
    why = _unusable(Path(child["updown"]))
    if why:
        yield child.problem("updown", why)
    if not child["updown_timeout"]:
        yield child.problem("updown_timeout", "it would be killed at once; make it longer")


def _unusable(path: Path) -> str:
    try:
        found = path.stat()
    except OSError as error:
        return f"{path}: {error.strerror}; put the program there, or correct the path"
    if not stat.S_ISREG(found.st_mode) or not os.access(path, os.X_OK):
        return f"{path} is no file that can be run; chmod +x it, or correct the path"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others than its owner may write to {path}, and so have anything done; chmod go-w it"
    return ""


def build_script(child: Section) -> Script | None:
    """Its script, None if there is none."""
    if child["updown"] is None:
        return None
    return Script(str(child["updown"]), child["updown_timeout"], child["updown_required"])
