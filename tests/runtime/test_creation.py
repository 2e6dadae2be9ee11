"""What creating a container merges, refuses and leaves."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.containers.start import orphans
from moby_tui.engine.store.locks import is_held
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound, NotImplementedYet
from moby_tui.schema.container import ContainerCreate, HostConfig
from runtime.box import Box


async def test_unknown_image(box: Box) -> None:
    with pytest.raises(NotFound, match="No such image: nope"):
        await box.engine.containers.create(ContainerCreate(image="nope", cmd=["true"]))


async def test_image_of_another_platform_counts_as_absent(box: Box) -> None:
    asked = ContainerCreate(image=box.image, cmd=["true"], host_config=HostConfig(network_mode="none"))
    with pytest.raises(NotFound, match=r"does not match the specified platform \(linux/s390x\)"):
        await box.engine.containers.create(asked, platform="linux/s390x")
    assert (await box.engine.containers.create(asked, platform="linux")).id


async def test_name_in_use_leaves_nothing_half_made(box: Box, roots: tuple[Path, Path]) -> None:
    await box.create("true", name="taken")
    before = sorted(path.name for path in (roots[0] / "containers").iterdir())
    with pytest.raises(Conflict, match='name "/taken" is already in use'):
        await box.create("true", name="taken", host={"binds": ["/anonymous"]})
    assert sorted(path.name for path in (roots[0] / "containers").iterdir()) == before
    assert await box.engine.volumes.list() == []


@pytest.mark.parametrize(
    ("host", "config", "option"),
    [
        ({"cgroup": "other"}, {}, "--cgroup"),
    ],
)
async def test_what_is_not_there_yet_is_named(box: Box, host: dict[str, Any], config: dict[str, Any], option: str) -> None:
    with pytest.raises(NotImplementedYet, match=option):
        await box.create("true", host=host, **config)


async def test_wrong_values_are_refused(box: Box) -> None:
    with pytest.raises(InvalidArgument, match="6MB"):
        await box.create("true", host={"memory": 1})
    with pytest.raises(InvalidArgument, match="absolute path"):
        await box.create("true", working_dir="relative")
    with pytest.raises(InvalidArgument, match="invalid signal"):
        await box.create("true", stop_signal="SIGNOPE")


async def test_working_directory_is_made_at_once(box: Box) -> None:
    ident = await box.create("true", working_dir="/etc/./foo/../foo/bar")
    changes = {change.path: change.kind for change in await box.engine.containers.changes(ident)}
    assert changes == {"/etc": 0, "/etc/foo": 1, "/etc/foo/bar": 1}
    assert await box.engine.containers.changes(await box.create("true", working_dir="/bin")) == []
    for path in ("/bin/busybox", "/bin/busybox/x"):
        with pytest.raises(MobyError, match=f"Cannot mkdir: {path} is not a directory"):
            await box.create("true", working_dir=path, name="refused")
    assert "refused" not in [container.names[0].strip("/") for container in await box.engine.containers.list(all=True)]


async def test_command_and_entrypoint(box: Box) -> None:
    host = HostConfig(network_mode="none")
    asked = ContainerCreate(image=box.image, entrypoint=["echo", "a"], cmd=["b"], host_config=host)
    made = await box.engine.containers.create(asked)
    seen = await box.engine.containers.inspect(made.id)
    assert (seen.path, seen.args) == ("echo", ["a", "b"])
    with pytest.raises(InvalidArgument, match="no command specified"):
        await box.engine.containers.create(ContainerCreate(image=box.image, entrypoint=[""], cmd=None, host_config=host))


async def test_a_cancelled_removal_keeps_the_lock_while_its_thread_deletes_files(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = await box.create("true")
    parts = box.engine.containers._parts
    lock = parts.files(parts.get(ident)).lock
    loop, begun, goes_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    remove_files, held = orphans.remove_files, []

    def slowly(*folders: Path) -> None:
        loop.call_soon_threadsafe(begun.set)
        goes_on.wait(60)
        held.append(is_held(lock))
        remove_files(*folders)

    monkeypatch.setattr(orphans, "remove_files", slowly)
    removal = asyncio.create_task(box.engine.containers.remove(ident))
    await begun.wait()
    removal.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ended_early = removal.done()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await removal
    assert (ended_early, held) == (False, [True])
