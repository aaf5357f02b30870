"""What no tunnel is for, as it is written down."""

from ikegw.config import load
from ikegw.policy.selectors import parse_selector
from ikegw.policy.shunts import Fate, Shunt


def test_shunts_as_they_are_written(write):
    text = '[shunts.lan]\naction = "pass"\nremote_ts = ["192.168.0.0/16", "fd00::/8"]\n'
    text += '[shunts.mail]\naction = "drop"\nlocal_ts = "10.1.0.0/16"\nremote_ts = "0.0.0.0/0[tcp/25]"\n'
    lan, mail = load(write(text)).shunts
    any_address = (parse_selector("0.0.0.0/0"), parse_selector("::/0"))
    assert lan == Shunt(
        "lan", Fate.PASS, any_address, (parse_selector("192.168.0.0/16"), parse_selector("fd00::/8"))
    )
    assert (mail.fate, mail.remote_selectors) == (Fate.DROP, (parse_selector("0.0.0.0/0[tcp/25]"),))


def test_what_rules_of_routing_cannot_tell_is_said_with_its_place(problems):
    for far, said in (
        ("dynamic", "`dynamic` is an end of a tunnel"),
        ("10.0.0.0/8[icmp/8]", "routing cannot tell ICMP types"),
        ("10.0.0.0/8[tcp/1024-65535]", "ports from 1 to 65534, got 1024-65535"),
    ):
        (told,) = problems(f'[shunts.one]\naction = "drop"\nremote_ts = "{far}"\n')
        assert "ikegw.toml:3: shunts.one.remote_ts: " in told
        assert said in told
    (told,) = problems('[shunts.one]\naction = "drop"\nlocal_ts = "10.0.0.0/8"\nremote_ts = "fd00::/8"\n')
    assert "no packet could match" in told


def test_a_shunt_says_where_to_and_what(problems):
    missing = problems("[shunts.one]\n")
    assert [line.split(": ")[1] for line in missing] == ["shunts.one.action", "shunts.one.remote_ts"]
