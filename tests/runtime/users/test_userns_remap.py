"""``moby daemon --userns-remap``: every container in a user namespace, unless it asks for the host's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.policy import user_namespaces
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument
from runtime.box import Box
from runtime.running import execute

FIRST, COUNT = 700_000, 65_536
_SHOW = ("sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/user")


@pytest.fixture(params=["default", "somebody"])
def remapped(box: Box, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Box:
    """An engine that remaps: to the ids that are nobody's, and to those of a user of this machine."""
    ids = tmp_path / "subids"
    ids.write_text(f"daemon:{FIRST}:{COUNT}\n" if request.param != "default" else "")
    monkeypatch.setattr(user_namespaces, "_SUBUID", ids)
    monkeypatch.setattr(user_namespaces, "_SUBGID", ids)
    box.engine.configure(EngineOptions(userns_remap="default" if request.param == "default" else "daemon:1"))
    return box


async def test_root_inside_is_nobody_outside(remapped: Box) -> None:
    ident = await remapped.start("sleep", "60")
    state = (await remapped.engine.containers.inspect(ident)).state
    map_ = [int(word) for word in (await execute(remapped, ident, "cat", "/proc/self/uid_map")).split()]
    assert map_[0] == 0 and map_[2] == COUNT and os.stat(f"/proc/{state.pid}").st_uid == map_[1] >= FIRST
    assert "name=userns" in (await remapped.engine.system.info()).security_options


async def test_files_and_volumes_have_the_image_s_owners(remapped: Box) -> None:
    done = await remapped.run("sh", "-c", "touch /v/mine /mine; stat -c %u /bin /v /v/mine /mine", host={"binds": ["data:/v"]})
    assert done.out.split() == ["0"] * 4, done.err
    assert os.stat(remapped.engine.paths.volumes / "data/_data/mine").st_uid == 0
    await remapped.engine.containers.remove(done.id)
    await remapped.engine.volumes.remove("data")


async def test_what_the_host_s_root_owns_is_not_its_own(remapped: Box, tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    done = await remapped.run("sh", "-c", "cat /b/file", host={"binds": [f"{tmp_path}:/b"]})
    assert "Permission denied" in done.err


async def test_host_opts_out(remapped: Box) -> None:
    done = await remapped.run("cat", "/proc/self/uid_map", host={"userns_mode": "host", "privileged": True})
    assert done.out.split() == ["0", "0", "4294967295"]


async def test_a_container_that_joins_another_is_in_its_user_namespace(remapped: Box) -> None:
    first = await remapped.start("sleep", "60")
    done = await remapped.run(*_SHOW, host={"network_mode": f"container:{first}"})
    seen = await execute(remapped, first, *_SHOW)
    assert done.out == seen and "user:" in seen


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ({"privileged": True}, "privileged mode is incompatible with user namespaces"),
        ({"network_mode": "host"}, "cannot share the host's network namespace when user namespaces are enabled"),
        ({"pid_mode": "host"}, "cannot share the host PID namespace when user namespaces are enabled"),
    ],
)
async def test_what_cannot_go_together(remapped: Box, host: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        await remapped.create("true", host=host)


@pytest.mark.parametrize(
    ("text", "why"),
    [("nobody-here", "no user nobody-here"), ("root:", "write it as"), (":0", "write it as"), ("bin", "has no ids in")],
)
def test_who_cannot_be_remapped_to(box: Box, text: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        box.engine.configure(EngineOptions(userns_remap=text))
