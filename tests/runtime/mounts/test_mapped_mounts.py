"""ID-mapped mounts: which owners a container sees in a bind or volume with ``idmap``, and which are on disk."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moby_tui.cli.values.mounts import parse_mount
from moby_tui.engine.policy import mount_ids
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.container import RestartPolicy
from runtime.box import Box

Cli = Callable[..., subprocess.CompletedProcess[str]]
USERNS: dict[str, Any] = {"userns_mode": "private:uidmapping=0:500000:2000"}
WRITE = "stat -c '%u:%g' /m/theirs; touch /m/new; stat -c '%u:%g' /m/new"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of user 1000, group 1001, with a file of theirs; every user may look into the folders above."""
    for path in (tmp_path, *list(tmp_path.parents)[:-1]):
        path.chmod(path.stat().st_mode | 0o005)
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "theirs").touch()
    for path in (folder, folder / "theirs"):
        os.chown(path, 1000, 1001)
    return folder


def owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


async def seen(box: Box, host: dict[str, Any], script: str = WRITE) -> list[str]:
    done = await box.run("sh", "-c", script, host=host)
    assert done.code == 0, done.err
    return done.out.split()


async def test_what_the_root_of_a_container_writes_belongs_to_the_owner_of_the_source(box: Box, source: Path) -> None:
    words = "idmap=uids=1000-0-1;gids=1001-0-1"
    for asked in ({"mounts": [parse_mount(f"type=bind,source={source},target=/m,{words}")]}, {"binds": [f"{source}:/m:{words}"]}):
        assert await seen(box, asked) == ["0:0", "0:0"]
        assert owner(source / "new") == (1000, 1001)
        (source / "new").unlink()
    # @: the id in the container, here 500000 of the host
    relative = {"binds": [f"{source}:/m:idmap=uids=@1000-0-1;gids=@1001-0-1"]}
    assert await seen(box, USERNS | relative) == ["0:0", "0:0"] and owner(source / "new") == (1000, 1001)


async def test_the_container_s_own_map(box: Box, source: Path) -> None:
    mount = {"mounts": [parse_mount(f"type=bind,source={source},target=/m,idmap")]}
    os.chown(source, 0, 0)
    assert await seen(box, USERNS | mount) == ["1000:1001", "0:0"]
    assert owner(source / "new") == (0, 0)
    # a volume has its ids mapped in a user namespace, said or not; with a map of its own by that one
    script = "touch /v/a && chown 5:6 /v/a; stat -c '%u:%g' /v/a"
    for words in ("", ",idmap", ",idmap=true"):
        volume = {"mounts": [parse_mount(f"type=volume,source=vol,target=/v{words}")]}
        assert await seen(box, USERNS | volume, script) == ["5:6"]
    mapped = {"mounts": [parse_mount("type=volume,source=vol,target=/v,idmap=uids=@5-1-1")]}
    assert await seen(box, USERNS | mapped, "stat -c '%u:%g' /v/a /v") == ["1:6", "65534:0"]
    assert owner(box.engine.paths.volumes / "vol/_data/a") == (5, 6)


async def test_a_part_of_a_volume_a_restart_and_a_container_that_does_not_run(box: Box) -> None:
    await seen(box, {"binds": ["vol:/v"]}, "mkdir /v/a; chown 1000:1001 /v/a")
    words = "type=volume,source=vol,target=/m,volume-subpath=a,idmap=uids=1000-0-1;gids=1001-0-1"
    ident = await box.create(
        "sh", "-c", "[ $(stat -c %u:%g /m) = 0:0 ] && echo >> /m/written", host={"mounts": [parse_mount(words)]}
    )
    folder = box.engine.paths.volumes / "vol/_data/a"

    async def pieces() -> AsyncIterator[bytes]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("put"))
        yield packed.getvalue()

    await box.engine.containers.archive_put(ident, "/m", pieces())
    assert owner(folder / "put") == (1000, 1001)
    for _ in range(2):
        waiter = await box.engine.containers.wait(ident, condition="next-exit")
        await box.engine.containers.start(ident)
        assert (await waiter.result()).status_code == 0
    assert (folder / "written").read_text() == "\n\n" and {owner(path) for path in folder.iterdir()} == {(1000, 1001)}
    [mount] = (await box.engine.containers.inspect(ident)).mounts
    assert mount.mode == "idmap=uids=1000-0-1;gids=1001-0-1"
    inherited = await seen(box, {"volumes_from": [ident]}, "stat -c %u:%g /m")
    assert inherited == ["0:0"]


async def test_a_policy_s_restart_maps_anew(box: Box, source: Path) -> None:
    restarts = RestartPolicy(name="on-failure", maximum_retry_count=2)
    host = {"binds": [f"{source}:/m:idmap=uids=1000-0-1;gids=1001-0-1"], "restart_policy": restarts}
    ident = await box.create("sh", "-c", "stat -c %u:%g /m >> /m/seen; exit 1", host=host)
    waiter = await box.engine.containers.wait(ident)
    await box.engine.containers.start(ident)
    await waiter.result()
    while (await box.engine.containers.inspect(ident)).state.status != "exited":
        waiter = await box.engine.containers.wait(ident)
        await waiter.result()
    assert (source / "seen").read_text().split() == ["0:0"] * 3 and owner(source / "seen") == (1000, 1001)


def test_a_monitor_that_is_killed_as_it_maps_ids_leaves_no_process(cli: Cli, busybox: str, source: Path, tmp_path: Path) -> None:
    """The process that holds the new user namespace open ends with the one that wanted it. The engine starts the container again."""
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": "userns.made", "action": "kill"}))
    bind = f"{source}:/m:idmap=uids=1000-0-1;gids=1001-0-1"
    done = cli("run", "--rm", "--network", "none", "-v", bind, busybox, "stat", "-c", "%u", "/m", env={"MOBY_FAULT": str(fault)})
    assert done.stdout == "0\n" and (tmp_path / "fault.fired").exists()


@pytest.fixture
def without(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that has no ID-mapped mounts."""
    folder = tmp_path / "ram"
    folder.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_what_cannot_be_says_so(box: Box, source: Path, without: Path) -> None:
    async def refusal(bind: str, **host: Any) -> str:
        with pytest.raises(MobyError) as raised:
            await box.run("true", host={"binds": [bind]} | host)
        return str(raised.value)

    assert await refusal(f"{without}:/m:idmap", **USERNS) == (
        f"the file system of {without} (ramfs) has no ID-mapped mounts: map no ids, or use ext4, xfs, btrfs or tmpfs"
    )
    assert "idmap of the mount /m needs --userns, or a map: idmap=uids=" in await refusal(f"{source}:/m:idmap")
    other = await box.start("sleep", "60")
    assert "needs --userns" in await refusal(f"{source}:/m:idmap", userns_mode=f"container:{other}")
    rows = "row @0-1999-2 of idmap=uids is not in one range of the container's user namespace"
    assert rows in await refusal(f"{source}:/m:idmap=uids=@0-1999-2", **USERNS)
    with pytest.raises(InvalidArgument, match="field IDMap must not be specified"):
        await box.create("true", host={"mounts": [parse_mount("type=tmpfs,target=/m,idmap")]})


@pytest.mark.parametrize(
    "word",
    [
        "idmap=",
        "idmap=uids",
        "idmap=uids=",
        "idmap=foo=0-1-2",
        "idmap=uids=0-1-2;uids=0-1-2",
        "idmap=uids=0-1-10#10-11-10;gids=0-3-10#0-12",
        "idmap=uids=0-1-10;gids=0-3-10#0-12--12",
        "idmap=uids=-1-12-12",
        "idmap=uids=0-1-0",
        "idmap=uids=0-1-10##30-31-1",
        "idmap=uids=0-1-10#5-20-10",
        "idmap=uids=4294967295-0-1",
        "idmap=uids=0-٣-1",
    ],
)
def test_maps_that_cannot_be(word: str) -> None:
    with pytest.raises(InvalidArgument):
        mount_ids.parse(word)


def test_maps_are_read_as_podman_reads_them() -> None:
    container = [{"containerID": 0, "hostID": 0, "size": 1}, {"containerID": 1, "hostID": 2, "size": 1000}]
    ids = mount_ids.parse("idmap=uids=@1-3-10#100-200-5")
    assert ids.maps(container, container) == (
        [{"containerID": 1, "hostID": 4, "size": 10}, {"containerID": 100, "hostID": 200, "size": 5}],
        container,
    )
    assert mount_ids.parse("idmap") == mount_ids.MountIds() and mount_ids.of_mode("ro,nocopy") is None
