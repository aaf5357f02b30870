"""Whatever stands in the files, the loader gives a Config or a ConfigurationError, and nothing else."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ikegw.config import Config, ConfigurationError, load
from ikegw.config.schema import SCHEMA
from ikegw.config.shape import Key

ETC = Path(__file__).parents[2] / "etc" / "ikegw"
WRITTEN = "".join(
    (ETC / name).read_text()
    for name in (
        "conf.d/roadwarriors.toml",
        "conf.d/site.toml.example",
        "conf.d/eap.toml.example",
        "secrets.d/example.toml",
    )
)
ODD = [
    "true", "0", "-1", "99999999999999999999", "1.5", "nan", "inf", '""', '" "', '"x"', '","', "[]", "[[]]", "[{}]", '[""]',
    "[0]", "{}", "{ x = 1 }", "2026-01-01", "07:32:00", '"0x"', '"%any"', '"*"', '"::/0"', '"0.0.0.0/0-"', '"dynamic["', '"-"',
    '"CN="', '"@#"', '"\\u0000"', '"fd00::1%eth0"', '"' + "a" * 5000 + '"', '["10.0.0.1", "10.0.0.1"]', '"١٢"', '"²s"',
    '"10.0.0.1[tcp/²]"', '"10.0.0.1[²]"',
]  # fmt: skip
KEYS = [(path, key) for path, table in SCHEMA.walk() for key in table.keys]


def outcome(path: Path) -> Config | tuple[str, ...]:
    path.chmod(0o600)
    try:
        return load(path)
    except ConfigurationError as error:
        return tuple(map(str, error.problems))


@pytest.mark.parametrize(
    ("path", "key"), KEYS, ids=lambda part: part.name if isinstance(part, Key) else ".".join(part)
)
def test_every_key_survives_every_kind_of_value(
    write: Callable[..., Path], path: tuple[str, ...], key: Key
) -> None:
    for value in ODD:
        told = outcome(write(f"[{'.'.join(path)}]\n{key.name} = {value}\n"))
        if not isinstance(told, Config):
            assert all("ikegw.toml:" in text for text in told)


def test_a_text_with_any_line_gone_or_any_character_changed(write: Callable[..., Path]) -> None:
    source = random.Random(7)
    lines = WRITTEN.splitlines(keepends=True)
    for index in range(len(lines)):
        outcome(write("".join(lines[:index] + lines[index + 1 :])))
    for _ in range(300):
        at = source.randrange(len(WRITTEN))
        outcome(
            write(
                WRITTEN[:at] + source.choice("\"[]{}=.,#\n\\ 'x0\t\0") + WRITTEN[at + source.randrange(3) :]
            )
        )


def test_deep_nesting_is_an_error_and_no_crash(write: Callable[..., Path]) -> None:
    for text in (
        "x = " + "[" * 100_000,
        "x = " + "[" * 400 + "]" * 400,
        "x." * 5000 + "y = 1",
        "[" + "x." * 3000 + "y]",
    ):
        told = outcome(write(text))
        assert not isinstance(told, Config)
        assert len(told) <= 2
        assert all(len(text) < 500 for text in told)


def test_problems_are_one_line_each(write: Callable[..., Path]) -> None:
    told = outcome(write('"a\\nb" = 1\n[listen]\nport = "x\\ny"\naddresses = "a\\nb"\n'))
    assert not isinstance(told, Config)
    assert len(told) == 3
    assert not any("\n" in text for text in told)
