"""The Linux kernel's IPsec, under a real kernel: the tests run in guests, and what became of them is told here."""

from pathlib import Path

import pytest
from laboratory.guest import run_tests

PARTS = ("contract", "carriage", "moving", "refusals")
PLANE = tuple(f"tests/dataplane/kernel_{part}.py" for part in PARTS)
DAEMONS = ("tests/peers/kernel_interop.py",)


@pytest.mark.peers
@pytest.mark.parametrize("files", [PLANE, DAEMONS], ids=["plane", "daemons"])
def test_in_a_guest_with_debians_kernel(files: tuple[str, ...], tmp_path: Path) -> None:
    run_tests(files, tmp_path).judge()
