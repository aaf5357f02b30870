"""Running real programs: what they are given, what they say, how they end."""

import os
import time
from pathlib import Path

import pytest
from programs import program, runs, until
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError

from ikegw.programs.running import ProgramFailed, run


class Heard(list):
    def run(self, *words, seconds=20.0, given=b"", **environment):
        return run(reactor, words, environment, seconds, self.append, given)


@pytest.fixture
def heard():
    return Heard()


@ensureDeferred
async def test_it_gets_its_words_as_they_are_and_an_environment_of_its_own(tmp_path, heard, monkeypatch):
    monkeypatch.setenv("CREDENTIAL_OF_THE_GATEWAY", "secret")
    script = program(tmp_path, 'echo "[$1]"', "env", "pwd")
    await heard.run(script, "$(touch /x); `id` 'a' \"b\"", IKEGW_REMOTE_ID="$(id);\n`id`")
    assert heard[0] == "[$(touch /x); `id` 'a' \"b\"]"
    assert {"IKEGW_REMOTE_ID=$(id);", "`id`", "LANG=C.UTF-8", "/"} <= set(heard)
    named = {line.split("=")[0] for line in heard[1:] if "=" in line}
    assert named <= {"IKEGW_REMOTE_ID", "PATH", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}


@ensureDeferred
async def test_what_is_given_comes_on_its_standard_input(tmp_path, heard):
    await heard.run(program(tmp_path, "tr a-z A-Z"), given=b"nameserver 10.1.0.53\n")
    assert heard == ["NAMESERVER 10.1.0.53"]
    assert await heard.run(program(tmp_path, "cat")) is None


@ensureDeferred
async def test_output_and_errors_are_told_in_lines_without_signs_that_a_log_must_not_have(tmp_path, heard):
    await heard.run(program(tmp_path, r"printf 'one\n\033[31mtwo\377\n\n'", "printf 'the rest'"))
    await heard.run(program(tmp_path, "echo wrong >&2"))
    strange = "\N{REPLACEMENT CHARACTER}"
    assert heard == ["one", f"{strange}[31mtwo{strange}", "the rest", "wrong"]


@ensureDeferred
async def test_who_says_too_much_is_cut_short_and_costs_nothing(tmp_path, heard):
    await heard.run(program(tmp_path, "seq 1 30000", "head -c 300000 /dev/zero | tr '\\0' x"))
    assert heard[:50] == [str(n) for n in range(1, 51)]
    assert heard[50:] == ["(it said more, which is left out)"]


@ensureDeferred
async def test_how_it_ended_is_told(tmp_path, heard):
    for line, said in (
        ("exit 3", "it ended with status 3"),
        ("kill -SEGV $$", "it was ended by SIGSEGV"),
    ):
        with pytest.raises(ProgramFailed, match=said):
            await heard.run(program(tmp_path, line))
    with pytest.raises(ProgramFailed, match="could not be run"):
        await heard.run(str(tmp_path / "nothing"))
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(ProgramFailed, match="is there its interpreter"):
        await heard.run(str(broken))


@ensureDeferred
async def test_out_of_time_it_is_killed_with_all_that_it_began(tmp_path, heard):
    script = program(
        tmp_path, "trap '' TERM", "sleep 600 &", "echo $!", f"echo $$ > {tmp_path}/pid", "sleep 600"
    )
    began = time.monotonic()
    with pytest.raises(ProgramFailed, match=r"took longer than 0\.5 seconds and was killed"):
        await heard.run(script, seconds=0.5)
    assert time.monotonic() - began < 5
    pids = [int(heard[0]), int(Path(tmp_path / "pid").read_text())]
    await until(lambda: not any(map(runs, pids)))


@ensureDeferred
async def test_cancelled_it_is_killed(tmp_path, heard):
    running = heard.run(program(tmp_path, "echo $$", "sleep 600"))
    await until(lambda: heard)
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    await until(lambda: not runs(int(heard[0])))


@ensureDeferred
async def test_what_it_leaves_in_the_background_goes_on_and_nobody_waits_for_it(tmp_path, heard):
    began = time.monotonic()
    await heard.run(program(tmp_path, "sleep 600 &", "echo $!"))
    assert time.monotonic() - began < 5
    pid = int(heard[0])
    assert runs(pid)
    os.kill(pid, 9)
