"""User namespaces of containers: what they see, what they may not, and that everything around them still shows the right owners."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import Mount, Ulimit
from moby_tui.schema.exec import ExecCreate, ExecStart
from runtime.box import Box
from runtime.running import execute

AUTO: dict[str, Any] = {"userns_mode": "auto"}


async def range_of(box: Box, ident: str) -> tuple[int, int]:
    first, host, size = map(int, (await execute(box, ident, "cat", "/proc/self/uid_map")).split())
    assert first == 0
    return host, size


async def test_root_inside_is_nobody_outside(box: Box) -> None:
    ident = await box.start("sleep", "60", host=AUTO)
    host, size = await range_of(box, ident)
    pid = (await box.engine.containers.inspect(ident)).state.pid
    assert size == 65536 and os.stat(f"/proc/{pid}").st_uid == host >= 2**16
    assert (await execute(box, ident, "id", "-u")).strip() == "0"


async def test_two_that_run_have_nothing_in_common(box: Box) -> None:
    spans = sorted([await range_of(box, await box.start("sleep", "60", host=AUTO)) for _ in range(3)])
    assert all(first + size <= following for (first, size), (following, _) in pairwise(spans))


async def test_a_range_is_free_again(box: Box) -> None:
    first = await box.start("sleep", "60", host=AUTO)
    taken = await range_of(box, first)
    await box.engine.containers.remove(first, force=True)
    assert await range_of(box, await box.start("sleep", "60", host=AUTO)) == taken


async def test_files_belong_to_whom_they_say(box: Box) -> None:
    seen = "/ /etc /bin/busybox /mine /dev/null /dev/shm/x /dev/mqueue /etc/hosts"
    script = f"touch /mine; chown 7:8 /mine; touch /dev/shm/x; stat -c '%u:%g' {seen}"
    done = await box.run("sh", "-c", script, host=AUTO)
    assert done.out.split() == ["0:0"] * 3 + ["7:8"] + ["0:0"] * 4, done.err
    # on disk they have the container's own ids: a later run with another range finds them again
    status = os.stat(box.engine.paths.container(done.id).upper / "mine")
    assert (status.st_uid, status.st_gid) == (7, 8)
    assert [change.path for change in await box.engine.containers.changes(done.id) if change.path == "/mine"]


async def test_volumes_have_the_same_owners_with_and_without(box: Box) -> None:
    volume = {"mounts": [Mount(type="volume", source="data", target="/data")]}
    await box.run("sh", "-c", "touch /data/a; chown 5:6 /data/a", host=AUTO | volume)
    done = await box.run("stat", "-c", "%u:%g", "/data/a", host=volume)
    assert done.out == "5:6\n"


async def test_a_file_of_the_hosts_root_is_closed(box: Box, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_mode & 0o005 != 0o005 and str(path) != "/":
            path.chmod(path.stat().st_mode | 0o005)
    done = await box.run("sh", "-c", "cat /s; stat -c %u /s; chmod 644 /s; chown 0 /s", host=AUTO | {"binds": [f"{secret}:/s"]})
    assert done.out == "65534\n" and done.err.count("ermi") == 2 + 1, done.err
    assert secret.stat().st_mode & 0o777 == 0o600


async def test_devices_are_there_and_none_can_be_made(box: Box) -> None:
    done = await box.run(
        "sh", "-c", "head -c4 /dev/zero | wc -c; echo x >/dev/null && echo written; mknod /x c 1 3; mknod /dev/x b 8 0", host=AUTO
    )
    assert done.out.split() == ["4", "written"] and done.err.count("Operation not permitted") == 2
    privileged = await box.run("sh", "-c", "mknod /x c 1 3 && head -c1 /x", host=AUTO | {"privileged": True})
    assert "not permitted" in privileged.err


async def test_capabilities_are_the_namespaces_alone(box: Box) -> None:
    done = await box.run("sh", "-c", "hostname inside && hostname; date -s 2001-01-01", host=AUTO | {"privileged": True})
    assert done.out.startswith("inside") and "not permitted" in done.err


async def test_no_groups_in_a_map_of_one(box: Box) -> None:
    """CVE-2014-8989: who has one id only must not get rid of a group that a file denies something to."""
    host = {"userns_mode": "private:uidmapping=0:500000:1", "cap_add": ["SETGID"]}
    done = await box.run(
        "sh", "-c", "cat /proc/self/setgroups; grep Groups /proc/self/status; su root -s /bin/sh -c id", host=host
    )
    assert done.out.split()[:2] == ["deny", "Groups:"]
    assert "uid=" not in done.out or "groups=0" in done.out


async def test_modes(box: Box) -> None:
    maps = {
        "host": ["0", "0", "4294967295"],
        "keep-id": ["0", "0", "4294967295"],
        "auto:size=2000": ["0", "1879048192", "2000"],
        "private:uidmapping=0:600000:10,uidmapping=10:700000:5,gidmapping=0:600000:100": [
            "0",
            "600000",
            "10",
            "10",
            "700000",
            "5",
        ],
    }
    own = os.readlink("/proc/self/ns/user")
    for mode, expected in maps.items():
        done = await box.run("sh", "-c", "cat /proc/self/uid_map; readlink /proc/self/ns/user", host={"userns_mode": mode})
        assert done.out.split()[:-1] == expected
        assert (done.out.split()[-1] == own) == (mode == "host")
    nomap = await box.run("cat", "/proc/self/uid_map", host={"userns_mode": "nomap"})
    assert nomap.out.split()[1] != "0"


async def test_a_user_that_is_not_mapped(box: Box) -> None:
    with pytest.raises(InvalidArgument, match="user 5000 is not mapped"):
        await box.start("true", host={"userns_mode": "auto:size=1000"}, user="5000")


async def test_with_what_is_the_hosts(box: Box) -> None:
    for shared in ("pid", "ipc", "uts", "network", "cgroupns"):
        done = await box.run("sh", "-c", "ls -d /proc/1 /sys/class; id -u", host=AUTO | {f"{shared}_mode": "host"})
        assert done.out.split() == ["/proc/1", "/sys/class", "0"], (shared, done.err)


async def test_network_of_its_own(box: Box) -> None:
    done = await box.run(
        "sh",
        "-c",
        "ip link add dummy0 type dummy; ping -c1 -W2 $(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p')",
        host=AUTO | {"network_mode": "bridge", "cap_add": ["NET_ADMIN"]},
    )
    assert "1 packets received" in done.out, done.err
    assert "not permitted" not in done.err


async def test_in_the_user_namespace_of_another(box: Box) -> None:
    first = await box.start("sleep", "60", host=AUTO | {"ipc_mode": "shareable"})
    other = f"container:{first}"
    done = await box.run(
        "sh", "-c", "cat /proc/self/uid_map; ps", host={"userns_mode": other, "pid_mode": other, "ipc_mode": other}
    )
    assert done.out.split()[1] == str((await range_of(box, first))[0]) and "sleep 60" in done.out
    with pytest.raises(InvalidArgument, match="from another user namespace"):
        await box.start("true", host=AUTO | {"pid_mode": other})
    joined = await box.run("ps", host={"pid_mode": other})
    assert "sleep 60" in joined.out


async def test_exec_as_a_user(box: Box) -> None:
    ident = await box.start("sleep", "60", host=AUTO)
    assert (await execute(box, ident, "id", user="1000:50")).startswith("uid=1000 gid=50")
    every = (await execute(box, ident, "grep", "CapEff", "/proc/self/status", privileged=True)).split()[1]
    assert int(every, 16) >> 21 & 1
    # privileged there, and nobody here
    assert "not permitted" in await execute(box, ident, "date", "-s", "2001-01-01", privileged=True)


async def test_terminal(box: Box) -> None:
    done = await box.run(
        "sh", "-c", "test -t 0 && stat -c %u:%g $(readlink /proc/self/fd/0); stat -c %u /dev/pts", host=AUTO, tty=True
    )
    assert done.out.split() == ["0:5", "0"]


async def test_limits_above_ours_can_be_had(box: Box) -> None:
    limits = [Ulimit(name="nofile", soft=100, hard=200)]
    done = await box.run("sh", "-c", "ulimit -n; ulimit -Hn", host=AUTO | {"ulimits": limits})
    assert done.out.split() == ["100", "200"]


async def archive_of(box: Box, ident: str, path: str) -> dict[str, tuple[int, int]]:
    _, pieces = await box.engine.containers.archive_get(ident, path)
    return owners_in(b"".join([piece async for piece in pieces]))


def owners_in(data: bytes) -> dict[str, tuple[int, int]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: (member.uid, member.gid) for member in archive}


async def one_file(uid: int, gid: int) -> AsyncIterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("folder", tarfile.DIRTYPE), ("folder/file", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid = kind, 0o755, uid, gid
            archive.addfile(member)
    yield buffer.getvalue()


@pytest.mark.parametrize("running", [True, False])
async def test_copies_have_the_containers_owners(box: Box, running: bool) -> None:
    ident = await box.start("sh", "-c", "touch /theirs; chown 5:6 /theirs; touch /ready; sleep 60", host=AUTO)
    while "ready" not in await execute(box, ident, "ls", "/"):
        pass
    if not running:
        await box.engine.containers.stop(ident, timeout=0)
    assert await archive_of(box, ident, "/theirs") == {"theirs": (5, 6)}
    await box.engine.containers.archive_put(ident, "/", one_file(3, 4))
    assert await archive_of(box, ident, "/folder") == {"folder": (3, 4), "folder/file": (3, 4)}
    exported = b"".join([piece async for piece in box.engine.containers.export(ident)])
    owners = owners_in(exported)
    assert owners["theirs"] == (5, 6) and owners["etc"] == (0, 0)
    if running:
        assert (await execute(box, ident, "stat", "-c", "%u:%g", "/folder/file")).strip() == "3:4"


async def test_detached_exec_still_starts(box: Box) -> None:
    ident = await box.start("sleep", "60", host=AUTO)
    execution = await box.engine.containers.exec_create(ident, ExecCreate(cmd=["touch", "/done"]))
    await box.engine.containers.exec_start(execution, ExecStart(detach=True))
    for _ in range(100):
        if "done" in await execute(box, ident, "ls", "/"):
            break
    assert "done" in await execute(box, ident, "ls", "/")
