"""Owner and mode of a new volume: ``uid``, ``gid`` and ``mode``, by the command line, the API and the engine itself."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import leaks
from moby_tui.cli.values.mounts import parse_mount
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import ContainerCreate, HostConfig, Mount
from moby_tui.schema.volume import VolumeCreate
from runtime.box import Box

Cli = Callable[..., subprocess.CompletedProcess[str]]


def told(folder: Path) -> tuple[int, int, str]:
    status = folder.stat()
    return status.st_uid, status.st_gid, f"{stat.S_IMODE(status.st_mode):o}"


def data(engine: Engine, name: str) -> Path:
    return engine.paths.volumes / name / "_data"


async def make(engine: Engine, name: str, **options: str) -> Path:
    return Path((await engine.volumes.create(VolumeCreate(name=name, driver_opts=options))).mountpoint)


async def test_a_new_volume_has_the_owner_and_mode_that_are_asked_for(engine: Engine) -> None:
    assert told(await make(engine, "all", uid="1000", gid="1001", mode="2770")) == (1000, 1001, "2770")
    assert told(await make(engine, "one", gid="7")) == (0, 7, "755")
    assert told(await make(engine, "podman", o="uid=5,gid=6,mode=0700")) == (5, 6, "700")
    assert told(await make(engine, "plain")) == (0, 0, "755")
    # one that is there keeps what it has
    assert told(await make(engine, "all", uid="3")) == (1000, 1001, "2770")
    clone = await engine.volumes.clone("all", "clone")
    assert told(Path(clone.mountpoint)) == (1000, 1001, "2770")
    assert clone.options == {"uid": "1000", "gid": "1001", "mode": "2770"}


async def test_the_image_s_content_does_not_change_them(engine: Engine, busybox: str) -> None:
    def mounted(*specs: str) -> ContainerCreate:
        host = HostConfig(network_mode="none", mounts=[parse_mount(spec) for spec in specs])
        return ContainerCreate(image=busybox, cmd=["true"], host_config=host)

    await make(engine, "bin", uid="1000")
    await engine.containers.create(
        mounted(
            "type=volume,source=bin,target=/bin",
            "type=volume,source=two,target=/two,volume-opt=uid=8",
        )
    )
    await engine.containers.create(mounted("type=volume,source=both,target=/bin,uid=5,gid=6,mode=0711"))
    assert told(data(engine, "bin")) == (1000, 0, "755") and (data(engine, "bin") / "busybox").stat().st_uid == 0
    assert told(data(engine, "both")) == (5, 6, "711") and os.listdir(data(engine, "both"))
    assert told(data(engine, "two")) == (8, 0, "755")
    with pytest.raises(InvalidArgument, match="the volume option uid"):
        await engine.containers.create(mounted("type=volume,source=bad,target=/b,uid=root"))
    with pytest.raises(InvalidArgument, match=r"cannot mix 'volume-.' options with mount type 'tmpfs'"):
        parse_mount("type=tmpfs,target=/t,mode=700")


async def test_a_volume_with_a_size_or_in_a_user_namespace(engine: Engine, busybox: str) -> None:
    await make(engine, "small", size="4m", uid="1000", mode="0700")
    box = Box(engine, busybox)
    for host in ({}, {"userns_mode": "auto"}):
        mounts = {"mounts": [Mount(type="volume", source="small", target="/v")]}
        done = await box.run("sh", "-c", "stat -c '%u:%g %a' /v", host=host | mounts)
        assert done.out == "1000:0 700\n", done.err
    # the monitor unmounts it when the container has ended
    assert (
        leaks.settled(lambda: [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "small" in line]) == []
    )


def test_a_creation_that_was_killed(cli: Cli, roots: tuple[Path, Path], tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": "volumes.owner set", "action": "kill"}))
    killed = cli("volume", "create", "-o", "uid=1000", "-o", "mode=700", "vol", env={"MOBY_FAULT": str(fault)}, check=False)
    assert killed.returncode != 0 and cli("volume", "ls", "-q").stdout == ""
    cli("volume", "create", "vol")
    assert told(roots[0] / "volumes/vol/_data") == (0, 0, "755")
