"""The directions of docs/architecture.md's table: who may import whom, and what of Twisted."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ikegw"
FILES = sorted(PACKAGE.rglob("*.py"))

VALUES = {"paths", "session", "events"}
PURE = {"wire", "crypto", "policy", "machines", "gate", "config", "pki", "profiles"}
SPINE = {"ports", "ike", "auth"}
DOORS = {
    "net",
    "addresses",
    "dataplane",
    "control",
    "radius",
    "eap",
    "dhcp",
    "download",
    "metrics",
    "programs",
    "web",
}

OURS = (
    dict.fromkeys(VALUES, VALUES | {"wire"})
    | {"wire": set[str](), "machines": set[str](), "pki": set[str](), "crypto": {"wire"}}
    | dict.fromkeys(("policy", "gate"), VALUES | {"wire", "crypto"})
    | {"profiles": {"config", "crypto", "policy", "wire"}}
    | {"config": VALUES | {"wire", "crypto", "policy"}}
    | dict.fromkeys(SPINE, VALUES | PURE | SPINE)
    | dict.fromkeys(DOORS, VALUES | PURE | {"ports"})
    | {"control": VALUES | PURE | {"ports", "auth"}}  # `ikegwctl check` reads credentials as the gateway does
    | {"service": VALUES | PURE | SPINE | DOORS, "testing": VALUES | PURE | SPINE | DOORS}
)
SPINES_TWISTED = (
    "twisted.internet.defer.",
    "twisted.internet.interfaces.",
    "twisted.internet.threads.",
    "twisted.logger.",
    "twisted.python.failure.",
)


def imports_of(file: Path) -> set[str]:
    """Every module or name that the file imports, wholly written: `twisted.internet.reactor`, `ikegw.paths.Path`."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are written wholly"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_keep_to_the_floors(file: Path) -> None:
    room, imports = room_of(file), imports_of(file)
    if room == "__init__":
        assert not imports
        return
    ours = {name.split(".")[1] for name in imports if name.startswith("ikegw.")}
    allowed = OURS[room] | {room} | ({"__version__"} if room in DOORS | SPINE | {"service"} else set())
    assert ours <= allowed, f"{room} must not import {ours - allowed}"
    twisted = {name for name in imports if name.startswith("twisted.")}
    if room in VALUES | PURE:
        assert not twisted
    elif room in SPINE:
        assert {name for name in twisted if not f"{name}.".startswith(SPINES_TWISTED)} == set()
    if room != "service":
        assert "twisted.internet.reactor" not in twisted


def test_every_room_stands_on_a_floor() -> None:
    assert {room_of(file) for file in FILES} - {"__init__"} <= set(OURS)


def test_no_file_has_a_name_that_says_nothing() -> None:
    names = {file.stem for file in FILES} | {file.parent.name for file in FILES}
    assert not names & {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def test_test_files_have_names_of_their_own():
    """pytest imports them by their names alone."""
    names = Counter(file.name for file in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
