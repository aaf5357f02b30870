"""What the pages for operators show as configuration is configuration: every key is known and every value makes sense."""

import re
from pathlib import Path

import pytest

from ikegw.config import reading, rules, sources
from ikegw.config.loading import directories_beside

TOP = Path(__file__).parents[2]
PAGES = sorted((*(TOP / "docs").glob("*.md"), TOP / "README.md"))
EXAMPLES = [
    pytest.param(example, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, example in enumerate(
        re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.M), 1
    )
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_sound(example: str, tmp_path: Path) -> None:
    """It may leave out what stands elsewhere on its page: the pools, servers and secrets that it names."""
    main = tmp_path / "ikegw.toml"
    main.touch()
    for directory in ("certs", "ca", "crl", "private", "secrets.d"):
        (tmp_path / directory).mkdir()
        for name in re.findall(r'"([\w.-]+\.(?:pem|p12|crl))"', example):
            (tmp_path / directory / name).touch()
    for script in re.findall(r'updown = "/etc/ikegw/(\w+)"', example):
        (tmp_path / script).touch(mode=0o755)
        example = example.replace(f"/etc/ikegw/{script}", str(tmp_path / script))
    file = tmp_path / "secrets.d" / "example.toml"
    file.write_text(example)
    file.chmod(0o600)

    found = sources.read(main)
    read = reading.read(found.tree)
    wrong = [
        *found.problems,
        *read.problems,
        *rules.check(read.root, directories_beside(main), incomplete=True),
    ]

    assert found.tree, "nothing was read"
    assert [str(problem) for problem in wrong] == []


def test_every_page_is_in_the_index() -> None:
    index = (TOP / "docs" / "README.md").read_text()
    missing = [page.name for page in PAGES if page.parent.name == "docs" and f"({page.name})" not in index]
    assert missing == ["README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    dead = [one for one in targets if "://" not in one and not (page.parent / one).exists()]
    assert not dead
