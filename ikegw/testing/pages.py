"""The pages and drawings that come out of the code: `script/machines` writes them, and a test compares."""

import subprocess
from pathlib import Path

from ikegw.machines import drawing
from ikegw.testing import rows

DOCS = rows.ROOT / "docs"


def texts() -> dict[Path, str]:
    """Every file that has to be as it would be written now."""
    drawings = {DOCS / "machines" / f"{figure.name}.dot": drawing.dot(figure) for figure in drawing.FIGURES}
    return {
        **drawings,
        DOCS / "state-machines.md": drawing.page(),
        DOCS / "rows.md": rows.read().page(),
    }


def write() -> None:
    """Write all of them; graphviz makes the drawings."""
    for file, text in texts().items():
        changed = not file.exists() or file.read_text() != text
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        picture = file.with_suffix(".svg")
        if file.suffix == ".dot" and (changed or not picture.exists()):
            subprocess.run(["dot", "-Tsvg", str(file), "-o", str(picture)], check=True)


if __name__ == "__main__":
    write()
