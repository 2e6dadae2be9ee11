"""Which images a list shows and a prune takes, as dockerd's own tests expect it."""

from __future__ import annotations

import time

from build.building import build
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig

UNUSED = {"dangling": ["false"]}


async def _created(engine: Engine, image: str) -> str:
    asked = ContainerCreate(image=image, host_config=HostConfig(network_mode="none"))
    return (await engine.containers.create(asked)).id


async def test_images_of_one_second_are_told_apart(engine: Engine, busybox: str) -> None:
    container = await _created(engine, busybox)
    images = [await engine.containers.commit(container, reference=f"made:{number}") for number in range(5)]

    async def listed(**filters: list[str]) -> list[str]:
        return sorted(image.id for image in await engine.images.list(filters=filters))

    times = [(await engine.images.inspect(image)).created or "" for image in images]
    assert await listed(since=[images[0]], before=[images[4]]) == sorted(images[1:4])
    assert await listed(since=[images[0]], until=[times[2], times[3]]) == [images[1]]


async def test_an_image_in_use_keeps_its_last_name(engine: Engine, busybox: str) -> None:
    """In order of their names; the container may have been made of another, or of the id."""
    for tag in "hajosqwertz":
        await engine.images.tag(busybox, f"many:{tag}")
    ident = (await engine.images.inspect(busybox)).id
    await _created(engine, ident)
    pruned = await engine.images.prune(filters=UNUSED)
    assert all(not one.deleted for one in pruned.images_deleted or ())
    names = [one.untagged or "" for one in pruned.images_deleted or ()]
    assert names == sorted(names) and "many:z" not in names and len(names) == 11
    assert (await engine.images.inspect(ident)).repo_tags == ["many:z"]
    assert (await engine.images.prune(filters=UNUSED)).images_deleted is None


async def test_an_image_that_is_made_is_told(engine: Engine, busybox: str) -> None:
    """By a commit, and by a build that makes one; not by a build whose image is there."""

    async def actions(since: float) -> list[str]:
        return [
            event.action
            async for event in engine.events.stream(since=since, until=time.time(), filters={"type": ["image"]})
            if event.action == "create"
        ]

    begun = time.time()
    await engine.containers.commit(await _created(engine, busybox), reference="committed:1")
    assert len(await actions(begun)) == 1
    for expected in (1, 0):
        begun = time.time()
        await build(engine, "FROM busybox\nRUN echo hello > /hello\nENV a=b\n", tags=["built:1"])
        assert len(await actions(begun)) == expected


async def test_a_used_image_keeps_all_its_names_otherwise(engine: Engine, busybox: str) -> None:
    await engine.images.tag(busybox, "other:1")
    await _created(engine, busybox)
    assert (await engine.images.prune()).images_deleted is None
    assert (await engine.images.prune(filters={**UNUSED, "label": ["nosuch"]})).images_deleted is None
    assert len((await engine.images.inspect(busybox)).repo_tags or ()) == 2
