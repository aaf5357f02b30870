"""What a real kernel will not do: found by trying, told in words, nothing half installed.

Run by name, under a kernel that has ESP (`test_peers_kernel.py` boots one).
"""

import re
import subprocess
import time
from ipaddress import ip_address
from pathlib import Path as FilePath

import pytest
from attrs import evolve
from kernel_carriage import SUITES
from plane_harness import KernelHarness, between, installed
from pytest_twisted import inlineCallbacks

from ikegw.dataplane.xfrm.probing import probe
from ikegw.paths import Endpoint, Path
from ikegw.policy.carriage import Carriage, Offload
from ikegw.ports import DataPlaneError
from ikegw.testing.plane_pair import keys_for, mirrored, suite_named, tunnel

GCM = suite_named("aes128gcm16")
UNHEARD_OF = evolve(GCM, encryption=evolve(GCM.encryption, kernel_name="rfc4106(gcm(unheard-of))"))


@pytest.fixture
def pair():
    return KernelHarness()


def test_what_this_kernel_lacks_is_found_by_trying():
    found = probe([*SUITES, UNHEARD_OF], (4, 6))
    assert (found.why_not, found.lacking) == ("", (str(UNHEARD_OF),))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("esp4", r"this kernel has no ESP over IPv4 \(EPROTONOSUPPORT.*\): it needs the module esp4"),
        ("esp6", r"this kernel has no ESP over IPv6 \(EPROTONOSUPPORT.*\): it needs the module esp6"),
        ("xfrm_interface", r"this kernel has no xfrm interfaces \(CONFIG_XFRM_INTERFACE"),
    ],
)
def test_a_kernel_without_it_is_found_by_trying(module, said):
    loader = FilePath("/proc/sys/kernel/modprobe")
    before = loader.read_text()
    assert probe([GCM], (4, 6)).why_not == "", "what it needs besides is loaded"
    try:
        _unload(module)
        loader.write_text("/bin/false")
        assert re.match(said, probe([GCM], (4, 6)).why_not)
    finally:
        loader.write_text(before)
        subprocess.run(["modprobe", module], check=True)


def _unload(module):
    """The kernel forgets SAs, and whole namespaces, in its own time."""
    for _ in range(100):
        if not subprocess.run(["modprobe", "-r", module], check=False, capture_output=True).returncode:
            return
        time.sleep(0.1)
    raise AssertionError(f"{module} is in use")


@between
@inlineCallbacks
def test_a_card_that_cannot_encipher_leaves_it_to_the_kernel_or_is_told(pair):
    """Ours has no offload: the kernel enciphers what is plain ESP, and refuses what no card ever does."""
    one, _ = tunnel(*pair.sides, GCM, udp=False)
    crypto = Carriage(offload=Offload.CRYPTO)
    yield installed(pair, evolve(one, carriage=crypto), mirrored(one))
    assert (yield pair.carries())
    assert (yield pair.carries(sender=1))
    told = r'net2: the kernel\'s SA: E\w+, .*offload.*: write hw_offload = "no"'
    for udp, carriage in ((True, crypto), (False, Carriage(offload=Offload.PACKET))):
        other, _ = tunnel(*pair.sides, GCM, 2, udp=udp)
        with pytest.raises(DataPlaneError, match=told):
            yield pair.planes[0].install(evolve(other, carriage=carriage))
    assert pair.sides[0].namespace.ip("xfrm state").count("proto esp") == 2
    assert (yield pair.carries())


@between
@inlineCallbacks
def test_a_refused_SA_leaves_nothing_of_its_own_and_all_of_others(pair):
    plane, left = pair.planes[0], pair.sides[0].namespace
    before = left.ip("xfrm state", "xfrm policy", "rule")
    one, _ = tunnel(*pair.sides, GCM)
    with pytest.raises(
        DataPlaneError, match=r"net1: the kernel's SA: ENOSYS.*lacks rfc4106\(gcm\(unheard-of\)\)"
    ):
        yield plane.install(evolve(one, suite=UNHEARD_OF, inbound_keys=keys_for(GCM)))
    assert left.ip("xfrm state", "xfrm policy", "rule") == before
    foreign = f"src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x{one.outbound_spi.hex()}"
    left.ip(
        f"xfrm state add {foreign} reqid 7 mode tunnel aead rfc4106(gcm(aes)) 0x{bytes(range(20)).hex()} 128"
    )
    before = left.ip("xfrm state", "xfrm policy", "rule")
    with pytest.raises(DataPlaneError, match=r"EEXIST.*another program has an SA of this SPI"):
        yield plane.install(one)
    assert left.ip("xfrm state", "xfrm policy", "rule") == before
    left.ip(f"xfrm state delete {foreign}")
    yield installed(pair, one)
    assert (yield pair.carries())


@between
@inlineCallbacks
def test_SAs_that_somebody_flushed_are_told_of_and_can_be_removed(pair):
    one, _ = tunnel(*pair.sides, GCM)
    yield installed(pair, one)
    pair.sides[0].namespace.ip("xfrm state flush")
    assert not (yield pair.carries(arrives=False)), "nor in the clear"
    elsewhere = Path(one.path.local, Endpoint(ip_address("192.0.2.9"), 4500))
    with pytest.raises(DataPlaneError, match="net1: the kernel has no SA any more that could be moved"):
        yield pair.planes[0].move(one.inbound_spi, elsewhere)
    other_port = Path(one.path.local, Endpoint(one.path.remote.address, 4501))
    with pytest.raises(DataPlaneError, match=r"net1: move: ESRCH"):
        yield pair.planes[0].move(one.inbound_spi, other_port)
    assert (yield pair.planes[0].remove(one.inbound_spi)).outbound_packets == 0
    yield installed(pair, tunnel(*pair.sides, GCM, 2)[0])
    assert (yield pair.carries())
