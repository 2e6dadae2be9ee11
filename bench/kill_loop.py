"""``python -m bench.kill_loop``: containers, executions, builds and pulls, while processes of the engine are killed at random.

Killed with SIGKILL are launchers, processes that stand by, monitors and the daemon. A command may fail where the monitor of its own
container was killed, or the daemon that it spoke to; any other failure is a fault. In the end nothing of the engine may be left.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench import image
from bench.endurance import NAMESPACES

REGISTRY = "127.0.0.1:5000"
#: How many commands are under way at any time.
WORKERS = 4
#: Seconds between two kills, at the least and at the most.
PAUSES = (0.05, 0.5)
#: A command that has not ended by then hangs.
PATIENCE = 90.0
#: What is killed: one of these at a time, and the daemon now and then.
VICTIMS = ("moby-launcher", "moby-standby", "moby-monitor")
#: So many commands end between the kills of two monitors: else no container would live long enough for an exec.
SPARED = 6
#: Seconds that a daemon lives at the least, and commands that end in the meantime: so its clients get something done.
DAEMON_SECONDS, DAEMON_COMMANDS = 12.0, 12
_CONTAINER = re.compile(r"/containers/([0-9a-f]{64})(?:/|$)")


@dataclass
class Kill:
    """One process that was killed; ``container`` is the id of a monitor's, empty where it had opened nothing of it yet."""

    name: str
    at: float
    container: str = ""


@dataclass
class Loop:
    """The state of one run: the roots, the daemon, what was killed and what came of it."""

    base: Path
    random: random.Random
    daemon: asyncio.subprocess.Process | None = None
    kills: list[Kill] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    #: The containers of the commands themselves: a build's steps have others.
    known: set[str] = field(default_factory=set)
    daemon_is_down: bool = False
    number: int = 0
    #: no monitor is killed before so many commands were judged
    spared_until: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "MOBY_DATA_ROOT": f"{self.base}/d", "MOBY_EXEC_ROOT": f"{self.base}/r"}

    @property
    def judged(self) -> int:
        return self.done.total() + self.excused.total() + len(self.faults)

    @property
    def address(self) -> str:
        return f"unix://{self.base}/s"

    def next(self) -> int:
        self.number += 1
        return self.number


@dataclass
class Outcome:
    """How a command ended; ``began`` is the monotonic time of its start."""

    code: int
    out: str
    err: str
    began: float


async def command(loop: Loop, *arguments: str, door: str) -> Outcome:
    """Runs ``moby``, in-process or as a client of the daemon. One that hangs has the code -1."""
    host = ("-H", loop.address) if door == "daemon" else ()
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moby_tui", *host, *arguments),
        env=loop.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        return Outcome(-1, "", f"no end after {PATIENCE:.0f} s", began)
    return Outcome(process.returncode or 0, out.decode(), err.decode(), began)


def judge(loop: Loop, what: str, door: str, outcome: Outcome, *, right: bool, containers: set[str] | None) -> bool:
    """Notes a command's outcome; whether it was right. ``containers``: whose monitors' end excuses it, None for those of no command."""
    name = f"{what} ({door})"
    if right:
        loop.done[name] += 1
        return True
    if outcome.code >= 0 and "Traceback" not in outcome.err and _is_excused(loop, door, outcome, containers):
        loop.excused[name] += 1
        return False
    killed = ", ".join(
        f"{kill.name} {kill.container[:12]} {kill.at - outcome.began:+.2f}" for kill in _since(loop, outcome.began)
    )
    loop.faults.append(
        f"{name}: status {outcome.code}: {outcome.out[-200:]!r} {outcome.err[-2000:]!r} of {containers}; killed: {killed}"
    )
    return False


def _since(loop: Loop, began: float) -> list[Kill]:
    return [kill for kill in loop.kills if kill.at >= began]


def _is_excused(loop: Loop, door: str, outcome: Outcome, containers: set[str] | None) -> bool:
    """Whether the daemon that the command spoke to was killed, or the monitor of its container, maybe before it began."""
    kills = _since(loop, outcome.began)
    if door == "daemon" and (loop.daemon_is_down or any(kill.name == "daemon" for kill in kills)):
        return True
    if containers is None:
        return any(kill.name == "moby-monitor" and kill.container not in loop.known for kill in kills)
    own = containers & {kill.container for kill in loop.kills if kill.name == "moby-monitor"}
    return bool(own) or any(kill.name == "moby-monitor" and not kill.container for kill in kills)


# -- what people do --------------------------------------------------------------------------------------------------


async def run(loop: Loop, door: str) -> None:
    """A container that writes a line and is removed with its end."""
    file = loop.base / f"id-{loop.next()}"
    host = ("--network", loop.random.choice(("none", "bridge")))
    outcome = await command(loop, "run", "--rm", *host, "--cidfile", str(file), "busybox", "echo", "hello", door=door)
    containers = _ids(loop, file)
    judge(loop, "run", door, outcome, right=(outcome.code, outcome.out) == (0, "hello\n"), containers=containers)


async def execute(loop: Loop, door: str) -> None:
    """A container in the background, two executions in it, and its removal."""
    file = loop.base / f"id-{loop.next()}"
    outcome = await command(loop, "run", "-d", "--cidfile", str(file), "busybox", "sleep", "600", door=door)
    containers = _ids(loop, file)
    if judge(loop, "run -d", door, outcome, right=outcome.code == 0 and bool(containers), containers=containers):
        (ident,) = containers
        for _ in range(2):
            outcome = await command(loop, "exec", ident, "echo", "there", door=door)
            judge(loop, "exec", door, outcome, right=(outcome.code, outcome.out) == (0, "there\n"), containers=containers)
    for ident in containers:
        outcome = await command(loop, "rm", "-f", ident, door=door)
        judge(loop, "rm -f", door, outcome, right=outcome.code == 0, containers=set() if door == "moby" else containers)


async def build(loop: Loop, door: str) -> None:
    """An image of one RUN step that no cache has."""
    folder = loop.base / f"context-{loop.next()}"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM busybox\nRUN echo {folder.name} >/which\n")
    outcome = await command(loop, "build", "-q", str(folder), door=door)
    if judge(loop, "build", door, outcome, right=outcome.code == 0, containers=None):
        await command(loop, "rmi", "-f", outcome.out.strip(), door="moby")


async def pull(loop: Loop, door: str) -> None:
    """An image from a registry: no container is in it, so that only the daemon's end excuses a failure."""
    outcome = await command(loop, "pull", "-q", f"{REGISTRY}/busybox:{loop.random.randrange(4)}", door=door)
    judge(loop, "pull", door, outcome, right=outcome.code == 0, containers={"-"})


async def listing(loop: Loop, door: str) -> None:
    outcome = await command(loop, "ps", "-a", door=door)
    judge(loop, "ps", door, outcome, right=outcome.code == 0 and "56 years" not in outcome.out, containers={"-"})


def _ids(loop: Loop, file: Path) -> set[str]:
    found = {file.read_text().strip()} - {""} if file.exists() else set()
    loop.known |= found
    return found


async def work(loop: Loop, until: float) -> None:
    """One command after another, in this process or through the daemon."""
    scenarios = [run, run, execute, build, pull, listing]
    while time.monotonic() < until:
        await loop.random.choice(scenarios)(loop, loop.random.choice(("moby", "daemon")))


# -- killing ---------------------------------------------------------------------------------------------------------


async def kill(loop: Loop, until: float) -> None:
    """Kills a process of the engine every now and then."""
    while time.monotonic() < until:
        await asyncio.sleep(loop.random.uniform(*PAUSES))
        name = loop.random.choice(VICTIMS)
        if not (pids := _named(name)) or (name == "moby-monitor" and loop.judged < loop.spared_until):
            continue
        pid = loop.random.choice(pids)
        container = _container(pid) if name == "moby-monitor" else ""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            loop.kills.append(Kill(name, time.monotonic(), container))
            if name == "moby-monitor":
                loop.spared_until = loop.judged + SPARED


async def kill_daemon(loop: Loop, until: float) -> None:
    """Kills the daemon and starts it again."""
    while time.monotonic() + DAEMON_SECONDS < until:
        enough = loop.judged + DAEMON_COMMANDS
        await asyncio.sleep(DAEMON_SECONDS)
        while loop.judged < enough and time.monotonic() < until:  # noqa: ASYNC110 - a look now and then is enough
            await asyncio.sleep(PAUSES[0])
        assert loop.daemon is not None
        loop.daemon_is_down = True
        loop.daemon.kill()
        await loop.daemon.wait()
        await start_daemon(loop)
        loop.kills.append(Kill("daemon", time.monotonic()))
        loop.daemon_is_down = False


def _named(name: str) -> list[int]:
    """The living processes of this pid namespace that have a name."""
    found = []
    for word in filter(str.isdecimal, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{word}/stat").read_text()
        except OSError:
            continue
        if f"({name}) " in text and f"({name}) Z" not in text:
            found.append(int(word))
    return found


def _container(pid: int) -> str:
    """The id of a monitor's container, from the files that it has open; empty where it has none yet."""
    try:
        links = [os.readlink(entry) for entry in os.scandir(f"/proc/{pid}/fd")]
    except OSError:
        return ""
    return next((found[1] for link in links if (found := _CONTAINER.search(link))), "")


async def start_daemon(loop: Loop) -> None:
    """Raises ``RuntimeError`` where it does not listen in time."""
    Path(f"{loop.base}/s").unlink(missing_ok=True)
    loop.daemon = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moby_tui", "daemon", "-H", loop.address),
        env=loop.environment,
        stdout=subprocess.DEVNULL,
        stderr=open(loop.base / "daemon.log", "ab"),  # noqa: SIM115 - the daemon's own
    )
    for _ in range(int(PATIENCE / 0.05)):
        if Path(f"{loop.base}/s").exists():
            return
        if loop.daemon.returncode is not None:
            break
        await asyncio.sleep(0.05)
    raise RuntimeError("the daemon does not start: " + (loop.base / "daemon.log").read_text()[-2000:])


# -- one run ---------------------------------------------------------------------------------------------------------


async def go(loop: Loop, seconds: float) -> None:
    """Sets the stage, works and kills for so long, and looks at what is left."""
    archive = loop.base / "busybox.tar"
    image.archive(archive)
    (loop.base / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {loop.base}/registry}}}}\nhttp: {{addr: '{REGISTRY}'}}\n"
    )
    registry = await asyncio.create_subprocess_exec(
        *("docker-registry", "serve", str(loop.base / "registry.yml")), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    await start_daemon(loop)
    try:
        await _prepare(loop, archive)
        until = time.monotonic() + seconds
        await asyncio.gather(kill(loop, until), kill_daemon(loop, until), *(work(loop, until) for _ in range(WORKERS)))
        await _clean_up(loop)
    finally:
        assert loop.daemon is not None
        for process in (loop.daemon, registry):
            process.terminate()
            await process.wait()
    loop.faults += [f"left: {line}" for line in _left(loop.base)]


async def _prepare(loop: Loop, archive: Path) -> None:
    commands: list[tuple[str, ...]] = [("load", "-q", "-i", str(archive))]
    for number in range(4):
        commands += [("tag", "busybox", f"{REGISTRY}/busybox:{number}"), ("push", "-q", f"{REGISTRY}/busybox:{number}")]
    for words in commands:
        outcome = await command(loop, *words, door="moby")
        if outcome.code != 0:
            raise RuntimeError(f"moby {' '.join(words)}: {outcome.err}")


async def _clean_up(loop: Loop) -> None:
    """What was left by commands that were excused is removed as a user would."""
    listed = await command(loop, "ps", "-aq", "--no-trunc", door="moby")
    for ident in listed.out.split():
        outcome = await command(loop, "rm", "-f", ident, door="moby")
        judge(loop, "rm -f in the end", "moby", outcome, right=outcome.code == 0, containers=set())


def _left(base: Path) -> list[str]:
    """Processes, mounts and folders of containers; a process has five seconds to end."""
    deadline = time.monotonic() + 5
    while (found := [f"{name} {pid}" for name in VICTIMS for pid in _named(name)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found += [f"mount on {point}" for point in points if point.startswith(f"{base}/d/containers/")]
    return found + [str(path) for folder in ("d", "r") for path in (base / folder / "containers").glob("*")]


def _report(loop: Loop) -> int:
    for what in sorted({*loop.done, *loop.excused}):
        print(f"{what:22}{loop.done[what]:>7} right{loop.excused[what]:>6} whose container or daemon was killed")
    print("killed:", ", ".join(f"{name} {count}" for name, count in sorted(Counter(kill.name for kill in loop.kills).items())))
    for line in loop.faults:
        print("FAULT", line)
    print(f"{len(loop.faults)} faults")
    return 1 if loop.faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.kill_loop", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="which choices are made")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        base = Path(tempfile.mkdtemp(prefix="mk-", dir="/var/tmp"))
        again = [sys.executable, "-m", "bench.kill_loop", "--inside", str(base)]
        print(f"seed {options.seed}", flush=True)
        try:
            return subprocess.call(["unshare", *NAMESPACES, *again, f"--seconds={options.seconds}", f"--seed={options.seed}"])
        finally:
            shutil.rmtree(base)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    loop = Loop(Path(options.inside), random.Random(options.seed))
    asyncio.run(go(loop, options.seconds))
    return _report(loop)


if __name__ == "__main__":
    sys.exit(main())
