"""Disk use and prunes, held against du(1)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import pytest

import images_data
from images_data import ImageData, Tar
from moby_tui.engine.engine import Engine
from moby_tui.schema.base import Filters
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.system import DiskUsage, PruneOptions
from moby_tui.schema.volume import VolumeCreate
from servers.registry import Registry

Cli = Callable[..., subprocess.CompletedProcess[str]]
ALL: Filters = {"dangling": ["false"]}


def du(*paths: Path) -> int:
    told = subprocess.run(["du", "-s", "-B1", *map(str, paths)], capture_output=True, text=True, check=True).stdout
    return sum(int(line.split()[0]) for line in told.splitlines())


def kept(data_root: Path) -> int:
    """What users' things take: all but the engine's own database and journal."""
    return du(*(data_root / name for name in ("blobs", "layers", "containers", "volumes", "cache")))


async def piece(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def load(engine: Engine, archive: bytes) -> None:
    async for _ in engine.images.load(piece(archive)):
        pass


async def build(engine: Engine, text: str, tag: str) -> None:
    context = Tar().add("Dockerfile", data=text.encode()).bytes()
    async for _ in engine.builder.build(piece(context), BuildOptions(tags=[tag])):
        pass


async def run(engine: Engine, *command: str, remove: bool = False, volume: str = "") -> str:
    host = HostConfig(auto_remove=remove, network_mode="none", binds=[f"{volume}:/v"] if volume else None)
    volumes: dict[str, dict[str, str]] | None = None if volume else {"/anonymous": {}}
    made = await engine.containers.create(ContainerCreate(image="busybox", cmd=list(command), host_config=host, volumes=volumes))
    waiting = await engine.containers.wait(made.id)
    await engine.containers.start(made.id)
    await waiting.result()
    return made.id


async def everything(engine: Engine, registry: Registry) -> None:
    """Pulls, builds, commits, containers, volumes; images that share layers and one without a name."""
    shared = ImageData([images_data.busybox_rootfs(), Tar().add("a", data=b"a" * 50_000).bytes()])
    registry.push("disk/shared", "1", shared)
    async for _ in engine.images.pull(f"{registry.address}/disk/shared:1"):
        pass
    await load(engine, images_data.busybox_archive())
    await build(engine, "FROM busybox\nRUN --mount=type=cache,target=/c head -c 70000 /dev/zero > /c/f; echo x > /x\n", "built:1")
    await build(
        engine,
        "FROM busybox AS lost\nRUN head -c 90000 /dev/zero > /lost\nFROM busybox\nCOPY --from=lost /lost /kept\n",
        "built:2",
    )
    ident = await run(engine, "sh", "-c", "head -c 30000 /dev/zero > /written; ln /written /again; mkdir /d; echo said")
    await engine.containers.commit(ident, reference="committed:1")
    await engine.containers.commit(ident)
    await engine.volumes.create(VolumeCreate(name="named"))
    await run(engine, "sh", "-c", "head -c 20000 /dev/zero > /v/data", volume="named")


def whole(usage: DiskUsage) -> int:
    return sum(part.size for part in usage.moby.parts)


def hold_against_du(usage: DiskUsage, data_root: Path) -> None:
    parts = {part.name: part.size for part in usage.moby.parts}
    assert whole(usage) == du(data_root)
    assert sum(row.size_rw or 0 for row in usage.containers) == parts["Containers"]
    assert sum(volume.usage_data.size for volume in usage.volumes if volume.usage_data) == parts["Volumes"]
    assert sum(entry.size for entry in usage.build_cache) == parts["Build cache"]
    assert usage.layers_size == parts["Image layers"] + parts["Image blobs"]
    unique = sum(image.size - image.shared_size for image in usage.images)
    assert unique <= usage.layers_size <= sum(image.size for image in usage.images)


async def test_disk_use_adds_up_to_what_du_says(engine: Engine, registry: Registry) -> None:
    root = engine.paths.data_root
    hold_against_du(await engine.system.disk_usage(), root)
    await everything(engine, registry)
    usage = await engine.system.disk_usage()
    hold_against_du(usage, root)
    assert any(image.shared_size > 0 for image in usage.images)
    cache = {entry.type for entry in usage.build_cache if entry.size > 60_000}
    assert cache == {"regular", "exec.cachemount"}
    assert all(datetime.fromisoformat(entry.created_at) for entry in usage.build_cache)
    await engine.images.remove("built:2", force=True)
    await engine.images.remove("committed:1", force=True)
    hold_against_du(await engine.system.disk_usage(), root)


async def test_a_dry_run_tells_what_a_prune_takes(engine: Engine, registry: Registry) -> None:
    root = engine.paths.data_root
    await everything(engine, registry)
    options = PruneOptions(containers={}, volumes={"all": ["true"]}, images=ALL, build={"all": ["true"]})
    before = kept(root)
    told = await engine.system.prunable(options)
    assert kept(root) == before
    containers = await engine.containers.prune(filters=options.containers)
    volumes = await engine.volumes.prune(filters=options.volumes)
    images = await engine.images.prune(filters=options.images)
    built = await engine.builder.prune(all=True)
    assert (told.containers, told.volumes, told.images, told.build) == (containers, volumes, images, built)
    reclaimed = sum(done.space_reclaimed for done in (containers, volumes, images, built))
    assert before - kept(root) == reclaimed
    assert os.listdir(engine.paths.layers) == os.listdir(engine.paths.blobs / "sha256") == []
    assert not await engine.images.list() and not await engine.volumes.list()


@pytest.mark.parametrize(
    "options",
    [
        PruneOptions(containers={}),
        PruneOptions(images={}),
        PruneOptions(images=ALL),
        PruneOptions(containers={}, volumes={"all": ["true"]}),
        PruneOptions(build={}),
        PruneOptions(build={"all": ["true"]}),
        PruneOptions(containers={}, images=ALL, build={}),
    ],
    ids=lambda options: "+".join(name for name in options.__struct_fields__ if getattr(options, name) is not None),
)
async def test_each_prune_gives_back_what_its_dry_run_says(engine: Engine, registry: Registry, options: PruneOptions) -> None:
    root = engine.paths.data_root
    await everything(engine, registry)
    before = kept(root)
    told = await engine.system.prunable(options)
    size = 0
    if options.containers is not None:
        containers = await engine.containers.prune()
        assert told.containers == containers
        size += containers.space_reclaimed
    if options.volumes is not None:
        volumes = await engine.volumes.prune(filters=options.volumes)
        assert told.volumes == volumes
        size += volumes.space_reclaimed
    if options.images is not None:
        images = await engine.images.prune(filters=options.images)
        assert told.images == images
        size += images.space_reclaimed
    if options.build is not None:
        built = await engine.builder.prune(all="all" in options.build)
        assert told.build == built
        size += built.space_reclaimed
    assert size > 0 and before - kept(root) == size


async def test_what_broken_off_downloads_left_is_told_and_pruned(engine: Engine) -> None:
    root = engine.paths.data_root
    file = engine.paths.staging / f"partial-{'0' * 64}"
    file.write_bytes(b"x" * 100_000)
    usage = await engine.system.disk_usage()
    hold_against_du(usage, root)
    assert {part.name: part.size for part in usage.moby.parts}["Unused layers and blobs"] == du(file)
    told = await engine.system.prunable(PruneOptions(images={}))
    assert told.images and told.images.space_reclaimed == du(file)
    assert await engine.images.prune() == told.images and not file.exists()


async def test_the_command_line_lists_and_leaves(engine: Engine, registry: Registry, cli: Cli) -> None:
    await everything(engine, registry)
    listed = cli("system", "prune", "-a", "--volumes", "--dry-run").stdout
    assert "Would delete containers:" in listed and "untagged: built:1" in listed and "Total reclaimable space:" in listed
    assert len(await engine.containers.list(all=True)) == 2
    done = cli("system", "prune", "-a", "--volumes", "--force").stdout
    assert done == listed.replace("Would delete containers", "Deleted Containers").replace(
        "Would delete volumes", "Deleted Volumes"
    ).replace("Would delete images", "Deleted Images").replace("Would delete build", "Deleted build").replace(
        "reclaimable", "reclaimed"
    )
    table = cli("system", "df").stdout
    assert [line.split("  ")[0] for line in table.splitlines()] == [
        "TYPE",
        "Images",
        "Containers",
        "Local Volumes",
        "Build Cache",
        "Engine",
    ]
    assert "named" in cli("system", "df", "-v").stdout
