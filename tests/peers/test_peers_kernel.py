"""The Linux kernel's IPsec, under a real kernel: each module runs in a guest of its own, and what became of it is told here."""

from pathlib import Path

import pytest
from laboratory.guest import run_tests


@pytest.mark.peers
@pytest.mark.parametrize("module", ["tests/dataplane/kernel_contract.py", "tests/peers/kernel_interop.py"])
def test_in_a_guest_with_debians_kernel(module: str, tmp_path: Path) -> None:
    run_tests(module, tmp_path).judge()
