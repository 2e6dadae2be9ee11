"""CVE-2019-5736, CVE-2016-9962: our own program, and what it has open, seen from inside while it enters a container."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from security.attacker import INTERPRETER, Attacker, nothing, with_python


def fingerprint() -> tuple[int, int, int]:
    status = Path(INTERPRETER).stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


#: Opens what it was started as, becomes another program, and then tries to write through the descriptor that it kept.
OVERWRITE = """
import os, sys, time
fd = os.open("/proc/self/exe", os.O_PATH)
if os.fork() == 0:
    os.set_inheritable(fd, True)
    turns = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo pwned 2>/dev/null >/proc/self/fd/%d && echo won; done"
    os.execv("/bin/sh", ["sh", "-c", turns % fd])
os.wait()
"""


@pytest.mark.parametrize("command", ["/proc/self/exe", "/link", "/script"])
async def test_our_interpreter_as_the_containers_command(attacker: Attacker, command: str) -> None:
    """The image has itself started as our own program (a link, a script's interpreter), to hold the host's file open for writing."""

    def poison(layer: Path) -> None:
        (layer / "link").symlink_to("/proc/self/exe")
        (layer / "script").write_text(f"#!/proc/self/exe -IS\n{OVERWRITE}")
        (layer / "script").chmod(0o755)

    before = fingerprint()
    words = [command] if command == "/script" else [command, "-ISc", OVERWRITE]
    done = await attacker.poisoned(poison, *words, **with_python({}))
    assert "won" not in done.out and fingerprint() == before

    ident = await attacker.create("sleep", "60", **with_python({}))
    poison(attacker.layer(ident))
    await attacker.engine.containers.start(ident)
    executed = await attacker.exec(ident, *words)
    assert "won" not in executed.out and fingerprint() == before


HOLD = """
echo ready
while :; do
  for p in /proc/[0-9]*; do
    case $(readlink $p/exe) in */busybox|"") ;; *) echo "saw $p"; esac
    true 2>/dev/null <>$p/exe && case $(readlink $p/exe) in */busybox|"") ;; *) echo "opened $p"; esac
    ls -l $p/fd 2>/dev/null | grep -v -e /dev/null -e pipe: -e socket: -e /proc/ -e total -e /dev/pts | grep -- '->' && echo "fds $p"
    cat $p/environ 2>/dev/null | grep -a MOBY && echo "environment $p"
  done
done
"""


async def test_whoever_enters_is_not_to_be_seen_through(attacker: Attacker) -> None:
    """A process of the container looks at each that enters it: its program, its descriptors, its environment."""
    before = fingerprint()
    ident = await attacker.watcher("sh", "-c", HOLD, host={"cap_add": ["DAC_READ_SEARCH"]})
    for _ in range(25):
        assert (await attacker.exec(ident, "true")).code == 0
    await attacker.engine.containers.kill(ident)
    assert await attacker.told(ident) == "ready\n" and fingerprint() == before


#: Reading another's descriptors asks the same of the reader as tracing it (ptrace(2), "Ptrace access mode checking").
LOOK = """
import os, sys
marker = sys.argv[1]
own = {n for n in os.listdir("/proc") if n.isdigit()}
print("ready", flush=True)
while True:
    for name in [n for n in os.listdir("/proc") if n.isdigit() and n not in own]:
        try:
            held = {os.readlink(f"/proc/{name}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{name}/fd")}
            caps = [line.split()[1] for line in open(f"/proc/{name}/status") if line.startswith(("CapPrm", "Seccomp:"))]
            root = "host" if os.path.exists(f"/proc/{name}/root{marker}") else "own" if os.listdir(f"/proc/{name}/root") else "empty"
        except OSError:
            continue
        print(*caps, root, *sorted(held), flush=True)
"""
_PTRACE, _ADMIN = 1 << 19, 1 << 21
_DEFAULT = 0xA80425FB


class Looker:
    """A container that looks at every process that appears in its pid namespace."""

    def __init__(self, attacker: Attacker, marker: Path) -> None:
        self._attacker = attacker
        self._marker = marker
        self.ident = ""

    async def start(self, **host: Any) -> None:
        options = with_python({"host": {"pids_limit": 100, **host}})
        self.ident = await self._attacker.watcher(INTERPRETER, "-ISc", LOOK, str(self._marker), **options)

    async def check(self, allowed: int) -> None:
        """Ends it. Nobody that it saw had a descriptor or the root of the host, or a capability beyond ``allowed``; but for one that is
        empty-handed, filtered, and there to open a procfs."""
        await self._attacker.engine.containers.kill(self.ident)
        told = set((await self._attacker.told(self.ident)).splitlines()) - {"ready"}
        assert told
        for line in told:
            capabilities, filtered, root, *descriptors = line.split()
            held = set(descriptors) - {"/dev/null", "pipe", "socket"}
            if root == "empty":
                assert int(capabilities, 16) == _ADMIN and filtered == "2" and held <= {"anon_inode"}, line
            else:
                assert (root, int(capabilities, 16) & ~allowed, held) == ("own", 0, set()), line


@pytest.mark.parametrize("how", [[], ["SYS_PTRACE"]])
async def test_whoever_enters_cannot_be_traced_for_more(attacker: Attacker, roots: tuple[Path, Path], how: list[str]) -> None:
    """CVE-2016-9962: a tracer that catches who enters has neither more capabilities nor a descriptor of the host by it."""
    await (looker := Looker(attacker, roots[0])).start(cap_add=how)
    for _ in range(20):
        await asyncio.wait_for(attacker.exec(looker.ident, "true"), 10)
    # one that is certainly looked at
    await asyncio.wait_for(attacker.exec(looker.ident, "sleep", "1"), 10)
    await looker.check(_DEFAULT | (_PTRACE if how else 0))


async def test_whoever_joins_a_pid_namespace_cannot_be_traced_for_more(attacker: Attacker, roots: tuple[Path, Path]) -> None:
    """A container with CAP_SYS_PTRACE catches each step of another's start in its pid namespace, and of execs into that one."""
    await (looker := Looker(attacker, roots[0])).start(cap_add=["SYS_PTRACE"])
    shared = {"pid_mode": f"container:{looker.ident}"}
    for how in (
        {},
        {},
        {"readonly_rootfs": True},
        {"security_opt": ["seccomp=unconfined"]},
        {"security_opt": ["no-new-privileges"]},
    ):
        assert (await attacker.run("sh", "-c", "kill -0 1 && test -e /proc/1/comm && echo $$", host={**shared, **how})).out > "1"
    other = await attacker.start("sleep", "60", host=shared)
    for _ in range(5):
        assert (await asyncio.wait_for(attacker.exec(other, "true"), 10)).code == 0
    await looker.check(_DEFAULT | _PTRACE)


async def test_execs_cannot_be_traced_by_whoever_has_joined(attacker: Attacker, roots: tuple[Path, Path]) -> None:
    """The container itself has no CAP_SYS_PTRACE; another that has joined its pid namespace has."""
    ident = await attacker.start("sleep", "60")
    await (looker := Looker(attacker, roots[0])).start(cap_add=["SYS_PTRACE"], pid_mode=f"container:{ident}")
    for words in (*[["true"]] * 10, ["sleep", "1"]):
        assert (await asyncio.wait_for(attacker.exec(ident, *words), 10)).code == 0
    await looker.check(_DEFAULT | _PTRACE)


#: With it a process that is entering a pid namespace could make none there.
_NO_SESSIONS = 'seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["setsid"], "action": "SCMP_ACT_ERRNO"}]}'


async def test_no_tracer_joins_where_execs_keep_capabilities_meanwhile(attacker: Attacker) -> None:
    """CVE-2016-9962: such a container is not started, whichever container of the pid namespace it names; all else is."""
    owner = await attacker.start("sleep", "60", host={"security_opt": [_NO_SESSIONS]})
    assert (await attacker.exec(owner, "true")).code == 0
    between = await attacker.start("sleep", "60", host={"pid_mode": f"container:{owner}"})
    for name in (owner, between):
        for rights in ({"cap_add": ["SYS_PTRACE"]}, {"privileged": True}):
            refused = await attacker.refusal(nothing, "true", host={"pid_mode": f"container:{name}", **rights})
            assert f"cannot join the PID namespace of container {owner} with CAP_SYS_PTRACE" in refused
    harmless = await attacker.start("sleep", "60", host={"security_opt": [_NO_SESSIONS, "no-new-privileges"]})
    tracer = {"pid_mode": f"container:{harmless}", "cap_add": ["SYS_PTRACE"]}
    assert (await attacker.run("true", host=tracer)).code == 0
    assert (await attacker.exec(harmless, "true")).code == 0


async def test_a_start_leaves_the_interpreter_alone(attacker: Attacker) -> None:
    before = fingerprint()
    assert await attacker.refusal(nothing, "/proc/self/exe/nothing")
    assert fingerprint() == before
