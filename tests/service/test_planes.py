"""Who carries the packets: what is configured, or what the kernel can do, said in one line."""

from pathlib import Path

import pytest

from ikegw.config import Config, load
from ikegw.dataplane.xfrm.probing import Abilities
from ikegw.service.planes import CannotCarry, choose_plane

ABLE = Abilities()
UNABLE = Abilities("this kernel has no ESP")
SHORT = Abilities("", ("chacha20poly1305",))


def configured(directory: Path, kind: str, child: str = "") -> Config:
    path = directory / "ikegw.toml"
    path.write_text(
        f'[data_plane]\nkind = "{kind}"\n[connections.site]\nlocal.auth = "psk"\nremote.auth = "psk"\n'
        f'[connections.site.children.net]\nesp_proposals = ["aes256gcm16-aes128gcm16", "aes128-sha256"]\n{child}\n'
        '[secrets.ike.all]\nsecret = "correct horse battery staple"\n'
    )
    path.chmod(0o600)
    return load(path)


def choose(config: Config, abilities: Abilities = ABLE) -> tuple[str, str, bool, list[str]]:
    tried: list[str] = []

    def probe(suites: tuple[object, ...], versions: list[int]) -> Abilities:
        tried.extend(map(str, suites))
        return abilities

    plane = choose_plane(object(), config, (), lambda *_: None, lambda _: None, probe)
    return plane.kind, plane.why, plane.reads_nat_t, tried


def test_auto_takes_the_kernel_where_it_can_do_all_that_is_offered(tmp_path: Path) -> None:
    kind, why, reads_nat_t, tried = choose(configured(tmp_path, "auto"))
    assert (kind, why, reads_nat_t) == ("kernel", "auto: the kernel can do all that is offered", False)
    assert tried == ["aes128gcm16", "aes128-sha256"], "each algorithm once, whatever its key length"


@pytest.mark.parametrize(
    ("abilities", "why"), [(UNABLE, "this kernel has no ESP"), (SHORT, "it lacks chacha20poly1305")]
)
def test_auto_says_why_it_does_not(tmp_path: Path, abilities: Abilities, why: str) -> None:
    chosen = choose(configured(tmp_path, "auto"), abilities)
    assert chosen[:3] == ("userspace", f"auto, since the kernel cannot: {why}", True)


def test_what_is_configured_is_taken_or_refused(tmp_path: Path) -> None:
    assert choose(configured(tmp_path, "userspace"))[0] == "userspace"
    assert choose(configured(tmp_path, "kernel"), SHORT)[0] == "kernel", "other proposals may do"
    with pytest.raises(
        CannotCarry, match=r'"kernel" is not possible: this kernel has no ESP; .*write "userspace"'
    ):
        choose(configured(tmp_path, "kernel"), UNABLE)


def test_what_only_the_kernel_has_is_not_left_to_the_other(tmp_path: Path) -> None:
    special = configured(tmp_path, "auto", 'mode = "transport"')
    assert choose(special, SHORT)[:2] == ("kernel", "auto: some children need it")
    with pytest.raises(
        CannotCarry, match=r"site\.net: only the kernel has .* but the kernel cannot: this kernel"
    ):
        choose(special, UNABLE)
    with pytest.raises(CannotCarry, match=r'but data_plane\.kind is "userspace"'):
        choose(configured(tmp_path, "userspace", "if_id = 7"))
