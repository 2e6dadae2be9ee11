"""The SDK: one suite against the engine in this process, our daemon and a dockerd, by both faces; every method of ``Client`` is in it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clients import sdk_steps
from clients.sdk_faces import Awaited, Counted
from clients.sdk_steps import Kit
from moby_tui import sync
from moby_tui.api.client import protocol
from moby_tui.api.client.connect import connect
from servers import dockerd
from servers.registry import Registry, running

#: Types of ``moby_tui.api.client.protocol`` that are no family of ``Client``.
_NO_FAMILIES = {"Archives", "Client", "ExitWait", "Readable"}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path / "registry") as found:
        yield found


@asynccontextmanager
async def opened(face: str, **where: Any) -> AsyncIterator[Any]:
    if face == "async":
        async with connect(**where) as client:
            yield client
    else:
        with sync.Engine.connect(**where) as client:
            yield Awaited(client, is_client=True)


async def check(client: Any, kit: Kit) -> None:
    """Takes every step, and fails for a method that none has called."""
    called: set[str] = set()
    for step in sdk_steps.STEPS:
        await step(Counted(client, called), kit)
    methods = {
        f"{family.lower()}.{name}"
        for family in set(protocol.__all__) - _NO_FAMILIES
        for name, member in vars(getattr(protocol, family)).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    assert methods - called == set()


@pytest.mark.parametrize("face", ["async", "blocking"])
async def test_the_engine_in_this_process(face: str, roots: tuple[Path, Path], busybox_archive: Path, registry: Registry) -> None:
    kit = Kit(busybox_archive.read_bytes(), registry.address, is_moby=True, is_near=True)
    async with opened(face, data_root=roots[0], exec_root=roots[1]) as client:
        await check(client, kit)


@pytest.mark.parametrize("face", ["async", "blocking"])
async def test_our_daemon(face: str, served_here: Path, busybox_archive: Path, registry: Registry) -> None:
    kit = Kit(busybox_archive.read_bytes(), registry.address, is_moby=True, is_near=False)
    async with opened(face, host=f"unix://{served_here}") as client:
        await check(client, kit)


@pytest.mark.parametrize("face", ["async", "blocking"])
async def test_dockerd(face: str, busybox_archive: Path, registry: Registry) -> None:
    kit = Kit(busybox_archive.read_bytes(), registry.address, is_moby=False, is_near=False)
    with dockerd.running() as path:
        async with opened(face, host=f"unix://{path}") as client:
            await check(client, kit)
