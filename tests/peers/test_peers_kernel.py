"""The Linux kernel's IPsec, under a real kernel: a guest is booted once, and what ran in it is told here module by module."""

import pytest
from laboratory.guest import Report, run_tests

MODULES = {
    "kernel_contract": "tests/dataplane/kernel_contract.py",
    "kernel_interop": "tests/peers/kernel_interop.py",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return run_tests(list(MODULES.values()), tmp_path_factory.mktemp("guest"))


@pytest.mark.peers
@pytest.mark.parametrize("module", MODULES)
def test_in_a_guest_with_debians_kernel(module: str, report: Report) -> None:
    report.judge(module)
