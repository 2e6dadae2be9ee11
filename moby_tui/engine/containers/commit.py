"""``commit``: makes an image of a container's changed files and its configuration."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from moby_tui.engine.containers import wire
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.protocol import control
from moby_tui.engine.resources.builder.execution import difference
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.image import BuiltImage, stored
from moby_tui.engine.resources.images.changes import apply_changes
from moby_tui.engine.resources.images.store import staging
from moby_tui.engine.resources.images.store.content import ContentStore, digest_of
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import Conflict
from moby_tui.reference import parse_tag
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.container import ContainerConfig
from moby_tui.version import VERSION


class _Committed(oci.ImageConfig, kw_only=True, omit_defaults=True):
    """The configuration of a committed image: Docker has two fields more than the specification."""

    container: str
    docker_version: str


async def commit(
    parts: Parts,
    record: ContainerRecord,
    *,
    reference: str,
    message: str,
    author: str,
    changes: Sequence[str],
    config: ContainerConfig | None,
    pause: bool,
) -> str:
    """Makes the image, and returns its id. Raises ``InvalidArgument``, ``Conflict``, ``NotFound``, ``StorageFull``."""
    target = parse_tag(reference) if reference else None
    own = wire.config_to_show(record.config)
    settings = _execution(config or own)
    apply_changes(settings, changes)
    execution = _merged(settings, _execution(own))
    content = ContentStore(parts.paths.blobs)
    layering = Layering(parts.images.layers, content, parts.paths.staging)
    base = stored(parts.images.record(record.image_id), content)
    with staging.shared(parts.paths.blobs / "lock"), refusals_told():
        async with _held_still(parts, record, pause=pause):
            image = await _image(parts, record, layering, base, execution, message, author)
        parts.images.adopt(await in_thread(layering.record, image))
        if target is not None:
            await parts.images.tag(image.id, target.familiar)
    parts.event("commit", record, comment=message, imageID=image.id, imageRef=target.familiar if target else "")
    return image.id


async def _image(
    parts: Parts,
    record: ContainerRecord,
    layering: Layering,
    base: BuiltImage,
    execution: oci.ExecutionConfig,
    message: str,
    author: str,
) -> BuiltImage:
    pieces = difference.layer(parts.files(record).upper, layering.stack(base), mount_points(parts, record))
    try:
        layer = await layering.layer(pieces)
    except FileNotFoundError as error:
        raise Conflict(f"container {record.name} changed its files meanwhile; commit it paused, or again") from error

    def change(config: oci.ImageConfig, _: oci.ExecutionConfig) -> None:
        config.config, config.author = execution, author

    command = record.config.cmd if isinstance(record.config.cmd, list) else []
    made = base.followed_by(" ".join(command), layer, change, comment=message)
    values = {name: getattr(made.config, name) for name in oci.ImageConfig.__struct_fields__}
    committed = _Committed(**values, container=record.id, docker_version=VERSION)
    return BuiltImage(digest_of(encode(committed)), committed, made.blobs, made.chain)


def mount_points(parts: Parts, record: ContainerRecord) -> frozenset[bytes]:
    """Where the engine mounted something of its own when it last ran: what is there in the upper folder was made to be mounted on.

    What was made for mounts that were asked for belongs to the container, as in Docker.
    """
    destinations = {mount.destination for mount in record.mounts}
    with suppress(FileNotFoundError):
        configuration = json.loads(parts.files(record).bundle.read_bytes())
        mounted = {str(mount["destination"]) for mount in configuration["mounts"]}
        return frozenset(destination.strip("/").encode() for destination in mounted - destinations)
    return frozenset()


@asynccontextmanager
async def _held_still(parts: Parts, record: ContainerRecord, *, pause: bool) -> AsyncIterator[None]:
    """Freezes a running container during the block, unless it is paused."""
    if not pause or parts.state(record).status != "running":
        yield
        return
    try:
        await parts.request(record, control.Freeze())
    except Conflict:
        # it has ended meanwhile, or somebody else has paused it: it holds still
        yield
        return
    parts.event("pause", record)
    try:
        yield
    finally:
        # it may have been killed meanwhile
        with suppress(Conflict):
            await parts.request(record, control.Thaw())
            parts.event("unpause", record)


def _execution(config: ContainerConfig) -> oci.ExecutionConfig:
    """The part of a container's configuration that an image has too."""
    return oci.ExecutionConfig(
        user=config.user,
        exposed_ports=config.exposed_ports,
        env=config.env,
        entrypoint=_words(config.entrypoint),
        cmd=_words(config.cmd),
        volumes=config.volumes,
        working_dir=config.working_dir,
        labels=config.labels,
        stop_signal=config.stop_signal,
        healthcheck=config.healthcheck,
        shell=config.shell,
        on_build=config.on_build,
    )


def _words(value: list[str] | str | None) -> list[str] | None:
    return [value] if isinstance(value, str) else value


def _merged(asked: oci.ExecutionConfig, container: oci.ExecutionConfig) -> oci.ExecutionConfig:
    """The configuration of the request, completed by the container's (Docker's ``runconfig.Merge``).

    The container's arguments are used only with its own entrypoint.
    """
    names = {entry.partition("=")[0] for entry in asked.env or ()}
    kept = [entry for entry in container.env or () if entry.partition("=")[0] not in names]
    return oci.ExecutionConfig(
        user=asked.user or container.user,
        exposed_ports={**(container.exposed_ports or {}), **(asked.exposed_ports or {})} or None,
        env=[*(asked.env or ()), *kept] or None,
        entrypoint=container.entrypoint if asked.entrypoint is None else asked.entrypoint,
        cmd=asked.cmd or (None if asked.entrypoint else container.cmd),
        volumes={**(container.volumes or {}), **(asked.volumes or {})} or None,
        working_dir=asked.working_dir or container.working_dir,
        labels={**(container.labels or {}), **(asked.labels or {})} or None,
        stop_signal=asked.stop_signal or container.stop_signal,
        healthcheck=asked.healthcheck or container.healthcheck,
        shell=asked.shell or container.shell,
        on_build=asked.on_build,
    )
