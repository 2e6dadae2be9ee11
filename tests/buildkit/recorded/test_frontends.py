"""Frontends that are images: the bridge answers them as dockerd 28.5 does, and a hostile one ends in one line."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buildkit.images import acted, built
from buildkit.peer import Daemon
from buildkit.recorded import frontends, graphs
from moby_tui.api.buildkit.wire import control_pb2
from moby_tui.api.server.app import make_app
from moby_tui.api.server.listen import listen
from moby_tui.engine.engine import Engine

RECORDED = json.loads(frontends.RECORDED.read_text()) if frontends.RECORDED.exists() else {}


@pytest.fixture
async def client(engine: Engine, busybox: str, tmp_path: Path) -> AsyncIterator[graphs.GraphClient]:
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    made = graphs.GraphClient(Daemon(app, tmp_path / "s"), graphs.folder(tmp_path))
    await frontends.prepare(made, tmp_path)
    yield made
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()
    # the end of a build whose client is gone takes its time
    while await engine.containers.list(all=True):
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("does", "text"),
    [
        ("garbage", "frontend grpc server closed unexpectedly"),
        ("dies", "the frontend front did not complete successfully: exit code: 3: a last word"),
    ],
)
async def test_a_frontend_that_fails_ends_in_one_line(client: graphs.GraphClient, does: str, text: str) -> None:
    async def act(front: Any) -> None:
        raise AssertionError("it does not speak")

    assert await built(client, act, {"does": does}) == (None, text)


async def test_a_frontend_that_does_not_end(client: graphs.GraphClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moby_tui.api.buildkit.control.bridge.frontend._PATIENCE", 0.1)
    monkeypatch.setattr("moby_tui.api.buildkit.control.bridge.frontend._IMPATIENCE", 0.1)

    async def returns(front: Any) -> None:
        await front.give(ref=(await front.solve(frontends.tree)).ref)

    _, answer = await built(client, returns, {"after": "it stays"})
    assert answer == {} and "d/f" in graphs.listed(client.target.data or b"")

    async def never(front: Any) -> None:
        building.cancel()
        await asyncio.sleep(100)

    # its client has gone meanwhile
    building = asyncio.create_task(built(client, never))
    with pytest.raises(asyncio.CancelledError):
        await building


async def test_a_frontend_stays_in_bounds(client: graphs.GraphClient) -> None:
    async def act(front: Any) -> list[str]:
        again = {"source": "front", "port": "1", "does": "silent"}
        said = [
            await front.failure("Return", result={"metadata": {"x": b"x" * (17 << 20)}}),
            await front.failure("Solve", Frontend="gateway.v0", FrontendOpt={**again, "frontend.caps": "x"}),
        ]
        for number in range(120):
            last = await front.failure("NewContainer", ContainerID=f"{number}", Mounts=[{"dest": "/", "resultID": "nosuch"}])
        return [*said, last]

    said, answer = await built(client, act)
    assert answer == "no result for incomplete build"
    assert [each.partition(":")[0] for each in said] == ["RESOURCE_EXHAUSTED", "UNKNOWN", "NOT_FOUND"]


async def test_frontends_that_ask_each_other_without_end(client: graphs.GraphClient) -> None:
    (client.folder / "Dockerfile").write_text("# syntax=front\nFROM scratch\n")

    async def act(front: Any) -> str:
        with socket.create_server(("", 0)) as listener:
            listener.setblocking(False)
            options = {"source": "front", "port": str(listener.getsockname()[1])}
            asked = asyncio.create_task(front.failure("Solve", Frontend="gateway.v0", FrontendOpt=options))
            inner = asyncio.create_task(acted(listener, act))
            answer = await asked
            inner.cancel()
            await asyncio.wait([inner])
            return str(answer if inner.cancelled() else inner.result())

    said, _ = await built(client, act)
    assert said == "UNKNOWN: more than 8 frontends have asked each other for a build"


async def test_images_of_several_builds(client: graphs.GraphClient, engine: Engine) -> None:
    """A result for two platforms, each image by a graph of its own and with a configuration of its own."""

    async def act(front: Any) -> None:
        refs, metadata, platforms = {}, {}, []
        for architecture in ("amd64", "arm64"):
            name = f"linux/{architecture}"
            refs[name] = (await front.solve(lambda graph, name=name: graph.file(graphs.mkfile("/f", name)))).ref
            platforms.append({"ID": name, "Platform": {"os": "linux", "architecture": architecture}})
            # as Go writes lists that are not there
            nothing = {"rootfs": {"type": "layers", "diff_ids": None}, "history": None}
            configuration = {"architecture": architecture, "os": "linux", "config": {"Cmd": [name], "Env": None}, **nothing}
            metadata[f"containerimage.config/{name}"] = json.dumps(configuration).encode()
        metadata["refs.platforms"] = json.dumps({"Platforms": platforms}).encode()
        await front.give(refs={"refs": refs}, metadata=metadata)

    exporter = control_pb2.Exporter(Type="moby", Attrs={"name": "both"})
    _, answer = await built(client, act, Exporters=[exporter])
    assert isinstance(answer, dict) and answer["image.name"] == "docker.io/library/both"
    made = await engine.images.inspect("both")
    assert made.config.cmd == ["linux/amd64"] and len(made.root_fs.layers) == 1
    inspected = await engine.images.inspect("both", platform="linux/arm64")
    assert inspected.config.cmd == ["linux/arm64"]

    async def without_platforms(front: Any) -> None:
        ref = (await front.solve(frontends.tree)).ref
        await front.give(refs={"refs": {"one": ref, "two": ref}})

    _, answer = await built(client, without_platforms)
    assert answer == "a result of several images needs refs.platforms in its metadata"


async def test_frontends_are_answered_as_by_dockerd(client: graphs.GraphClient) -> None:
    assert list(RECORDED) == list(frontends.CASES)
    for name in frontends.CASES:
        found, recorded = await frontends.outcome(client, name), RECORDED[name]
        if "error" in recorded:
            assert recorded["error"] in found["error"], name
            del recorded["error"], found["error"]
        assert found == recorded, name
