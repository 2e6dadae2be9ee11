"""Starts, stops and makes anew the containers of services, in the order of their dependencies and after what these wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from moby_tui.api.client.protocol import Client
from moby_tui.errors import Conflict, NotFound, NotModified
from moby_tui.schema.container import ContainerInspect, Health
from moby_tui.screens import text
from moby_tui.screens.forms.again import Now, request_of, shared_with
from moby_tui.screens.forms.running import replace
from moby_tui.screens.projects import steps
from moby_tui.screens.projects.model import Member, Project, Service

#: A need is asked for this often, and waited for so long at most; seconds.
ASK_EVERY, LONGEST = 0.5, 300.0
#: The label in which compose remembers the image of a container; from it ``compose up`` tells whether there is another one.
_IMAGE = "com.docker.compose.image"


async def start(client: Client, project: Project, services: Sequence[Service]) -> None:
    """Starts what does not run of these services and of what they depend on, or of all. Raises ``MobyError``."""
    for service in steps.with_needs(project, services):
        if resting := [one for one in service.members if not one.running]:
            await _wait_for_needs(client, project, service)
            await _each(client.containers.start, resting)


async def stop(client: Client, project: Project, services: Sequence[Service]) -> None:
    """Stops what runs of these services, or of all: what depends on others goes first. Raises ``MobyError``."""
    for step in steps.stopping(project, services):
        await _each(client.containers.stop, step)


async def restart(client: Client, project: Project, services: Sequence[Service]) -> None:
    """Stops what runs, and starts the same in the order of the dependencies. Raises ``MobyError``."""
    running = {one.name for step in steps.stopping(project, services) for one in step}
    await stop(client, project, services)
    for service in project.services:
        if again := [one for one in service.members if one.name in running]:
            await _wait_for_needs(client, project, service)
            await _each(client.containers.start, again)


async def _each(act: Callable[[str], Awaitable[object]], members: Sequence[Member]) -> None:
    """Does it to all at the same time, by name: a container that was made anew has another id. The first error ends it."""

    async def one(member: Member) -> None:
        try:
            await act(member.name)
        except NotModified:
            return

    await asyncio.gather(*map(one, members))


async def _wait_for_needs(client: Client, project: Project, service: Service) -> None:
    for need in service.depends_on:
        other = project.service(need.service)
        for member in other.members if other else ():
            if need.condition == "healthy":
                await _healthy(client, member.name)
            elif need.condition == "completed_successfully":
                await _completed(client, member.name)


async def _healthy(client: Client, name: str) -> None:
    """Returns once a container is healthy; one without a health check is so when it runs. Raises ``Conflict`` if it cannot become so."""
    try:
        async with asyncio.timeout(LONGEST):
            while True:
                state = (await client.containers.inspect(name)).state
                health = state.health.status if isinstance(state.health, Health) else "none"
                if not state.running:
                    raise Conflict(f"{name} does not run: what needs it healthy is not started")
                if health == "unhealthy":
                    raise Conflict(f"{name} is unhealthy: what needs it healthy is not started")
                if health != "starting":
                    return
                await asyncio.sleep(ASK_EVERY)
    except TimeoutError:
        raise Conflict(f"{name} was not healthy within {text.age(LONGEST)}: what needs it is not started") from None


async def _completed(client: Client, name: str) -> None:
    """Returns once a container has ended with exit code 0. Raises ``Conflict`` for another."""
    try:
        async with asyncio.timeout(LONGEST):
            while True:
                state = (await client.containers.inspect(name)).state
                if state.status in ("exited", "dead"):
                    break
                await asyncio.sleep(ASK_EVERY)
    except TimeoutError:
        raise Conflict(f"{name} did not end within {text.age(LONGEST)}: what needs that is not started") from None
    if state.exit_code:
        raise Conflict(f"{name} ended with exit code {state.exit_code}: what needs it to succeed is not started")


async def recreate(client: Client, project: Project, services: Sequence[Service]) -> None:
    """Makes the containers of these services, or of all, anew of their own configuration, and of what their images' names mean now.

    In the order of the dependencies, one container after the other: each is kept until the new one has started, and is back if that
    fails. What uses the namespaces of one that is made anew is made anew too; what depends on it with ``restart: true`` is restarted.
    One that did not run does not run then. Raises ``MobyError``.
    """
    containers = {one.name: await client.containers.inspect(one.name) for service in project.services for one in service.members}
    chosen = _with_sharers(project, {one.name for one in services or project.services}, containers)
    replaced: dict[str, str] = {}
    for service in project.services:
        if service.name not in chosen:
            continue
        await _wait_for_needs(client, project, service)
        for member in service.members:
            old = containers[member.name]
            request = request_of(old, await _now(client, old, replaced))
            replaced[old.id] = await replace(client, old, request, only_if_it_ran=True)
    left = [one for one in project.services if one.name not in chosen and _is_restarted_after(one, chosen)]
    if left:
        await restart(client, project, left)


def _is_restarted_after(service: Service, anew: set[str]) -> bool:
    return any(need.restarts and need.service in anew for need in service.depends_on)


def _with_sharers(project: Project, chosen: set[str], found: dict[str, ContainerInspect]) -> set[str]:
    """The names of these services, and of those that share namespaces or volumes with their containers."""
    while True:
        ids = {found[member.name].id for one in project.services if one.name in chosen for member in one.members}
        more = {
            one.name
            for one in project.services
            if one.name not in chosen and any(shared_with(found[member.name]) & ids for member in one.members)
        }
        if not more:
            return chosen
        chosen = chosen | more


async def _now(client: Client, old: ContainerInspect, replaced: dict[str, str]) -> Now:
    """What the images tell; one that is not here presets nothing."""
    preset, labels = None, {}
    try:
        preset = (await client.images.inspect(old.image)).config
        labels = {_IMAGE: (await client.images.inspect(old.config.image or old.image)).id}
    except NotFound:
        pass
    return Now(preset, labels, replaced)
