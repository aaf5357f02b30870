"""A child's script, as it is written down."""

from ikegw.config import load
from ikegw.policy.updown import Script

HOME = '[connections.home]\nlocal.auth = "psk"\nremote.auth = "psk"\n[connections.home.children.net]\n'
KEY = {"secrets.d/key.toml": '[secrets.ike.key]\nsecret = "long enough a key"\n'}


def test_a_script_with_its_time_and_whether_it_is_required(write, tmp_path):
    script = tmp_path / "updown"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    text = f'{HOME}updown = "{script}"\nupdown_timeout = "3s"\nupdown_required = true\n'
    (child,) = load(write(text, **KEY)).connections[0].children
    assert child.updown == Script(str(script), 3.0, required=True)
    (child,) = load(write(HOME, **KEY)).connections[0].children
    assert child.updown is None


def test_a_script_that_cannot_or_must_not_be_run(problems, tmp_path):
    script = tmp_path / "updown"
    text = f'{HOME}updown = "{script}"\n'
    assert "No such file or directory; put the program there" in problems(text, **KEY)[0]
    script.write_text("#!/bin/sh\n")
    script.chmod(0o644)
    assert "is no file that can be run; chmod +x it" in problems(text, **KEY)[0]
    script.chmod(0o775)
    assert "others than its owner may write to" in problems(text, **KEY)[0]
    script.chmod(0o755)
    (told,) = problems(text + "updown_timeout = 0\n", **KEY)
    assert "it would be killed at once" in told
    (told,) = problems(f'{HOME}updown = "logger -t vpn"\n', **KEY)
    assert "the whole path is needed" in told


def test_what_is_required_is_there(problems):
    (told,) = problems(f"{HOME}updown_required = true\n", **KEY)
    assert "there is no updown that could be; write its path" in told
