"""What a process of a container holds: capabilities, keyrings, devices, sockets of the host."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from moby_tui.schema.exec import ExecCreate, ExecStart
from security.attacker import INTERPRETER, Attacker, with_python

STATUS = ("grep", "-E", "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp:)", "/proc/self/status")


def values(text: str) -> dict[str, int]:
    return {line.split()[0].rstrip(":"): int(line.split()[1], 16) for line in text.splitlines()}


@pytest.mark.parametrize("user", ["", "1000", "0:1000"])
@pytest.mark.parametrize("add", [[], ["NET_ADMIN"], ["ALL"]])
async def test_nothing_is_inherited(attacker: Attacker, user: str, add: list[str]) -> None:
    """CVE-2022-24769, CVE-2022-29162: with an inheritable set, a file's capabilities would raise more than was granted."""
    ident = await attacker.start("sleep", "60", user=user, host={"cap_add": add})
    for done in (
        await attacker.exec(ident, *STATUS, user=user),
        await attacker.run(*STATUS, user=user, host={"cap_add": add}),
    ):
        sets = values(done.out)
        assert sets["CapInh"] == sets["CapAmb"] == 0
        assert bool(sets["CapEff"]) == bool(sets["CapPrm"]) == (user != "1000")
        assert sets["Seccomp"] == 2


async def test_no_new_privileges_holds_for_execs_too(attacker: Attacker) -> None:
    host = {"security_opt": ["no-new-privileges"]}
    ident = await attacker.start("sleep", "60", host=host)
    assert values((await attacker.exec(ident, *STATUS)).out)["NoNewPrivs"] == 1


KEYRING = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall({"x86_64": 250, "aarch64": 219}[__import__("os").uname().machine], 0, ctypes.c_int(-3), 0), ctypes.get_errno())
"""


async def test_the_keyring_is_not_the_hosts(attacker: Attacker) -> None:
    """Keys of the host's session; the filter keeps the call itself from those who are not privileged."""
    refused = (await attacker.python(KEYRING)).out.split()
    assert refused == ["-1", "1"]
    import ctypes

    ours = ctypes.CDLL(None).syscall({"x86_64": 250, "aarch64": 219}[os.uname().machine], 0, ctypes.c_int(-3), 0)
    theirs = (await attacker.python(KEYRING, host={"privileged": True})).out.split()
    assert theirs[0] != str(ours)


RAW = """
i=0
for spec in "b 7 0" "b 8 0" "b 254 0" "c 1 1" "c 1 2" "c 1 4" "c 10 223" "c 10 237" "c 4 0" "c 108 0" "c 10 200"; do
  i=$((i+1)); mknod /raw$i $spec 2>/dev/null || echo "no node $spec"
  head -c 1 /raw$i >/dev/null 2>/tmp-err && echo "read $spec"
  true 2>/dev/null <>/raw$i && echo "opened $spec"
done
echo done
"""


async def test_raw_devices_cannot_be_opened(attacker: Attacker) -> None:
    """Disks, memory and kernel interfaces: a node can be made (CAP_MKNOD), and leads nowhere."""
    assert (await attacker.run("sh", "-c", RAW)).out == "done\n"
    ident = await attacker.start("sleep", "60")
    assert (await attacker.exec(ident, "sh", "-c", RAW)).out == "done\n"


async def test_abstract_sockets_of_the_host_are_out_of_reach(attacker: Attacker) -> None:
    """CVE-2020-15257: an abstract socket belongs to a network namespace, and no file protects it."""
    name = f"\0moby-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({name!r}); print('connected')"
        done = await attacker.python(code)
        assert "connected" not in done.out and "refused" in done.err
        ident = await attacker.start("sleep", "60", **with_python({}))
        assert "connected" not in (await attacker.exec(ident, INTERPRETER, "-ISc", code)).out


async def test_our_own_sockets_are_no_abstract_ones(attacker: Attacker) -> None:
    await attacker.start("sleep", "60")
    assert not [line for line in Path("/proc/self/net/unix").read_text().splitlines() if "@" in line and "moby-test" not in line]


async def test_privileged_hears_what_is_missing(attacker: Attacker) -> None:
    from moby_tui.engine.policy import capabilities
    from moby_tui.schema.container import ContainerCreate, HostConfig

    missing = capabilities.resolve(None, None, privileged=True).missing
    asked = ContainerCreate(image=attacker.image, cmd=["true"], host_config=HostConfig(privileged=True, network_mode="none"))
    created = await attacker.engine.containers.create(asked)
    assert bool(missing) == any("does not hold" in warning for warning in created.warnings)


SYSCALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for number in NUMBERS:
    ctypes.set_errno(0)
    print(libc.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0, 0), ctypes.get_errno())
"""


async def test_system_calls_that_break_out(attacker: Attacker) -> None:
    """unshare, mount, setns, pivot_root, bpf, keyctl, userfaultfd, open_by_handle_at, init_module, kexec_load, ptrace's kin."""
    import pyseccomp

    names = ["unshare", "mount", "setns", "pivot_root", "bpf", "add_key", "userfaultfd", "open_by_handle_at", "init_module"]
    names += ["kexec_load", "fsopen", "open_tree", "perf_event_open", "io_uring_setup", "swapon", "reboot", "pidfd_getfd", "acct"]
    numbers = [pyseccomp.resolve_syscall(pyseccomp.system_arch(), name) for name in names]
    done = await attacker.python(SYSCALLS.replace("NUMBERS", repr(numbers)))
    assert done.out.splitlines() == ["-1 1"] * len(names)


TRACER = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
while True:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline").read()
        except OSError:
            continue
        if words == "cat\\0" and libc.ptrace(0x4206, int(pid), None, None) == 0:
            open("/seized", "w").close()
            time.sleep(1000)
    time.sleep(0.01)
"""


async def test_an_end_that_a_tracer_keeps_does_not_hold_the_monitor_up(attacker: Attacker) -> None:
    """ptrace(2): a tracer is shown the end first, and its parent's wait blocks until the tracer has looked."""
    ident = await attacker.start(INTERPRETER, "-ISc", TRACER, **with_python({}))
    containers = attacker.engine.containers
    traced = await containers.exec_create(ident, ExecCreate(cmd=["cat"], attach_stdin=True, attach_stdout=True))
    stream = await containers.exec_start(traced, ExecStart())
    assert stream is not None
    async with asyncio.timeout(30):
        while (await attacker.exec(ident, "test", "-e", "/seized")).code:
            await asyncio.sleep(0.02)
        stream.close_stdin()
        while (await attacker.exec(ident, "sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status")).code:
            await asyncio.sleep(0.02)
        assert (await containers.exec_inspect(traced)).running
        assert (await attacker.exec(ident, "echo", "served")).out == "served\n"
        await containers.stop(ident, timeout=0)
    stream.close()
    assert not (await containers.exec_inspect(traced)).running
