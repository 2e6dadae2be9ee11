"""The init of a container run with ``--init``, and that the program kept here is what its source gives."""

from __future__ import annotations

import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.runtime.init import build
from runtime.box import Box


async def test_the_command_is_a_child_of_ours_in_a_group_of_its_own(engine: Engine, busybox: str) -> None:
    done = await Box(engine, busybox).run(
        "sh",
        "-c",
        "tr '\\0' ' ' </proc/1/cmdline; cut -d' ' -f5 /proc/self/stat; echo $$; touch /sbin/docker-init",
        host={"init": True},
    )
    assert done.out.startswith("/sbin/docker-init -- sh -c")
    group, pid = done.out.split()[-2:]
    assert group == pid != "1"
    assert "Read-only file system" in done.err


@pytest.mark.parametrize(
    ("command", "code"),
    [(("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -9 $$"), 137), (("nosuch",), 127), (("/etc",), 126)],
)
async def test_it_ends_as_the_command_ends(engine: Engine, busybox: str, command: tuple[str, ...], code: int) -> None:
    assert (await Box(engine, busybox).run(*command, host={"init": True})).code == code


async def test_signals_are_passed_on_and_orphans_are_reaped(engine: Engine, busybox: str) -> None:
    script = 'trap "exit 5" TERM; (sh -c "exit 3" &); sleep 1; ls -d /proc/[0-9]*; echo ready; while :; do sleep 0.1; done'
    box = Box(engine, busybox)
    ident = await box.start("sh", "-c", script, host={"init": True})
    deadline = time.monotonic() + 20
    while "ready" not in (seen := await logs(engine, ident)):
        assert time.monotonic() < deadline
    # init and the shell, which looks before it makes ls: no zombie is left of the orphan
    assert len([line for line in seen.splitlines() if line.startswith("/proc/")]) == 2
    await engine.containers.stop(ident, timeout=20)
    assert (await engine.containers.inspect(ident)).state.exit_code == 5


async def logs(engine: Engine, ident: str) -> str:
    from moby_tui.schema.container import LogOptions

    return "".join([line.decode() async for _, line in engine.containers.logs(ident, LogOptions())])


async def test_the_terminal_is_the_command_s(engine: Engine, busybox: str) -> None:
    # a shell with job control that is not in the foreground would stop itself
    done = await Box(engine, busybox).run(
        "sh", "-c", "set -m; cut -d' ' -f8 /proc/self/stat; echo $$", host={"init": True}, tty=True
    )
    foreground, shell = done.out.split()[-2:]
    assert done.code == 0 and foreground != "-1" and int(shell) > 1


@pytest.mark.parametrize("machine", build.MACHINES)
def test_the_program_kept_is_what_the_source_gives(machine: str, tmp_path: Path) -> None:
    compiler, kept = build.compiler(machine), (build.HERE / "compiler.txt").read_text().strip()
    if shutil.which(compiler) is None:
        pytest.skip(
            f"{compiler} is not installed, and only a compiler for {machine} can tell that its program is what init.c gives"
        )
    built = build.build(machine, tmp_path)
    if machine == platform.machine():
        assert subprocess.run([built, "--", "sh", "-c", "exit 9"], check=False).returncode == 9
    if (here := build.version(machine)) != kept:
        pytest.skip(
            f"{compiler} is {here} here: only {kept}, with which the program was built, gives the same bytes (Debian 12 has it)"
        )
    assert built.read_bytes() == (build.HERE / f"{machine}.elf").read_bytes()


def test_it_reaps_without_being_the_first_process() -> None:
    program = build.HERE / f"{platform.machine()}.elf"
    done = subprocess.run([program, "sh", "-c", "kill -TERM $$"], check=False, timeout=20)
    assert done.returncode == 128 + signal.SIGTERM
