"""Making containers of a request: a new one, or one in another's place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from moby_tui.api.client.protocol import Client
from moby_tui.errors import Conflict, NotFound, NotModified
from moby_tui.schema.container import ContainerInspect, ContainerUpdate
from moby_tui.screens.forms.draft import NAME
from moby_tui.screens.forms.request import RunRequest
from moby_tui.screens.session.logins import login_for
from moby_tui.screens.session.trouble import TROUBLE


async def run(client: Client, request: RunRequest) -> str:
    """Creates a container and starts it; pulls its image as asked. Returns its id. One that cannot be started is removed again."""
    created = await _create(client, request)
    try:
        await client.containers.start(created)
    except BaseException:
        await _to_end(client.containers.remove(created, force=True, volumes=True))
        raise
    return created


async def _create(client: Client, request: RunRequest) -> str:
    if request.pull == "always":
        await _pull(client, request)
    try:
        made = await client.containers.create(request.config, name=request.name, platform=request.platform)
    except NotFound:
        if request.pull != "missing" or await _has_image(client, request.config.image):
            raise
        await _pull(client, request)
        made = await client.containers.create(request.config, name=request.name, platform=request.platform)
    return made.id


async def _has_image(client: Client, image: str) -> bool:
    try:
        await client.images.inspect(image)
    except NotFound:
        return False
    return True


async def _pull(client: Client, request: RunRequest) -> None:
    image = request.config.image
    async for _ in client.images.pull(image, platform=request.platform, auth=await login_for(image)):
        pass


async def replace(client: Client, old: ContainerInspect, request: RunRequest, *, only_if_it_ran: bool = False) -> str:
    """Puts a container of the request in the place of an old one, and starts it: ``only_if_it_ran``, if the old one ran. Returns its id.

    The old one is renamed and kept until the new one has started, then removed without its volumes. If that fails, or the caller is
    cancelled, the new one is removed, and the old one has its name again and runs if it ran. Raises ``Conflict`` if the engine would
    remove the old one as it stops.
    """
    name, ran = old.name.removeprefix("/"), old.state.running
    if old.host_config.auto_remove and ran:
        raise Conflict(f"{name} was made with --rm: stopped, it is gone, and nothing would be there to go back to; duplicate it")
    kept = f"{name}-before-{old.id[:12]}"
    await client.containers.rename(old.id, kept)
    created = ""
    try:
        created = await _create(client, request)
        if ran:
            with suppress(NotModified):
                await client.containers.stop(old.id)
        if ran or not only_if_it_ran:
            await client.containers.start(created)
    except BaseException:
        await _to_end(_go_back(client, old, created))
        raise
    await client.containers.remove(old.id, force=True)
    return created


async def _go_back(client: Client, old: ContainerInspect, created: str) -> None:
    if created:
        # without its volumes: those without a name may be the old one's
        with suppress(*TROUBLE):
            await client.containers.remove(created, force=True)
    await client.containers.rename(old.id, old.name.removeprefix("/"))
    if old.state.running:
        with suppress(NotModified):
            await client.containers.start(old.id)


async def _to_end(work: Any) -> None:
    """Waits for it even if the caller is cancelled meanwhile; what goes wrong in it does not hide why it was needed."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError, *TROUBLE):
            await asyncio.shield(task)


async def change(client: Client, old: ContainerInspect, request: RunRequest, changed: Iterable[str]) -> None:
    """Changes the name and the limits of a container as it runs; ``changed`` are the options of those that differ.

    It keeps its name if the limits are refused.
    """
    name, options = old.name.removeprefix("/"), set(changed)
    renamed = NAME in options
    if renamed:
        await client.containers.rename(old.id, request.name)
    try:
        if options - {NAME}:
            await client.containers.update(old.id, limits(request))
    except BaseException:
        if renamed:
            await _to_end(client.containers.rename(old.id, name))
        raise


#: What an update changes, as the form's options name it.
_LIMITS = (
    "memory", "memory_swap", "memory_reservation", "nano_cpus", "cpu_shares", "cpu_period", "cpu_quota", "cpuset_cpus", "cpuset_mems",
    "pids_limit", "restart_policy",
)  # fmt: skip


def limits(request: RunRequest) -> ContainerUpdate:
    """The limits of a request as a change. Swap is twice the memory where it was not asked for, as with a new container."""
    host = request.config.host_config
    changes = ContainerUpdate(**{name: getattr(host, name) for name in _LIMITS})
    if changes.memory and not changes.memory_swap:
        changes.memory_swap = 2 * changes.memory
    return changes
