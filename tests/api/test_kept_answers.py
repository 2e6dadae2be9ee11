"""Answers that the daemon keeps: each is what a new one would be, whoever has changed the container."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.wire import ask
from images.image_store import stream
from moby_tui.api.server import shims
from moby_tui.api.server.versions import parse
from moby_tui.engine.containers.views import inspection, kept_answers, view
from moby_tui.engine.engine import Engine
from moby_tui.schema.base import decode, encode
from moby_tui.schema.container import ContainerCreate

Cli = Callable[..., Any]
VERSIONS = ("1.41", "1.52")
#: What another process does to the containers ``one`` (running) and ``two``, one after the other.
CHANGES: list[tuple[str, ...]] = [
    ("pause", "one"),
    ("unpause", "one"),
    ("exec", "-d", "one", "sleep", "1000"),
    ("rename", "one", "three"),
    ("rename", "two", "one"),
    ("update", "--memory", "64m", "--memory-swap", "64m", "three"),
    ("update", "--restart", "on-failure:3", "one"),
    ("run", "-d", "--name", "linked", "--link", "three:alias", "busybox", "sleep", "1000"),
    ("kill", "linked"),
    ("rm", "-f", "linked"),
    ("network", "create", "web"),
    ("network", "connect", "web", "three"),
    ("network", "disconnect", "web", "three"),
    ("start", "one"),
    ("stop", "-t", "0", "three"),
    ("rm", "three"),
    ("network", "rm", "web"),
    ("rm", "-f", "one"),
]


async def answer(path: Path, target: str) -> Any:
    return json.loads((await ask(path, "GET", target)).body)


async def expected(engine: Engine, version: str) -> dict[str, Any]:
    """What new answers are."""
    number = parse(version)
    rows = await engine.containers.list(all=True)
    return {
        "list": json.loads(encode(shims.container_summaries(rows, number))),
        **{
            row.id: json.loads(encode(shims.container_inspect(await engine.containers.inspect(row.id), number)))
            for row in rows
        },
    }  # fmt: skip


async def answers(path: Path, version: str) -> dict[str, Any]:
    rows = await answer(path, f"/v{version}/containers/json?all=1")
    return {"list": rows, **{row["Id"]: await answer(path, f"/v{version}/containers/{row['Id']}/json") for row in rows}}


async def check(engine: Engine, path: Path) -> None:
    """Asks twice: what is kept is made by the first request, if not before."""
    for version in VERSIONS * 2:
        assert await answers(path, version) == await expected(engine, version), version


@pytest.fixture(autouse=True)
def without_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moby_tui.engine.containers.views.view.human_duration", lambda seconds: f"{int(seconds / 1000)} times")


@pytest.fixture
def others(request: pytest.FixtureRequest, busybox: str, cli: Cli) -> Cli:
    """The command line, with two containers. The parameter is the network of the first."""
    network = getattr(request, "param", "none")
    cli("run", "-d", "--name", "one", "--network", network, "busybox", "sleep", "1000")
    cli("create", "--name", "two", "--label", "x=y", "-v", "data:/data", "busybox", "true")
    return cli


@pytest.mark.parametrize("others", ["bridge"], indirect=True)
async def test_what_other_processes_change_is_seen(engine: Engine, socket_path: Path, others: Cli) -> None:
    await check(engine, socket_path)
    for change in CHANGES:
        await asyncio.to_thread(others, *change)
        await check(engine, socket_path)
    assert (await ask(socket_path, "GET", "/containers/three/json")).status == 404


async def test_what_this_engine_changes_is_seen(engine: Engine, socket_path: Path, others: Cli) -> None:
    containers = engine.containers
    await check(engine, socket_path)
    for change in (
        lambda: containers.rename("two", "other"),
        lambda: containers.stop("one", timeout=0),
        lambda: containers.start("one"),
        lambda: containers.create(ContainerCreate(image="busybox"), name="new"),
        lambda: containers.remove("new"),
    ):
        await change()
        await check(engine, socket_path)


async def test_an_image_is_shown_by_its_name_while_it_has_it(engine: Engine, socket_path: Path, busybox: str) -> None:
    """Otherwise by its id, as dockerd 28.5 does."""
    images, containers = engine.images, engine.containers
    ident = (await images.inspect("busybox")).id
    names = ["busybox", "docker.io/library/busybox:latest", "user/app", "localhost:5000/x:1", ident, ident[7:19]]
    for name in ("user/app", "localhost:5000/x:1"):
        await images.tag("busybox", name)
    for name in names:
        await containers.create(ContainerCreate(image=name, cmd=["true"]))

    async def shown() -> list[str]:
        return [row["Image"] for row in await answer(socket_path, "/containers/json?all=1")][::-1]

    assert await shown() == names
    async for _ in images.import_tar(stream(b"\0" * 10240), reference="localhost:5000/x:1"):
        pass
    await images.remove("user/app")
    assert await shown() == [*names[:2], ident, ident, *names[4:]]
    assert [row.image for row in await containers.list(all=True)][::-1] == await shown()


async def test_an_end_without_a_word_is_seen(engine: Engine, socket_path: Path, others: Cli) -> None:
    await check(engine, socket_path)
    ident = (await engine.containers.inspect("one")).id
    state = json.loads((engine.paths.container(ident).state).read_text())
    os.kill(state["monitor"], signal.SIGKILL)
    async with asyncio.timeout(30):
        while (await answer(socket_path, "/containers/one/json"))["State"]["Running"]:
            await asyncio.sleep(0.05)
    found = await answer(socket_path, "/containers/json?all=1&filters=" + '{"name":["one"]}')
    assert found[0]["State"] == "exited"


async def test_a_damaged_state_is_seen_and_forgotten(engine: Engine, socket_path: Path, others: Cli) -> None:
    await check(engine, socket_path)
    file = engine.paths.container((await engine.containers.inspect("two")).id).state
    file.write_text("{")
    assert "damaged" in (await answer(socket_path, "/containers/two/json"))["State"]["Error"]
    await check(engine, socket_path)
    file.unlink()
    await check(engine, socket_path)


async def test_the_checks_of_health_are_seen(engine: Engine, socket_path: Path, busybox: str, cli: Cli) -> None:
    checks = ("--network", "none", "--health-cmd", "test -e /well", "--health-interval", "100ms", "--health-retries", "1")
    cli("run", "-d", "--name", "health", *checks, "busybox", "sleep", "1000")
    for status in ("unhealthy", "healthy"):
        async with asyncio.timeout(30):
            while (await answer(socket_path, "/containers/health/json"))["State"]["Health"]["Status"] != status:
                await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            while status not in (await answer(socket_path, "/containers/json"))[0]["Status"]:
                await asyncio.sleep(0.02)
        cli("exec", "health", "sh", "-c", "echo >/well")


async def test_a_status_grows_older(engine: Engine, socket_path: Path, others: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await answer(socket_path, "/containers/json")
    later = time.time() + 5000
    monkeypatch.setattr(time, "time", lambda: later)
    second = await answer(socket_path, "/containers/json")
    assert (first[0]["Status"], second[0]["Status"]) == ("Up 0 times", "Up 5 times")


async def test_what_is_kept_is_given_again(
    engine: Engine, socket_path: Path, others: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check(engine, socket_path)

    def fail(*arguments: object) -> None:
        raise AssertionError("made anew")

    with monkeypatch.context() as patch:
        patch.setattr(view, "summary", fail)
        patch.setattr(inspection, "inspect", fail)
        assert len((await answers(socket_path, "1.52"))["list"]) == 2


async def test_more_containers_than_are_kept(
    engine: Engine, socket_path: Path, others: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answers, "MOST", 1)
    await check(engine, socket_path)
    others("rename", "one", "zero")
    await check(engine, socket_path)


async def test_filters_and_limits(engine: Engine, socket_path: Path, others: Cli) -> None:
    labelled, created = '{"label":["x"]}', '{"status":["created"]}'
    for query in ("", "?limit=1", "?all=1&limit=0", f"?filters={labelled}", f"?all=1&filters={labelled}", f"?filters={created}"):
        filters = decode(query.partition("filters=")[2] or "{}", dict[str, list[str]])
        rows = await engine.containers.list(all="all=1" in query, limit=int("limit=1" in query), filters=filters)
        for _ in range(2):
            assert [row["Id"] for row in await answer(socket_path, f"/containers/json{query}")] == [row.id for row in rows], query


async def test_a_transaction_that_is_undone_is_not_kept(engine: Engine, socket_path: Path, others: Cli) -> None:
    await check(engine, socket_path)
    database = engine._parts.store._database

    class Undone(Exception):
        pass

    with pytest.raises(Undone), database.transaction() as connection:
        connection.execute("UPDATE containers SET name = 'never' WHERE name = 'two'")
        assert await engine.containers.inspect_encoded("never", "form", lambda one: one.name.encode()) == b"/never"
        raise Undone
    await check(engine, socket_path)
    assert (await ask(socket_path, "GET", "/containers/never/json")).status == 404
