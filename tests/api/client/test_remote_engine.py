"""The remote client, through our server, against the real engine: what a container does is the same from afar."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest

from moby_tui.api.client.http import HttpClient
from moby_tui.engine.engine import Engine
from moby_tui.errors import CommandNotFound, InvalidArgument, NotFound
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig, LogOptions
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.provenance import VerifyOptions
from moby_tui.schema.stats import Stats
from moby_tui.schema.stream import STDERR, STDOUT
from moby_tui.schema.system import PruneOptions
from moby_tui.schema.volume import VolumeCreate


def _config(*command: str, **options: Any) -> ContainerCreate:
    return ContainerCreate(image="busybox", cmd=list(command), host_config=HostConfig(network_mode="none"), **options)


async def test_a_run_with_input_loses_no_byte(remote: HttpClient) -> None:
    created = await remote.containers.create(_config("sh", "-c", "cat; echo err >&2; exit 9", open_stdin=True, stdin_once=True))
    stream = await remote.containers.attach(created.id, AttachOptions(stdin=True))
    waiting = await remote.containers.wait(created.id, condition="next-exit")
    await remote.containers.start(created.id)
    await stream.write(b"x" * 100_000)
    stream.close_stdin()
    output = {STDOUT: b"", STDERR: b""}
    async for descriptor, data in stream.output():
        output[descriptor] += data
    stream.close()
    assert output == {STDOUT: b"x" * 100_000, STDERR: b"err\n"}
    assert (await asyncio.wait_for(waiting.result(), 10)).status_code == 9
    await waiting.close()


async def test_a_missing_command(remote: HttpClient) -> None:
    created = await remote.containers.create(_config("/no/such"))
    with pytest.raises(CommandNotFound):
        await remote.containers.start(created.id)


async def test_a_running_container(remote: HttpClient) -> None:
    created = await remote.containers.create(_config("sh", "-c", "echo up; exec sleep 1000"), name="far")
    await remote.containers.start("far")
    async with aclosing(cast(AsyncGenerator[tuple[int, bytes]], remote.containers.logs("far", LogOptions(follow=True)))) as logs:
        assert await asyncio.wait_for(anext(logs), 10) == (STDOUT, b"up\n")
    [row] = await remote.containers.list(filters={"name": ["far"]})
    assert row.id == created.id
    exec_id = await remote.containers.exec_create("far", ExecCreate(cmd=["sh", "-c", "echo in; exit 4"]))
    stream = await remote.containers.exec_start(exec_id, ExecStart())
    assert stream and [item async for item in stream.output()] == [(STDOUT, b"in\n")]
    stream.close()
    assert (await remote.containers.exec_inspect(exec_id)).exit_code == 4
    async with aclosing(cast(AsyncGenerator[Stats], remote.containers.stats("far"))) as samples:
        assert (await asyncio.wait_for(anext(samples), 10)).pids_stats.current >= 1
    assert (await remote.containers.top("far")).processes
    await remote.containers.kill("far")
    await remote.containers.remove("far")
    with pytest.raises(NotFound):
        await remote.containers.inspect("far")
    actions = [event.action async for event in remote.events.stream(since=1, until=time.time(), filters={"container": ["far"]})]
    assert [action for action in actions if action in ("create", "start", "die", "destroy")] == [
        "create",
        "start",
        "die",
        "destroy",
    ]


async def test_files_travel_both_ways(remote: HttpClient) -> None:
    created = await remote.containers.create(_config("sleep", "1000"))

    async def archive() -> AsyncIterator[bytes]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo("note")
            entry.size = 5
            tar.addfile(entry, io.BytesIO(b"hello"))
        yield buffer.getvalue()

    await remote.containers.archive_put(created.id, "/", archive())
    assert (await remote.containers.archive_stat(created.id, "/note")).size == 5
    stat, pieces = await remote.containers.archive_get(created.id, "/note")
    assert stat.name == "note"
    with tarfile.open(fileobj=io.BytesIO(b"".join([piece async for piece in pieces]))) as tar:
        note = tar.extractfile("note")
        assert note and note.read() == b"hello"
    with pytest.raises(NotFound):
        await remote.containers.archive_stat(created.id, "/none")


async def test_images_volumes_networks_and_the_engine(remote: HttpClient, busybox_archive: Path) -> None:
    [image] = await remote.images.list()
    assert "busybox:latest" in image.repo_tags
    await remote.images.tag("busybox", "other:v1")
    assert (await remote.images.inspect("other:v1")).id == image.id
    await remote.images.remove("other:v1")

    async def content() -> AsyncIterator[bytes]:
        yield busybox_archive.read_bytes()

    assert [step.stream async for step in remote.images.load(content())][-1] == "Loaded image: busybox:latest\n"
    assert (await remote.volumes.create(VolumeCreate(name="data"))).name == "data"
    assert [volume.name for volume in await remote.volumes.list()] == ["data"]
    await remote.volumes.remove("data")
    assert (await remote.networks.inspect("bridge")).driver == "bridge"
    assert (await remote.system.info()).images == 1
    assert (await remote.system.disk_usage()).layers_size > 0


async def test_what_moby_answers_beyond_docker(remote: HttpClient, engine: Engine) -> None:
    assert await remote.images.explore("busybox") == await engine.images.explore("busybox")
    changes = [change async for change in remote.images.layer_files("busybox", layer=0)]
    assert changes == [change async for change in engine.images.layer_files("busybox", layer=0)]
    assert changes
    folder = [entry async for entry in remote.images.files("busybox", "/bin", layer=0)]
    assert folder == [entry async for entry in engine.images.files("busybox", "/bin")] and folder
    assert await remote.images.archive_stat("busybox", "/bin", layer=0) == await engine.images.archive_stat("busybox", "/bin")
    container = (await remote.containers.create(ContainerCreate(image="busybox", cmd=["true"]))).id
    folder = [entry async for entry in remote.containers.files(container, "/bin")]
    assert folder == [entry async for entry in engine.containers.files(container, "/bin")]
    assert [entry.name for entry in folder if entry.name == "sh"]
    with pytest.raises(NotFound, match="Could not find the file"):
        await anext(remote.containers.files(container, "/none"))
    everything = PruneOptions(containers={}, images={"dangling": ["false"]}, volumes={}, build={"all": ["true"]})
    assert await remote.system.prunable(everything) == await engine.system.prunable(everything)
    (image,) = await remote.images.list(manifests=True, shared_size=True)
    assert image.manifests and image.manifests[0].available and image.shared_size == 0
    usage = await remote.system.disk_usage()
    assert [part.name for part in usage.moby.parts] == [part.name for part in (await engine.system.disk_usage()).moby.parts]
    for refused in (
        remote.images.explore("nothere"),
        anext(remote.images.layer_files("nothere")),
        remote.images.attestations("sha256:1234"),
    ):
        with pytest.raises(NotFound, match="No such image"):
            await refused
    with pytest.raises(NotFound, match="push it first"):
        await remote.images.verify("busybox", VerifyOptions(keys=["x"]))
    with pytest.raises(InvalidArgument, match="no layer 99"):
        await anext(remote.images.layer_files("busybox", layer=99))
