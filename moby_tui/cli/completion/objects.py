"""Names of what an engine has, and of contexts, each with a few words on what it is. None of it is trusted: see ``answer``."""

from __future__ import annotations

import asyncio
import os

from moby_tui.cli import session
from moby_tui.errors import MobyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from moby_tui.api.client.protocol import Client

    Named = Iterator[tuple[str, str]]

#: An engine that does not answer for so many seconds offers nothing: somebody waits for the prompt.
_PATIENCE = 5
#: The data root of an engine for which none is named.
_DATA_ROOT = "/var/lib/moby"


def named(kind: tuple[str, ...]) -> list[tuple[str, str]]:
    """The objects of a ``vocabulary.Kind``. Raises ``MobyError``, ``OSError``, ``TimeoutError``."""
    source, *parameters = kind
    if source == "contexts":
        return list(_contexts(*parameters))
    if not _is_there():
        return []
    return asyncio.run(_ask(source, tuple(parameters)))


def _is_there() -> bool:
    """False for an engine in this process that the caller may not open, or that would only now make its data root."""
    if session.current().host:
        return True
    return os.geteuid() == 0 and os.path.isdir(session.current().engine_options().data_root or _DATA_ROOT)


async def _ask(source: str, parameters: tuple[str, ...]) -> list[tuple[str, str]]:
    async with asyncio.timeout(_PATIENCE), session.connect() as client:
        if source == "objects":
            return [pair for list_them in _LISTS.values() for pair in await _or_none(list_them(client))]
        return list(await _LISTS[source](client, *parameters))


async def _or_none(listing: Awaitable[Named]) -> Named:
    """Nothing of a family that the engine does not have: not every one has secrets."""
    try:
        return await listing
    except MobyError:
        return iter(())


async def _containers(client: Client, *states: str) -> Named:
    """By name, and by id too for those who ask for that as docker's users do."""
    containers = await client.containers.list(all=True, filters={"status": list(states)} if states else None)
    with_ids = os.environ.get("DOCKER_COMPLETION_SHOW_CONTAINER_IDS") == "yes"

    def each() -> Named:
        for container in containers:
            about = f"{container.image}, {container.status or container.state}"
            for name in container.names:
                # as docker, without those that come of links (/web/db)
                if "/" not in name.removeprefix("/"):
                    yield name.removeprefix("/"), about
            if with_ids:
                yield container.id[:12], about

    return each()


async def _images(client: Client) -> Named:
    images = await client.images.list()
    return ((tag, image.id.removeprefix("sha256:")[:12]) for image in images for tag in image.repo_tags)


async def _networks(client: Client, *types: str) -> Named:
    networks = await client.networks.list(filters={"type": list(types)} if types else None)
    return ((network.name, network.driver) for network in networks)


async def _volumes(client: Client) -> Named:
    return ((volume.name, volume.driver) for volume in await client.volumes.list())


async def _secrets(client: Client) -> Named:
    return ((secret.spec.name, "") for secret in await client.secrets.list())


_LISTS: dict[str, Callable[..., Awaitable[Named]]] = {
    "containers": _containers,
    "images": _images,
    "networks": _networks,
    "volumes": _volumes,
    "secrets": _secrets,
}


def _contexts(*others: str) -> Named:
    from moby_tui import docker_folder
    from moby_tui.contexts.store import Store

    for context in Store(docker_folder.find(session.current().login_folder)).list():
        yield context.name, context.description
    for name in others:
        yield name, "no context"
