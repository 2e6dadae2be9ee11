"""What the container's process is: its identity, environment, limits, streams and exit."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from moby_tui.errors import CommandNotFound, CommandNotInvocable, Conflict, InvalidArgument, NotModified
from moby_tui.schema.container import AttachOptions, LogOptions, Ulimit
from moby_tui.schema.exec import ExecCreate, ExecStart
from runtime.box import Box


async def test_output_and_exit_code(box: Box) -> None:
    done = await box.run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


async def test_is_first_process_of_its_own_namespaces(box: Box) -> None:
    done = await box.run(
        "sh",
        "-c",
        "echo $$; hostname; cat /proc/self/cgroup | grep -c ':/$'; ls /proc | grep -c '^[0-9]'",
        host={"cgroupns_mode": "private"},
    )
    pid, hostname, cgroups, processes = done.out.split()
    assert pid == "1"
    assert hostname == done.id[:12]
    assert int(cgroups) >= 1
    assert int(processes) <= 4


async def test_signals_are_as_a_program_expects(box: Box) -> None:
    done = await box.run("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    assert set(done.out.split()[1::2]) == {"0" * 16}


async def test_no_descriptor_of_the_host_is_left_open(box: Box) -> None:
    done = await box.run("sh", "-c", "cd /proc/self/fd && echo *")
    # the last is the shell's own, of the folder that it reads
    assert done.out.split()[:3] == ["0", "1", "2"]
    assert len(done.out.split()) <= 4


async def test_default_capabilities_are_dockers(box: Box) -> None:
    done = await box.run("grep", "^Cap", "/proc/self/status")
    values = dict(line.split() for line in done.out.splitlines())
    assert values["CapBnd:"] == values["CapEff:"] == values["CapPrm:"] == "00000000a80425fb"
    assert values["CapInh:"] == values["CapAmb:"] == "0" * 16


async def test_user_without_privileges_has_none(box: Box) -> None:
    done = await box.run("sh", "-c", "id -u; id -g; grep CapEff /proc/self/status; echo ok >/dev/stdout", user="1000:1001")
    uid, gid, _, effective, wrote = done.out.split()
    assert (uid, gid, effective, wrote) == ("1000", "1001", "0" * 16, "ok")


async def test_unknown_user_is_refused(box: Box) -> None:
    ident = await box.create("true", user="nobody-of-that-name")
    with pytest.raises(InvalidArgument, match="unable to find user"):
        await box.engine.containers.start(ident)


async def test_missing_command_is_127_and_leaves_nothing(box: Box) -> None:
    ident = await box.create("no-such-command")
    with pytest.raises(CommandNotFound, match=r"executable file not found in \$PATH"):
        await box.engine.containers.start(ident)
    seen = await box.engine.containers.inspect(ident)
    assert (seen.state.status, seen.state.exit_code) == ("created", 127)


async def test_command_that_cannot_be_executed_is_126(box: Box) -> None:
    ident = await box.create("/etc")
    with pytest.raises(CommandNotInvocable, match="permission denied"):
        await box.engine.containers.start(ident)
    assert (await box.engine.containers.inspect(ident)).state.exit_code == 126


async def test_killed_by_a_signal_is_128_and_its_number(box: Box) -> None:
    assert (await box.run("sh", "-c", "kill -9 $$; sleep 5 & kill -SEGV $!; wait $!")).code in (0, 139)
    ident = await box.start("sleep", "60")
    await box.engine.containers.kill(ident, signal="KILL")
    assert (await box.engine.containers.inspect(ident)).state.exit_code == 137


async def test_input_reaches_it_and_its_end_too(box: Box) -> None:
    data = bytes(range(256)) * 4096
    done = await box.run("sh", "-c", "md5sum | cut -c1-32; wc -c </dev/null", stdin=data)
    import hashlib

    assert done.out.split()[0] == hashlib.md5(data).hexdigest()


async def test_much_output_arrives_whole(box: Box) -> None:
    done = await box.run("sh", "-c", "yes 0123456789abcde | head -c 8000000")
    assert len(done.out) == 8_000_000


async def test_environment_and_directory(box: Box) -> None:
    done = await box.run("sh", "-c", "pwd; echo $A; echo $HOME; echo $PATH", env=["A=b"], working_dir="/new/dir")
    assert done.out.splitlines() == ["/new/dir", "b", "/", "/bin"]


async def test_limits_of_the_process(box: Box) -> None:
    done = await box.run("sh", "-c", "ulimit -n", host={"ulimits": [Ulimit(name="nofile", soft=77, hard=99)]})
    assert done.out.strip() == "77"


async def test_terminal(box: Box) -> None:
    done = await box.run(
        "sh", "-c", "tty; ls -l /proc/self/fd/0 | sed 's/.*-> //'; test -c /dev/console && echo console", tty=True
    )
    assert done.out.split() == ["/dev/pts/0", "/dev/pts/0", "console"]


async def test_resize_reaches_the_terminal(box: Box) -> None:
    ident = await box.create("sh", "-c", "until stty size 2>&1 | grep '^[1-9]'; do sleep 0.01; done", tty=True)
    stream = await box.engine.containers.attach(ident, AttachOptions())
    await box.engine.containers.start(ident)
    await box.engine.containers.resize(ident, height=33, width=101)
    out = b"".join([data async for _, data in stream.output()])
    assert out.split() == [b"33", b"101"]


async def test_detach_keys_leave_it_running(box: Box) -> None:
    ident = await box.create("cat", tty=True, open_stdin=True)
    stream = await box.engine.containers.attach(ident, AttachOptions(stdin=True))
    await box.engine.containers.start(ident)
    await stream.write(b"hello\x10.\n")
    out = b""
    async for _, data in stream.output():
        out += data
        if out.count(b"hello") == 2:
            await stream.write(b"\x10\x11")
    assert b"hello\x10." in out
    assert (await box.engine.containers.inspect(ident)).state.running


async def test_two_attached_see_the_same(box: Box) -> None:
    ident = await box.create("sh", "-c", "read x; echo got $x", open_stdin=True)
    first = await box.engine.containers.attach(ident, AttachOptions(stdin=True))
    second = await box.engine.containers.attach(ident, AttachOptions())
    await box.engine.containers.start(ident)
    await first.write(b"word\n")
    for stream in (first, second):
        assert [data async for _, data in stream.output()] == [b"got word\n"]


async def test_log_keeps_what_was_written(box: Box) -> None:
    done = await box.run("sh", "-c", "echo one; echo two >&2; echo three")
    lines = [line async for line in box.engine.containers.logs(done.id, LogOptions())]
    assert sorted(lines) == sorted([(1, b"one\n"), (2, b"two\n"), (1, b"three\n")])


async def test_start_twice_and_after_its_end(box: Box) -> None:
    ident = await box.start("sh", "-c", "echo run >>/runs; cat /runs; sleep 30")
    with pytest.raises(NotModified):
        await box.engine.containers.start(ident)
    async for _, line in box.engine.containers.logs(ident, LogOptions(follow=True)):
        assert line == b"run\n"
        break  # the first run has written: to be killed before that is its right, and then two lines come in all
    await box.engine.containers.stop(ident, timeout=0)
    await box.engine.containers.start(ident)
    seen = 0
    async for _, line in box.engine.containers.logs(ident, LogOptions(follow=True)):
        seen += line == b"run\n"
        if seen == 3:
            await box.engine.containers.kill(ident)
    assert seen == 3


async def test_stop_asks_first(box: Box) -> None:
    ident = await box.start("sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done")
    async for _, line in box.engine.containers.logs(ident, LogOptions(follow=True)):
        assert line == b"ready\n"
        break
    await box.engine.containers.stop(ident, timeout=30)
    assert (await box.engine.containers.inspect(ident)).state.exit_code == 3
    with pytest.raises(NotModified):
        await box.engine.containers.stop(ident)


async def test_pause_stops_the_clock(box: Box) -> None:
    ident = await box.start("sh", "-c", "while :; do echo x; sleep 0.02; done")
    await box.engine.containers.pause(ident)
    assert (await box.engine.containers.inspect(ident)).state.status == "paused"
    before = [line async for line in box.engine.containers.logs(ident, LogOptions())]
    await asyncio.sleep(0.3)
    assert len([line async for line in box.engine.containers.logs(ident, LogOptions())]) <= len(before) + 1
    with pytest.raises(Conflict):
        await box.engine.containers.pause(ident)
    await box.engine.containers.unpause(ident)
    await box.engine.containers.pause(ident)
    await box.engine.containers.kill(ident)
    assert (await box.engine.containers.inspect(ident)).state.exit_code == 137


async def test_exec(box: Box) -> None:
    ident = await box.start("sleep", "60")
    config = ExecCreate(cmd=["sh", "-c", "cat; echo $$ $A; ps | wc -l; hostname; exit 5"], env=["A=b"], attach_stdin=True)
    execution = await box.engine.containers.exec_create(ident, config)
    assert (await box.engine.containers.exec_inspect(execution)).exit_code is None
    stream = await box.engine.containers.exec_start(execution, ExecStart())
    assert stream is not None
    await stream.write(b"input\n")
    stream.close_stdin()
    out = b"".join([data async for _, data in stream.output()]).decode().splitlines()
    assert out[0] == "input"
    assert out[1].split()[0] != "1" and out[1].split()[1] == "b"
    assert out[3] == ident[:12]
    seen = await box.engine.containers.exec_inspect(execution)
    assert (seen.running, seen.exit_code) == (False, 5)
    with pytest.raises(Conflict):
        await box.engine.containers.exec_start(execution, ExecStart())


async def test_exec_with_a_terminal(box: Box) -> None:
    ident = await box.start("sleep", "60")
    execution = await box.engine.containers.exec_create(
        ident, ExecCreate(cmd=["sh", "-c", "stty size; tty"], tty=True, console_size=[20, 70])
    )
    stream = await box.engine.containers.exec_start(execution, ExecStart(tty=True))
    assert stream is not None
    out = b"".join([data async for _, data in stream.output()]).split()
    assert out == [b"20", b"70", b"/dev/pts/0"]


@pytest.mark.parametrize(("command", "kind", "code"), [("nope", CommandNotFound, 127), ("/etc", CommandNotInvocable, 126)])
async def test_exec_of_what_is_not_there(box: Box, command: str, kind: type[Exception], code: int) -> None:
    ident = await box.start("sleep", "60")
    execution = await box.engine.containers.exec_create(ident, ExecCreate(cmd=[command]))
    with pytest.raises(kind):
        await box.engine.containers.exec_start(execution, ExecStart())
    assert (await box.engine.containers.exec_inspect(execution)).exit_code == code
    assert (await box.engine.containers.inspect(ident)).state.running


async def test_many_execs_at_once(box: Box) -> None:
    ident = await box.start("sleep", "60")

    async def one(number: int) -> bytes:
        execution = await box.engine.containers.exec_create(ident, ExecCreate(cmd=["sh", "-c", f"sleep 0.1; echo {number}"]))
        stream = await box.engine.containers.exec_start(execution, ExecStart())
        assert stream is not None
        return b"".join([data async for _, data in stream.output()])

    assert await asyncio.gather(*(one(number) for number in range(8))) == [f"{number}\n".encode() for number in range(8)]


async def test_output_of_a_child_that_outlives_it_does_not_hang(box: Box) -> None:
    done = await asyncio.wait_for(box.run("sh", "-c", "sleep 300 & echo done"), 20)
    assert done.out == "done\n"


async def test_who_leaves_a_top_leaves_no_process(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = shutil.copy("/bin/sleep", tmp_path / "ps-asleep")
    (tmp_path / "ps").write_text(f"#!/bin/sh\nexec {asleep} 60\n")
    (tmp_path / "ps").chmod(0o755)
    ident = await box.start("sleep", "1000")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asking = asyncio.create_task(box.engine.containers.top(ident))
    while not _children_named("ps-asleep"):
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert not _children_named("ps-asleep")


def _children_named(name: str) -> list[str]:
    found = []
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        with suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
    return found
