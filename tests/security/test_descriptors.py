"""What of the host is still open, or still set, where the container's program begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from security.attacker import INTERPRETER, Attacker, nothing, with_python

SEE = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4], os.path.realpath('/proc/self/cwd'))"
#: The fourth is the folder that is being read.
NOTHING_ELSE = "[0, 1, 2, 3] /\n"


async def test_only_the_standard_streams_are_open(attacker: Attacker) -> None:
    """CVE-2024-21626: runc left a folder of the host's control groups open."""
    done = await attacker.python(SEE)
    assert done.out == NOTHING_ELSE, done.err


async def test_only_the_standard_streams_are_open_in_an_exec(attacker: Attacker) -> None:
    ident = await attacker.start("sleep", "60", **with_python({}))
    for _ in range(2):
        assert (await attacker.exec(ident, INTERPRETER, "-ISc", SEE)).out == NOTHING_ELSE


HOST_FOLDERS = 'pwd; ls -d ../../../../../../../../../../"$1" 2>/dev/null'


@pytest.mark.parametrize("kind", ["self", "thread-self", "1"])
async def test_a_working_directory_that_is_a_descriptor(attacker: Attacker, tmp_path: Path, kind: str) -> None:
    """CVE-2024-21626, from the container's own configuration: each number that a folder of the host might have."""
    for number in range(3, 21):
        ident = await attacker.create("sh", "-c", HOST_FOLDERS, "-", str(tmp_path), working_dir=f"/proc/{kind}/fd/{number}")
        try:
            await attacker.engine.containers.start(ident)
        except Exception:
            continue
        ended = await (await attacker.engine.containers.wait(ident)).result()
        assert ended.status_code == 1, f"fd {number} led to the host"


async def test_a_working_directory_of_an_exec_that_is_a_descriptor(attacker: Attacker, tmp_path: Path) -> None:
    """CVE-2024-21626, with ``exec --workdir`` and with a link to it in the image."""
    ident = await attacker.start("sleep", "60")
    for number in range(3, 21):
        (attacker.layer(ident) / f"link{number}").symlink_to(f"/proc/self/fd/{number}")
        for folder in (f"/proc/self/fd/{number}", f"/link{number}"):
            done = await attacker.exec(ident, "sh", "-c", HOST_FOLDERS, "-", str(tmp_path), working_dir=folder)
            assert done.refused or done.code == 1, f"{folder} led to the host: {done.out}"


async def test_a_command_that_is_a_descriptor(attacker: Attacker) -> None:
    """CVE-2024-21626, third variant: a host file executed by its number."""
    ident = await attacker.start("sleep", "60")
    for number in range(3, 21):
        command = f"/proc/self/fd/{number}/../../../../../..{INTERPRETER}"
        assert (await attacker.exec(ident, command, "-V")).refused
        assert await attacker.refusal(nothing, command, "-V")


async def test_a_working_directory_outside_the_root(attacker: Attacker, tmp_path: Path) -> None:
    """A link made while the container runs, so that the resolution at its start could not see it."""
    ident = await attacker.start("sleep", "60")
    (attacker.layer(ident) / "out").symlink_to("../../../../../../../../" + str(tmp_path))
    assert (await attacker.exec(ident, "pwd", working_dir="/out")).refused


async def test_nothing_of_our_environment(attacker: Attacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBY_TEST_SECRET", "abc")
    done = await attacker.run("env")
    assert sorted(line.partition("=")[0] for line in done.out.split()) == ["HOME", "HOSTNAME", "PATH"]
    ident = await attacker.start("sleep", "60")
    assert {line.partition("=")[0] for line in (await attacker.exec(ident, "env")).out.split()} == {"HOME", "HOSTNAME", "PATH"}
    proc = Path(f"/proc/{(await attacker.engine.containers.inspect(ident)).state.pid}/environ").read_bytes()
    assert b"SECRET" not in proc and b"PYTHON" not in proc and b"MOBY" not in proc


async def test_the_console_is_the_terminal_that_was_made_for_it(attacker: Attacker) -> None:
    """CVE-2025-52565: the image's own /dev/console, pts and ptmx are links to what is to be bound or written."""

    def poison(layer: Path) -> None:
        (layer / "dev" / "pts").mkdir(parents=True)
        for name in ("console", "ptmx", "pts/0", "pts/ptmx", "null", "tty"):
            (layer / "dev" / name).symlink_to("/proc/sys/kernel/core_pattern")

    done = await attacker.poisoned(poison, "sh", "-c", "stat -c '%F %t:%T' /dev/console /dev/null /dev/pts/ptmx; tty", tty=True)
    assert done.out.split("\r\n")[1:4] == ["character special file 1:3", "character special file 5:2", "/dev/pts/0"]
    assert done.out.startswith("character special file 88:0")


async def test_masks_are_of_our_own_null_device(attacker: Attacker) -> None:
    """CVE-2025-31133: the image's /dev/null is a link to a file of /proc, which would be bound, writable, on what is to be hidden."""

    def poison(layer: Path) -> None:
        (layer / "dev").mkdir()
        (layer / "dev" / "null").symlink_to("/proc/sys/kernel/core_pattern")

    script = "stat -c '%F %t:%T' /proc/kcore /proc/timer_list; echo x >/proc/kcore; cat /proc/kcore; test -w /proc/sys/kernel/core_pattern"
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    done = await attacker.poisoned(poison, "sh", "-c", script)
    masked = [path for path in ("/proc/kcore", "/proc/timer_list") if Path(path).exists()]
    assert done.out.split("\n")[:-1] == ["character special file 1:3"] * len(masked) and masked
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    assert "x\n" not in done.out and os.stat("/dev/null").st_rdev == os.makedev(1, 3)
