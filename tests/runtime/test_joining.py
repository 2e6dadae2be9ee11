"""Namespaces of other containers: joined, refused, and what the other can then do to who joined."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Conflict, InvalidArgument, MobyError
from moby_tui.schema.container import Ulimit
from runtime.box import Box
from runtime.running import execute
from runtime.test_hooks import write as write_hook

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


async def test_processes_are_shared(box: Box) -> None:
    await box.start("sleep", "60", name="first")
    done = await box.run("ps", host={"pid_mode": "container:first"})
    assert "sleep 60" in done.out and "ps" in done.out


async def test_the_other_may_not_trace_who_joins(box: Box) -> None:
    """CVE-2016-9962: while it is on its way the joiner holds descriptors of the host, and the other sees its process."""
    spy = "while :; do for p in /proc/[0-9]*; do [ $p != /proc/1 ] && ls -l $p/fd $p/cwd; done; done 2>&1"
    first = await box.start("sh", "-c", f"{spy} >/seen")
    for _ in range(4):
        await box.run("true", host={"pid_mode": f"container:{first}"})
    seen = await execute(box, first, "cat", "/seen")
    for root in (box.engine.paths.data_root, box.engine.paths.exec_root):
        assert str(root) not in seen
    assert "/cwd" in seen


async def test_messages_and_memory_are_shared(box: Box) -> None:
    first = await box.start("sh", "-c", "echo there >/dev/shm/a; sleep 60", host={"ipc_mode": "shareable"}, name="first")
    own = (await execute(box, first, "readlink", "/proc/self/ns/ipc")).strip()
    done = await box.run(
        "sh", "-c", "readlink /proc/self/ns/ipc; cat /dev/shm/a; echo back >/dev/shm/b", host={"ipc_mode": "container:first"}
    )
    assert done.out.split() == [own, "there"]
    assert await execute(box, first, "cat", "/dev/shm/b") == "back\n"


async def test_a_private_ipc_namespace_is_not_joined(box: Box) -> None:
    await box.start("sleep", "60", name="first")
    with pytest.raises(InvalidArgument, match="non-shareable IPC"):
        await box.start("true", host={"ipc_mode": "container:first"})


async def test_no_shared_memory_at_all(box: Box) -> None:
    done = await box.run("sh", "-c", "grep -c /dev/shm /proc/mounts", host={"ipc_mode": "none"})
    assert done.out == "0\n"


async def test_a_network_is_shared_with_its_names(box: Box) -> None:
    first = await box.start(
        "sh", "-c", "echo 10.1.1.1 added >>/etc/hosts; sleep 60", host={"network_mode": "bridge"}, name="first"
    )
    address = (await box.engine.containers.inspect(first)).network_settings.networks["bridge"].ip_address
    ident = await box.start("sleep", "60", host={"network_mode": "container:first"})
    out = await execute(box, ident, "sh", "-c", "hostname; ip addr; cat /etc/hosts")
    assert out.startswith(first[:12]) and f"inet {address}/" in out and "10.1.1.1 added" in out
    seen = await box.engine.containers.inspect(ident)
    assert seen.host_config.network_mode == f"container:{first}"
    assert seen.network_settings.networks == {}
    # what the first one has taken down stays down; who shared it lives on
    await box.engine.containers.remove(first, force=True)
    assert "eth0" not in await execute(box, ident, "ip", "addr")


async def test_what_does_not_run_cannot_be_joined(box: Box) -> None:
    ident = await box.create("true", name="still")
    with pytest.raises(Conflict, match=r"cannot join network namespace of a non running container: container .* is"):
        await box.start("true", host={"network_mode": "container:still"})
    for kind, status in (("pid", 500), ("ipc", 409)):
        with pytest.raises(
            MobyError, match=f"failed to join {kind.upper()} namespace: container {ident} is not running"
        ) as refused:
            await box.start("true", host={f"{kind}_mode": "container:still"})
        assert refused.value.status == status
    with pytest.raises(InvalidArgument, match="No such container: missing"):
        await box.start("true", host={"pid_mode": "container:missing"})
    own = await box.create("true", name="itself", host={"network_mode": "container:itself"})
    with pytest.raises(InvalidArgument, match="cannot join own network"):
        await box.engine.containers.start(own)


async def test_who_joined_the_processes_ends_with_them(box: Box) -> None:
    first = await box.start("sleep", "60")
    ident = await box.start("sleep", "60", host={"pid_mode": f"container:{first}"})
    await box.engine.containers.remove(first, force=True)
    waiter = await box.engine.containers.wait(ident)
    assert (await waiter.result(20)).status_code == 137


async def test_who_joins_has_a_terminal_limits_and_hooks(box: Box, tmp_path: Path) -> None:
    """Of its user may run no more than its program and an exec."""
    first = await box.start("sleep", "60")
    own = (await execute(box, first, "readlink", "/proc/self/ns/pid")).strip()
    joined = {"pid_mode": f"container:{first}", "sysctls": {"net.ipv4.ip_unprivileged_port_start": "7"}}
    script = "tty; readlink /proc/self/ns/pid; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; exec ps -o pid,tty"
    done = await box.run("sh", "-c", script, tty=True, host=joined)
    assert done.out.split()[:4] == ["/dev/pts/0", own, "7", "PID"] and "1 ?" in done.out and "136,0" in done.out
    limits = {"ulimits": [Ulimit(name="nproc", soft=2, hard=2)]}
    ident = await box.start("sleep", "60", user="4243", host=joined | limits)
    assert "4243" in await execute(box, ident, "id", user="4243")

    for stage in ("createRuntime", "createContainer", "startContainer"):
        keep = "readlink /proc/self/ns/pid >/seen" if stage == "startContainer" else f"echo {stage} >>{tmp_path}/order"
        write_hook(tmp_path / "hooks", f"{stage}.json", keep, [stage])
    box.engine.configure(EngineOptions(hooks_dirs=(tmp_path / "hooks",)))
    assert (await box.run("cat", "/seen", host=joined)).out.strip() == own
    assert (tmp_path / "order").read_text().split() == ["createRuntime", "createContainer"]


async def test_a_profile_that_lets_no_process_be_made(box: Box) -> None:
    """What enters a pid namespace in which nobody may trace it needs no more calls than before; who joins another's does."""
    rules = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["clone", "setsid"], "action": "SCMP_ACT_ERRNO"}]}
    strict = {"security_opt": [f"seccomp={json.dumps(rules)}"]}
    first = await box.start("sleep", "60", host=strict)
    assert "uid=0" in await execute(box, first, "id")
    joined = strict | {"pid_mode": f"container:{first}"}
    with pytest.raises(MobyError, match=r"the seccomp profile refuses clone, .*: allow these calls, or set no-new-privileges"):
        await box.start("true", host=joined)
    joined["security_opt"] = [*joined["security_opt"], "no-new-privileges"]
    assert (await box.run("id", host=joined)).code == 0


async def test_a_restarted_container_is_joined_anew(box: Box) -> None:
    first = await box.start("sleep", "60")
    ident = await box.start("sleep", "60", host={"pid_mode": f"container:{first}"})
    await box.engine.containers.restart(first, timeout=0)
    await box.engine.containers.restart(ident, timeout=0)
    assert (await execute(box, ident, "ps")).count("sleep 60") == 2


async def test_privileged_exec(box: Box) -> None:
    ident = await box.start("sleep", "60")
    plain, privileged = [
        int((await execute(box, ident, "grep", "CapEff", "/proc/self/status", privileged=asked)).split()[1], 16)
        for asked in (False, True)
    ]
    assert privileged & plain == plain and privileged >> 21 & 1 and not plain >> 21 & 1


async def test_options_of_the_command_line(box: Box, cli: Cli) -> None:
    cli("run", "-d", "--name", "first", "--ipc", "shareable", "busybox", "sleep", "60")
    options = ("--pid", "container:first", "--ipc", "container:first", "--network", "container:first")
    assert "sleep 60" in (await asyncio.to_thread(cli, "run", "--rm", *options, "busybox", "ps")).stdout
    refused = await asyncio.to_thread(cli, "run", "--network", "container:first", "-p", "80:80", "busybox", "true", check=False)
    assert refused.returncode == 125 and "port publishing and the container type network mode" in refused.stderr


async def test_nothing_of_a_join_is_left(box: Box) -> None:
    async def join() -> int:
        """Starts a container and one that joins it; returns how many namespaces and processes are held open after both have gone."""
        first = await box.start("sleep", "60", host={"ipc_mode": "shareable"})
        await box.run("true", host={"ipc_mode": f"container:{first}", "pid_mode": f"container:{first}"})
        await box.engine.containers.remove(first, force=True)
        return sum(target.startswith(kinds) for target in map(_target, Path("/proc/self/fd").iterdir()))

    kinds = ("anon_inode:[pidfd]", *(f"{kind}:" for kind in ("ipc", "mnt", "net", "pid", "user", "uts")))
    # the first one has the engine open what it keeps: its launcher, a network namespace that is ready (or is being made)
    opened = [await join() for _ in range(3)]
    assert opened[-1] <= opened[0] + 1


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""
