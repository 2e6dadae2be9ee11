"""Volumes of other containers (``--volumes-from``)."""

from __future__ import annotations

import pytest

from moby_tui.errors import InvalidArgument
from runtime.box import Box


async def test_volumes_and_binds_are_those_of_the_other(box: Box, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("of the host\n")
    first = await box.create("true", volumes={"/data": {}}, host={"binds": [f"{tmp_path}:/bound"]})
    wrote = await box.run("sh", "-c", "echo hello > /data/said; cat /bound/file", host={"volumes_from": [first]})
    assert (wrote.code, wrote.out) == (0, "of the host\n")
    read = await box.run("cat", "/data/said", host={"volumes_from": [f"{first}:ro"]})
    assert read.out == "hello\n"
    refused = await box.run("touch", "/data/no", host={"volumes_from": [f"{first}:ro"]})
    assert refused.code != 0 and "Read-only" in refused.err


async def test_what_is_asked_for_wins_and_nothing_anonymous_is_made_beside(box: Box, tmp_path) -> None:  # type: ignore[no-untyped-def]
    first = await box.create("true", volumes={"/data": {}, "/other": {}})
    host = {"volumes_from": [first], "binds": [f"{tmp_path}:/other"]}
    second = await box.create("true", volumes={"/data": {}}, host=host)
    mounts = {mount.destination: mount for mount in (await box.engine.containers.inspect(second)).mounts}
    theirs = {mount.destination: mount for mount in (await box.engine.containers.inspect(first)).mounts}
    assert mounts["/data"].name == theirs["/data"].name
    assert mounts["/other"].source == str(tmp_path)
    assert len(await box.engine.volumes.list()) == 2


async def test_wrong_ones_are_refused(box: Box) -> None:
    with pytest.raises(InvalidArgument, match="No such container: nobody"):
        await box.create("true", host={"volumes_from": ["nobody"]})
    first = await box.create("true")
    with pytest.raises(InvalidArgument, match=r"^invalid mode: "):
        await box.create("true", host={"volumes_from": [f"{first}:often"]})


async def test_the_last_container_takes_an_anonymous_volume_along(box: Box) -> None:
    first = await box.create("true", volumes={"/data": {}}, host={"binds": ["named:/named:ro"]})
    second = await box.create("true", host={"volumes_from": [first]})
    mounts = (await box.engine.containers.inspect(second)).mounts
    assert {mount.destination: (mount.mode, mount.rw) for mount in mounts} == {"/data": ("", True), "/named": ("", False)}
    await box.engine.containers.remove(first, volumes=True)
    assert len(await box.engine.volumes.list()) == 2
    await box.engine.containers.remove(second, volumes=True)
    assert [volume.name for volume in await box.engine.volumes.list()] == ["named"]
