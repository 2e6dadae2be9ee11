"""A process that is killed while it fills a volume: what others have written into the volume meanwhile stays, whoever fills it next."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def image(cli: Cli, busybox: str, tmp_path: Path) -> str:
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM busybox\nRUN mkdir /d && echo image > /d/a && echo image > /d/b\n")
    cli("build", "-q", "--network", "none", "-t", "full", str(tmp_path / "context"))
    return "full"


def create(cli: Cli, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Creates a container whose volume is filled."""
    return cli("create", "--network", "none", "-v", "named:/d", "full", "true", env=environment, check=check)


def kill(cli: Cli, tmp_path: Path, point: str) -> None:
    """Kills a process at a point of its filling of the volume."""
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": point, "action": "kill"}))
    killed = create(cli, check=False, MOBY_FAULT=str(fault))
    assert killed.returncode == -signal.SIGKILL


def contents(cli: Cli, volume: str = "named") -> dict[str, str]:
    """The files of a volume, as a container sees them, with what is in each."""
    script = "cd /look; for file in $(ls -A); do echo $file $(cat $file); done"
    shown = cli("run", "--rm", "--network", "none", "-v", f"{volume}:/look:nocopy", "busybox", "sh", "-c", script).stdout
    return dict(line.split(" ", 1) for line in shown.splitlines())


def write(cli: Cli, name: str = "mine") -> None:
    cli("run", "--rm", "--network", "none", "-v", "named:/v:nocopy", "busybox", "sh", "-c", f"echo mine > /v/{name}")


def nothing_left(volumes: Path) -> bool:
    return not [path for path in volumes.rglob(".*") if "copying" in path.name]


async def remove(engine: Engine, *names: str) -> None:
    for name in names:
        await engine.volumes.remove(name)


IMAGE = {"a": "image", "b": "image"}


@pytest.mark.parametrize(
    ("point", "placed"),
    [
        ("volumes.copy noted", {}),
        ("volumes.fill copied", {}),
        ("volumes.copy complete", IMAGE),
        ("volumes.copy entry placed", IMAGE),
    ],
)
def test_what_a_container_wrote_meanwhile_stays(cli: Cli, image: str, tmp_path: Path, point: str, placed: dict[str, str]) -> None:
    kill(cli, tmp_path, point)
    write(cli)
    create(cli)
    assert contents(cli) == {"mine": "mine"} | placed


def test_the_next_container_fills_a_volume_in_which_nothing_is(cli: Cli, image: str, tmp_path: Path) -> None:
    kill(cli, tmp_path, "volumes.fill copied")
    create(cli)
    assert contents(cli) == IMAGE


async def test_an_engine_that_was_open_meanwhile(cli: Cli, engine: Engine, image: str, tmp_path: Path) -> None:
    """It completes or undoes what the killed one has left before it reads, copies, renames or fills a volume."""
    for point, expected in (("volumes.fill copied", set[str]()), ("volumes.copy entry placed", {"a", "b"})):
        kill(cli, tmp_path, point)
        await engine.volumes.clone("named", "twin")
        assert {file.name async for file in engine.volumes.files("named")} == expected
        assert set(os.listdir(engine.paths.volumes / "twin/_data")) == expected and nothing_left(engine.paths.volumes)
        await remove(engine, "twin", "named")
        kill(cli, tmp_path, point)
        await engine.volumes.rename("named", "twin")
        assert set(os.listdir(engine.paths.volumes / "twin/_data")) == expected and nothing_left(engine.paths.volumes)
        await remove(engine, "twin")
        kill(cli, tmp_path, point)
        await engine.containers.create(
            ContainerCreate(image="full", cmd=["true"], host_config=HostConfig(binds=["named:/d"])), name="filler"
        )
        assert set(os.listdir(engine.paths.volumes / "named/_data")) == {"a", "b"} and nothing_left(engine.paths.volumes)
        await engine.containers.remove("filler")
        await remove(engine, "named")


async def test_a_volume_of_limited_size(cli: Cli, engine: Engine, image: str, tmp_path: Path) -> None:
    cli("volume", "create", "--opt", "size=8m", "named")
    kill(cli, tmp_path, "volumes.fill copied")
    write(cli)
    create(cli)
    assert contents(cli) == {"mine": "mine"} and nothing_left(engine.paths.volumes)


async def test_prune_takes_one_that_is_half_filled(cli: Cli, engine: Engine, image: str, tmp_path: Path) -> None:
    kill(cli, tmp_path, "volumes.copy entry placed")
    pruned = await engine.volumes.prune(filters={"all": ["true"]})
    assert pruned.volumes_deleted == ["named"]
    assert contents(cli) == {} and nothing_left(engine.paths.volumes)


@pytest.mark.parametrize("name", ["mine", "a"])
async def test_what_a_container_writes_during_the_copy_stays(cli: Cli, image: str, tmp_path: Path, name: str) -> None:
    """The volume is then one that has content, and the copy is dropped."""
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": "volumes.fill copied", "action": "wait"}))
    creation = asyncio.create_task(asyncio.to_thread(create, cli, MOBY_FAULT=str(fault)))
    while not (tmp_path / "fault.fired").exists():
        await asyncio.sleep(0.01)
    await asyncio.to_thread(write, cli, name)
    (tmp_path / "fault.go").touch()
    await creation
    assert contents(cli) == {name: "mine"}


def test_times_of_the_folder_are_those_of_the_image(cli: Cli, image: str) -> None:
    show = ("run", "--rm", "--network", "none")
    expected = cli(*show, "full", "stat", "-c", "%Y", "/d").stdout
    create(cli)
    assert cli(*show, "-v", "named:/look:nocopy", "busybox", "stat", "-c", "%Y", "/look").stdout == expected
