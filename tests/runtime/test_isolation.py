"""What a container sees and may do; each attack that a step of the start answers is tried."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest

from moby_tui.engine.kernel.cgroup import detect
from moby_tui.schema.container import DeviceMapping, LogOptions
from moby_tui.schema.exec import ExecCreate, ExecStart
from runtime.box import Box, cgroup_folders


async def test_mounts_are_the_expected_ones(box: Box) -> None:
    done = await box.run("cat", "/proc/self/mounts")
    mounts = {line.split()[1]: line.split()[2:4] for line in done.out.splitlines()}
    sources = {line.split()[1]: line.split()[0] for line in done.out.splitlines()}
    named = {path: sources[path] for path in ("/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys")}
    assert [*named.values()] == ["overlay", "proc", "tmpfs", "devpts", "shm", "mqueue", "sysfs"]
    assert mounts["/"][0] == "overlay"
    assert mounts["/proc"][0] == "proc"
    assert mounts["/dev"][0] == "tmpfs"
    assert mounts["/dev/pts"][0] == "devpts"
    assert "ro" in mounts["/sys"][1].split(",")
    assert "ro" in mounts["/proc/sys"][1].split(",")
    for path in ("/proc", "/sys", "/dev/shm", "/dev/mqueue"):
        assert {"nosuid", "nodev", "noexec"} <= set(mounts[path][1].split(",")), path


async def test_nothing_of_a_container_shows_on_the_host(box: Box) -> None:
    ident = await box.start("sleep", "60")
    assert ident not in Path("/proc/self/mountinfo").read_text()


async def test_masked_paths_show_nothing(box: Box) -> None:
    done = await box.run(
        "sh",
        "-c",
        "cat /proc/keys /proc/timer_list /proc/interrupts | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w",
    )
    assert done.out.split() == ["0", "0"]


async def test_kernel_settings_cannot_be_written(box: Box) -> None:
    done = await box.run(
        "sh", "-c", "echo 1 >/proc/sys/kernel/core_pattern || echo b >/proc/sysrq-trigger || mount -o remount,rw /proc/sys"
    )
    assert done.code != 0
    assert Path("/proc/sys/kernel/core_pattern").read_text() != "1\n"


async def test_read_only_root(box: Box) -> None:
    done = await box.run("sh", "-c", "touch /x; touch /dev/shm/y && echo shm", host={"readonly_rootfs": True})
    assert done.out == "shm\n"
    assert "Read-only" in done.err


async def test_only_its_own_devices(box: Box) -> None:
    done = await box.run(
        "sh",
        "-c",
        "mknod /disk b 8 0 && dd if=/disk count=1 of=/dev/null; mknod /mem c 1 1 && head -c1 /mem; head -c4 /dev/zero | wc -c",
    )
    assert done.out.split()[-1] == "4"
    assert done.err.lower().count("not permitted") >= 2


async def test_device_that_is_asked_for(box: Box) -> None:
    devices = [DeviceMapping(path_on_host="/dev/full", path_in_container="/dev/sub/other")]
    done = await box.run("sh", "-c", "echo x >/dev/sub/other", host={"devices": devices})
    assert "No space" in done.err


async def test_no_new_privileges(box: Box) -> None:
    done = await box.run("grep", "NoNewPrivs", "/proc/self/status", host={"security_opt": ["no-new-privileges"]})
    assert done.out.split()[1] == "1"


async def test_system_calls_are_filtered(box: Box) -> None:
    done = await box.run("sh", "-c", "grep '^Seccomp:' /proc/self/status; unshare -m true")
    assert done.out.split()[1] == "2"
    assert "not permitted" in done.err.lower()


async def test_memory_limit_is_kept_and_told(box: Box) -> None:
    done = await box.run(
        "sh", "-c", "head -c 100m /dev/zero | tail -c 90m | wc -c", host={"memory": 16 << 20, "memory_swap": 16 << 20}
    )
    assert (await box.engine.containers.inspect(done.id)).state.oom_killed


async def test_process_limit(box: Box) -> None:
    done = await box.run("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait", host={"pids_limit": 5})
    assert "can't fork" in done.err or "Resource temporarily" in done.err


async def test_control_group_goes_with_it(box: Box) -> None:
    ident = await box.start("sleep", "60")
    assert cgroup_folders(ident)
    await box.engine.containers.remove(ident, force=True)
    assert not cgroup_folders(ident)


async def test_link_at_a_mount_point_stays_inside(box: Box, tmp_path: Path) -> None:
    """CVE-2021-30465: a destination that is a link to the outside."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").write_text("bound")
    first = await box.run("sh", "-c", "ln -s ../../../../../../etc /escape")
    done = await box.run("cat", "/escape/sub/file", host={"binds": [f"{inside}:/escape/sub"]})
    assert done.code == 0 and done.out == "bound"
    assert first.code == 0
    assert not Path("/etc/sub").exists()


async def test_working_directory_cannot_be_the_hosts(box: Box) -> None:
    """CVE-2024-21626: a descriptor of the host as the working directory."""
    for number in range(3, 12):
        ident = await box.create("sh", "-c", "ls ../../../../../../var/tmp; pwd", working_dir=f"/proc/self/fd/{number}")
        try:
            await box.engine.containers.start(ident)
        except Exception:
            continue
        waiter = await box.engine.containers.wait(ident)
        await waiter.result()
        lines = [line async for _, line in box.engine.containers.logs(ident, LogOptions())]
        assert not any(b"moby" in line for line in lines)


async def test_our_own_program_is_out_of_reach(box: Box) -> None:
    """CVE-2019-5736: /proc/PID/exe of whoever enters the container, to be opened and overwritten."""
    loop = "while :; do for p in /proc/[0-9]*; do readlink $p/exe; true >>$p/exe; done; done 2>/dev/null"
    ident = await box.start("sh", "-c", loop)
    for _ in range(30):
        execution = await box.engine.containers.exec_create(ident, ExecCreate(cmd=["true"]))
        stream = await box.engine.containers.exec_start(execution, ExecStart())
        assert stream is not None
        assert [piece async for piece in stream.output()] == []
    await box.engine.containers.kill(ident)
    seen = {line async for _, line in box.engine.containers.logs(ident, LogOptions())}
    assert seen == {b"/bin/busybox\n"}


async def test_files_of_the_image_do_not_run_in_our_interpreter(box: Box) -> None:
    """CVE-2019-14271: a module or library that the start would load under the new root."""
    import encodings
    import sysconfig

    library = sysconfig.get_paths()["stdlib"]
    poison = (
        f"mkdir -p {library}/encodings /lib64; for f in traceback.py linecache.py encodings/idna.py encodings/ascii.py;"
        f' do echo \'open("/poisoned","w")\' >{library}/$f; done; echo x >/lib64/libnss_files.so.2'
    )
    ident = await box.start("sh", "-c", f"{poison}; sleep 60")
    # the image has no passwd file: a name is looked up in vain
    for command, user in product((["nope"], ["true"], ["/etc"]), ("root", "0")):
        try:
            execution = await box.engine.containers.exec_create(ident, ExecCreate(cmd=command, user=user))
            stream = await box.engine.containers.exec_start(execution, ExecStart())
        except Exception:
            continue
        assert stream is not None
        assert [piece async for piece in stream.output()] == []
    await box.engine.containers.stop(ident, timeout=0)
    changed = {change.path for change in await box.engine.containers.changes(ident)}
    assert "/poisoned" not in changed
    assert encodings


async def test_writable_bind_and_read_only_bind(box: Box, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("content")
    binds = [f"{tmp_path}:/data", f"{tmp_path}:/ro:ro"]
    done = await box.run("sh", "-c", "cat /ro/in; echo new >/data/out; echo no >/ro/out2", host={"binds": binds})
    assert done.out == "content" and "Read-only" in done.err
    assert (tmp_path / "out").read_text() == "new\n"


async def test_mount_in_the_container_does_not_reach_the_host(box: Box, tmp_path: Path) -> None:
    done = await box.run("mount", "-t", "tmpfs", "none", "/data", host={"binds": [f"{tmp_path}:/data"], "privileged": True})
    assert done.code == 0
    assert not os.path.ismount(tmp_path)


async def test_named_volume_is_kept_and_shared(box: Box) -> None:
    await box.run("sh", "-c", "echo kept >/v/file", host={"binds": ["vol:/v"]})
    done = await box.run("cat", "/w/file", host={"binds": ["vol:/w:ro"]})
    assert done.out == "kept\n"


async def test_tmpfs(box: Box) -> None:
    done = await box.run("sh", "-c", "grep ' /t ' /proc/self/mounts", host={"tmpfs": {"/t": "size=64k"}})
    assert "size=64k" in done.out


@pytest.mark.parametrize(
    ("option", "shown"),
    [("shared", " shared:"), ("rshared", " shared:"), ("unbindable", " unbindable "), ("rslave", ""), ("mand", "")],
)
async def test_propagation_of_a_tmpfs(box: Box, option: str, shown: str) -> None:
    done = await box.run("grep", " /t ", "/proc/self/mountinfo", host={"tmpfs": {"/t": f"{option},size=64k"}})
    assert "size=64k" in done.out and (shown or " - tmpfs") in done.out
    assert any(word in done.out for word in ("shared:", "unbindable")) == bool(shown)


@pytest.mark.parametrize("pid_mode", ["", "host"], ids=["made-ahead", "cloned"])
@pytest.mark.parametrize("privileged", [False, True])
async def test_the_cgroup_namespace_is_as_dockers(box: Box, privileged: bool, pid_mode: str) -> None:
    """With version 1 the host's, in which the mounts show the container's own groups all the same; writable ones with ``--privileged``."""
    script = "cat /proc/self/cgroup; echo; grep ' /sys/fs/cgroup/memory ' /proc/self/mountinfo; ls /sys/fs/cgroup/memory/tasks"
    host = {"privileged": privileged, "pid_mode": pid_mode}
    legacy = detect().version == 1
    for mode in ("", "host", "private"):
        done = await box.run("sh", "-c", script, host={**host, "cgroupns_mode": mode})
        named, mounts = done.out.split("\n\n")
        own = f"/moby/{done.id}"
        kept = (await box.engine.containers.inspect(done.id)).host_config.cgroupns_mode
        assert kept == (mode or ("host" if legacy else "private"))
        assert (f":{own}\n" in named) == (kept == "host")
        if legacy:
            root, _, options = mounts.split()[3:6]
            assert root == ("/" if kept == "private" else own) and options.startswith("rw," if privileged else "ro,")
            assert mounts.endswith("/tasks\n")


@pytest.mark.parametrize("privileged", [False, True])
async def test_privileged_has_what_there_is(box: Box, privileged: bool) -> None:
    done = await box.run(
        "sh",
        "-c",
        "mkdir /mnt; mount -t tmpfs none /mnt 2>/dev/null && echo mounted; test -w /proc/sys/kernel/hostname && echo sys",
        host={"privileged": privileged},
    )
    assert (done.out == "mounted\nsys\n") == privileged
