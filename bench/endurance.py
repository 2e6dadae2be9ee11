"""``python -m bench.endurance``: one container after another, and what of ours has grown meanwhile. Nothing may.

``--work networks``: a running container is connected to a network and taken out of it again, and every tenth time a network is made and
removed. Two doors: an engine in this process (the SDK), and the daemon behind its socket. Memory is PSS (proc_pid_smaps_rollup(5)).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench import image
from moby_tui import connect
from moby_tui.api.client.protocol import Client
from moby_tui.engine.kernel.process import trim_heap
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig, PortBinding
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.network import NetworkCreate

NAMESPACES = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
#: What may differ between two looks at a process that holds on to nothing: KiB of PSS, and objects of the interpreter.
MEMORY_TOLERANCE = 768
OBJECT_TOLERANCE = 400
#: Four segments of four MiB, and the one that is being begun.
JOURNAL_BOUND = 5 * 4096
_SETTLE_SECONDS = 15.0
#: A name server ends two seconds after the last container that it answered.
_QUIET_SECONDS = 3.0
#: Every so many runs one has a network and a published port, and one is attached to and executed in.
_CYCLE = 5
_CREATE_CYCLE = 10
_PORT = 18999
_ID = re.compile(rb"\b[0-9a-f]{64}\b")


async def run_many(client: Client, runs: int) -> None:
    """Containers of ``true``, each removed with its end: most without a network, some with all that a container can have."""
    for number in range(runs):
        rich = number % _CYCLE == 0
        host = HostConfig(network_mode="bridge" if rich else "none", auto_remove=True)
        if rich:
            host.port_bindings = {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port=str(_PORT))]}
        command = ["sleep", "60"] if rich else ["true"]
        volumes: dict[str, dict[str, str]] | None = {"/cache": {}} if rich else None
        made = await client.containers.create(ContainerCreate(image="busybox", cmd=command, host_config=host, volumes=volumes))
        waiter = await client.containers.wait(made.id, condition="removed")
        stream = await client.containers.attach(made.id, AttachOptions()) if rich else None
        await client.containers.start(made.id)
        if stream is not None:
            await _execute(client, made.id)
            await client.containers.kill(made.id)
            stream.close()
        await waiter.result()


async def change_networks(client: Client, rounds: int) -> None:
    """``rounds`` connects and disconnects of a running container; every tenth a network is made and removed."""
    made = await client.containers.create(
        ContainerCreate(image="busybox", cmd=["sleep", "100000"], host_config=HostConfig(network_mode="bridge"))
    )
    await client.containers.start(made.id)
    kept = await client.networks.create(NetworkCreate(name="kept"))
    for number in range(rounds):
        await client.networks.connect(kept.id, made.id)
        await client.networks.disconnect(kept.id, made.id)
        if number % _CREATE_CYCLE == 0:
            passing = await client.networks.create(NetworkCreate(name="passing"))
            await client.networks.remove(passing.id)
    await client.containers.remove(made.id, force=True)
    await client.networks.remove(kept.id)


WORKS: dict[str, Callable[[Client, int], Awaitable[None]]] = {"containers": run_many, "networks": change_networks}


async def _execute(client: Client, container: str) -> None:
    execution = await client.containers.exec_create(container, ExecCreate(cmd=["echo", "hello"]))
    stream = await client.containers.exec_start(execution, ExecStart())
    assert stream is not None
    async for _ in stream.output():
        pass
    stream.close()


def inventory(process: int, data: Path, run: Path) -> dict[str, int]:
    """What there is of ours: in the process and its launcher, in the kernel, and on disk."""
    members, containers = _family(process), _containers(data)
    found = {
        "processes": len(members),
        "threads": sum(_entries(f"/proc/{pid}/task") for pid in members),
        "descriptors": sum(_entries(f"/proc/{pid}/fd") for pid in members),
        "memory, KiB": sum(_pss(pid) for pid in members),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "interfaces": len(socket.if_nameindex()),
        "cgroups": sum(1 for top in _cgroup_parents() for path in top.glob("*/") if path.name in containers),
        "files": sum(1 for top in (data, run) for path in top.rglob("*") if "events" not in path.parts),
        "journal, KiB": sum(path.stat().st_size for path in (data / "events").iterdir()) // 1024,
        "database, KiB": sum(path.stat().st_size for path in data.glob("moby.db*")) // 1024,
    }
    return found | _rows(data / "moby.db")


def _family(process: int) -> list[int]:
    """A process and its descendants; one that ends meanwhile is none."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text()
        except OSError:
            continue
        fields = stat[stat.rindex(")") + 2 :].split()
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [process]
    for pid in found:
        found += children.get(pid, [])
    return found


def _entries(folder: str) -> int:
    with suppress(OSError):  # the process has just ended
        return len(os.listdir(folder))
    return 0


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _cgroup_parents() -> Iterable[Path]:
    top = Path("/sys/fs/cgroup")
    return [path for path in (top / "moby", *top.glob("*/moby")) if path.exists()]


def _containers(data: Path) -> set[str]:
    """Every id that the journal tells of: other engines on the machine share the parent group."""
    return {found.decode() for path in (data / "events").iterdir() for found in _ID.findall(path.read_bytes())}


def _rows(database: Path) -> dict[str, int]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {f"rows of {name}": connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    finally:
        connection.close()


async def endure(
    client: Client, process: int, data: Path, run: Path, *, warm_up: int, runs: int, work: str = "containers"
) -> tuple[dict[str, int], ...]:
    """The inventory after the warm-up, and after the runs.

    The warm-up starts more than one container: from the second start on an engine keeps a network namespace ready for the next.
    """
    for part in (warm_up - warm_up // 2, warm_up // 2):
        await WORKS[work](client, part)
    before = await _settled(client, process, data, run)
    await WORKS[work](client, runs)
    return before, await _settled(client, process, data, run)


async def _settled(client: Client, process: int, data: Path, run: Path) -> dict[str, int]:
    """Once the last monitor and the name server have gone: no process came or went, and no descriptor, for a while."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    await client.containers.list(all=True)
    last, since = (0, 0), time.monotonic()
    while time.monotonic() < min(deadline, since + _QUIET_SECONDS):
        await asyncio.sleep(0.2)
        gc.collect()
        now = inventory(process, data, run)
        if (held := (now["processes"], now["descriptors"])) != last:
            last, since = held, time.monotonic()
    if process == os.getpid():
        # what was freed is not held: the C library keeps it for later
        trim_heap()
    now = inventory(process, data, run)
    if process == os.getpid():
        now["objects"] = len(gc.get_objects())
    return now


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What is more than it was, beyond what is tolerated, and by how much."""
    tolerance = {"memory, KiB": MEMORY_TOLERANCE, "objects": OBJECT_TOLERANCE, "database, KiB": 4096}
    return {
        name: after[name] - before[name]
        for name in before
        if (after[name] > JOURNAL_BOUND if name == "journal, KiB" else after[name] - before[name] > tolerance.get(name, 0))
    }


@asynccontextmanager
async def sdk(data: Path, run: Path) -> AsyncIterator[tuple[Client, int]]:
    """An engine in this process."""
    async with connect(data_root=data, exec_root=run) as client:
        yield client, os.getpid()


@asynccontextmanager
async def daemon(data: Path, run: Path) -> AsyncIterator[tuple[Client, int]]:
    """A daemon of its own, through its socket."""
    address = f"unix://{data.parent}/s"
    environment = {**os.environ, "MOBY_DATA_ROOT": str(data), "MOBY_EXEC_ROOT": str(run)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "moby_tui", "daemon", "-H", address, env=environment)
    try:
        while not Path(f"{data.parent}/s").exists():  # noqa: ASYNC110 - made by another process
            await asyncio.sleep(0.02)
        async with connect(address) as client:
            yield client, process.pid
    finally:
        process.terminate()
        await process.wait()


DOORS = {"sdk": sdk, "daemon": daemon}


async def measure(
    door: str, base: Path, archive: Path, *, warm_up: int, runs: int, work: str = "containers"
) -> tuple[dict[str, int], dict[str, int]]:
    """``warm_up`` runs, a look, ``runs`` more, another look."""
    data, run = base / "d", base / "r"
    async with DOORS[door](data, run) as (client, process):
        async for _ in client.images.load(_content(archive)):
            pass
        before, after = await endure(client, process, data, run, warm_up=warm_up, runs=runs, work=work)
    return before, after


async def _content(archive: Path) -> AsyncIterator[bytes]:
    yield archive.read_bytes()


def _report(door: str, runs: int, seconds: float, before: dict[str, int], after: dict[str, int]) -> None:
    print(f"{door}: {runs} runs in {seconds:.0f} s")
    for name, value in after.items():
        print(f"  {name:28}{before[name]:>10}{value:>10}{value - before[name]:>+10}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--door", choices=sorted(DOORS), action="append")
    parser.add_argument("--work", choices=sorted(WORKS), default="containers")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    doors = options.door or sorted(DOORS)
    if not options.inside:
        base = Path(tempfile.mkdtemp(prefix="moby-endurance-", dir="/var/tmp"))
        again = [sys.executable, "-m", "bench.endurance", "--inside", str(base), "--runs", str(options.runs)]
        again += ["--work", options.work]
        try:
            return subprocess.call(["unshare", *NAMESPACES, *again, *(f"--door={door}" for door in doors)])
        finally:
            shutil.rmtree(base)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    status = 0
    for door in doors:
        base = Path(options.inside) / door
        base.mkdir()
        image.archive(base / "busybox.tar")
        began = time.monotonic()
        warm_up = max(2 * _CYCLE, options.runs // 10)
        before, after = asyncio.run(
            measure(door, base, base / "busybox.tar", warm_up=warm_up, runs=options.runs, work=options.work)
        )
        _report(door, options.runs, time.monotonic() - began, before, after)
        if more := grown(before, after):
            print(f"  grown: {more}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
