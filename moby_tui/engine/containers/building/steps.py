"""The RUN step of a build: a container of an image that is not finished, run to its end and taken away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec

from moby_tui.engine.containers.building import processes
from moby_tui.engine.containers.commit import mount_points
from moby_tui.engine.containers.creation import creation
from moby_tui.engine.containers.ending import ending, exit_wait
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.start import start as starting
from moby_tui.engine.kernel.path import open_in_root, path_in
from moby_tui.engine.kernel.trees import closing
from moby_tui.engine.resources.builder.step import Ended, Step
from moby_tui.engine.resources.images.manager import ImageManager, LocalImage
from moby_tui.engine.resources.images.snapshots import snapshot
from moby_tui.engine.runtime.client import attachment
from moby_tui.engine.runtime.configuration import user
from moby_tui.engine.store.records.containers import ContainerRecord, MountPoint
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import NotFound
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig, LogConfig


class _StepImages(ImageManager):
    """The image of one step, which no store knows: it is given up or grown on before anybody could ask for it."""

    def __init__(self, image: LocalImage) -> None:
        self._image = image

    def resolve(self, reference: str) -> LocalImage:
        return self._image


class ContainerSteps:
    """Implements ``StepRunner``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def owner(self, root: int, text: str) -> tuple[int, int]:
        """As BuildKit: without a group a name has that of its passwd line, a number that of the same number; an empty one is root's."""
        name, colon, group = text.partition(":")
        identity = user.resolve(root, text, [])
        if group:
            return identity.uid, identity.gid
        if colon:
            return identity.uid, 0
        return identity.uid, identity.uid if name.isdecimal() else identity.gid

    @asynccontextmanager
    async def run(
        self, step: Step, *, began: Callable[[str], None], output: Callable[[int, bytes], None]
    ) -> AsyncIterator[Ended]:
        """Raises what a start can fail with. A caller that is cancelled takes the container with it."""
        parts = msgspec.structs.replace(self._parts, step_images=_StepImages(_without_volumes(step.image)))
        record = await _created(parts, _request(step), step)
        is_kept = False
        try:
            began(record.id)
            exit_code = await _run(parts, record, output, step.trees)
            made = await in_thread(_made_for_mounts, parts, record)
            ended = Ended(exit_code, parts.files(record).upper, mount_points(parts, record) | made)
            try:
                yield ended
            finally:
                is_kept = ended.is_kept
        finally:
            if not is_kept:
                await _remove(parts, record)

    @asynccontextmanager
    async def opened(self, step: Step, *, tty: bool) -> AsyncIterator[processes.OpenedStep]:
        """Raises what a start can fail with. The container is removed after the block, whatever runs in it."""
        parts = msgspec.structs.replace(self._parts, step_images=_StepImages(_without_volumes(step.image)))
        request = msgspec.structs.replace(_request(step), open_stdin=True, stdin_once=True, tty=tty)
        record = await _created(parts, request, step)
        try:
            async with processes.opened(parts, record, step, tty=tty) as container:
                yield container
        finally:
            await _remove(parts, record)

    async def hold(self, step: Step, ended: Ended, began: Callable[[str], None]) -> None:
        """Its first process does nothing: whoever wants to look runs a shell beside it. Raises what a start can fail with."""
        image = msgspec.structs.replace(step.image, layers=[ended.upper, *step.image.layers])
        parts = msgspec.structs.replace(self._parts, step_images=_StepImages(_without_volumes(image)))
        request = ContainerCreate(
            image=step.image.id or step.image.reference,
            entrypoint=[""],
            # it reads what nobody writes
            cmd=["/bin/sh", "-c", "read -r _"],
            open_stdin=True,
            env=step.environment,
            host_config=_host(step),
        )
        record = await _created(parts, request, step)
        waiting = exit_wait.wait(parts, record, "next-exit")
        try:
            await starting.start(parts, record, trees=step.trees)
            began(record.id)
            with suppress(NotFound):
                await waiting.result()
        finally:
            await waiting.close()
            # whoever looked at it may be removing it too
            with suppress(FileNotFoundError):
                await _remove(parts, record)


def _request(step: Step) -> ContainerCreate:
    return ContainerCreate(
        image=step.image.id or step.image.reference,
        entrypoint=[""],
        cmd=step.command,
        env=step.environment,
        hostname=step.hostname,
        host_config=_host(step),
    )


def _without_volumes(image: LocalImage) -> LocalImage:
    """The image of a step: what a RUN writes where its Dockerfile or base has a VOLUME is kept, as with BuildKit."""
    if image.config.config is None or not image.config.config.volumes:
        return image
    execution = msgspec.structs.replace(image.config.config, volumes=None)
    return msgspec.structs.replace(image, config=msgspec.structs.replace(image.config, config=execution))


def _host(step: Step) -> HostConfig:
    network = step.host.network_mode or "default" if step.network == "default" else step.network
    host = msgspec.structs.replace(step.host, log_config=LogConfig(type="none"), network_mode=network, privileged=step.insecure)
    if step.hostname and network == "none":
        # without a network too, the host name that was asked for leads to this host, as with BuildKit
        host.extra_hosts = [*(host.extra_hosts or ()), f"{step.hostname}:127.0.0.1"]
    if step.trees:
        # what RUN --mount brings belongs to the host's ids
        host.userns_mode = "host"
    return host


async def _created(parts: Parts, asked: ContainerCreate, step: Step) -> ContainerRecord:
    """With a place for each tree; the trees themselves come with its start."""
    record = parts.get((await creation.create(parts, asked, "")).id)
    mounts = [MountPoint(type="bind", destination=destination) for destination in step.trees]
    return msgspec.structs.replace(record, mounts=[*record.mounts, *mounts])


async def _run(parts: Parts, record: ContainerRecord, output: Callable[[int, bytes], None], trees: Mapping[str, int]) -> int:
    """Attached before it starts, waited for before it could end: no byte and no exit is missed."""
    attachments = parts.files(record).attachments
    stream = await attachment.attach_before_start(attachments, AttachOptions(), tty=False)
    waiting = exit_wait.wait(parts, record, "next-exit")
    try:
        await starting.start(parts, record, trees=trees)
        async for descriptor, data in stream.output():
            output(descriptor, data)
        return (await waiting.result()).status_code
    finally:
        stream.close()
        await waiting.close()


def _made_for_mounts(parts: Parts, record: ContainerRecord) -> frozenset[bytes]:
    """What a step's own mounts, which no layer is to have, were mounted on; the image's links may have led them elsewhere."""
    made = {os.fsencode(mount.destination.strip("/")) for mount in record.mounts}
    if made:
        with closing(snapshot.mount([parts.files(record).upper, *parts.layers(record)], None, None)) as root:
            for mount in record.mounts:
                with suppress(OSError), closing(open_in_root(root, mount.destination, os.O_PATH)) as mount_fd:
                    made.add(os.fsencode(path_in(root, mount_fd).strip("/")))
    return frozenset(made)


async def _remove(parts: Parts, record: ContainerRecord) -> None:
    """Also when cancelled: the removal is not left half-done."""
    removal = asyncio.ensure_future(ending.remove(parts, record, record.name, force=True, volumes=True))
    try:
        with suppress(NotFound):
            await asyncio.shield(removal)
    except asyncio.CancelledError:
        with suppress(NotFound):
            await removal
        raise
