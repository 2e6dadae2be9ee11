"""CVE-2019-5736, CVE-2016-9962: our own program, and what it has open, seen from inside while it enters a container."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from attacker import INTERPRETER, Attacker, nothing, with_python


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
import os
own = {n for n in os.listdir("/proc") if n.isdigit()}
print("ready", flush=True)
while True:
    for name in [n for n in os.listdir("/proc") if n.isdigit() and n not in own]:
        try:
            held = {os.readlink(f"/proc/{name}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{name}/fd")}
            caps = [line.split()[1] for line in open(f"/proc/{name}/status") if line.startswith("CapPrm")]
        except OSError:
            continue
        print(*caps, *sorted(held), flush=True)
"""


@pytest.mark.parametrize("how", [[], ["SYS_PTRACE"]])
async def test_whoever_enters_cannot_be_traced_for_more(attacker: Attacker, how: list[str]) -> None:
    """CVE-2016-9962: a tracer that catches who enters has neither more capabilities nor a descriptor of the host by it."""
    host = {"cap_add": how, "pids_limit": 100}
    ident = await attacker.watcher(INTERPRETER, "-ISc", LOOK, **with_python({"host": host}))
    for _ in range(20):
        await asyncio.wait_for(attacker.exec(ident, "true"), 10)
    # one that is certainly looked at
    await asyncio.wait_for(attacker.exec(ident, "sleep", "1"), 10)
    await attacker.engine.containers.kill(ident)
    told = set((await attacker.told(ident)).splitlines())
    allowed = 0xA80425FB | (1 << 19 if how else 0)
    assert len(told) > 1
    for line in told - {"ready"}:
        capabilities, *descriptors = line.split()
        assert int(capabilities, 16) & ~allowed == 0, line
        assert set(descriptors) <= {"/dev/null", "pipe", "socket"}, line


async def test_a_start_leaves_the_interpreter_alone(attacker: Attacker) -> None:
    before = fingerprint()
    assert await attacker.refusal(nothing, "/proc/self/exe/nothing")
    assert fingerprint() == before
