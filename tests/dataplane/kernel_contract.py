"""The contracts for the kernel's own IPsec: run by name, under a kernel that has it (`test_peers_kernel.py` boots one)."""

from plane_harness import KernelHarness
from test_plane_contract import Contract
from test_road_warriors import RoadWarriors


class TestKernel(Contract):
    make = KernelHarness


class TestKernelsRoadWarriors(RoadWarriors):
    make = KernelHarness
