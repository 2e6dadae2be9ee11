"""Bills of materials: what a scanner is given, and what becomes of what it writes, is as with dockerd 28.5."""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grpclib.exceptions import GRPCError

from bench.image import ARCHITECTURES
from buildkit.peer import Daemon
from buildkit.recorded import graphs, scans
from moby_tui.api.buildkit.wire import control_pb2
from moby_tui.api.buildkit.wire import ops_pb2 as pb
from moby_tui.api.server.app import make_app
from moby_tui.api.server.listen import listen
from moby_tui.engine.engine import Engine

#: Ours, where dockerd has other words.
ERRORS = {
    "a file that is no statement": "a file that is to be a statement is no in-toto statement",
    "a statement of another kind": "a statement x where https://spdx.dev/Document is needed",
    "a folder": "'/two' is no statement: no file, or larger than 67108864 bytes",
}


@pytest.fixture
async def client(engine: Engine, busybox: str, tmp_path: Path) -> AsyncIterator[graphs.GraphClient]:
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    made = graphs.GraphClient(Daemon(app, tmp_path / "s"), graphs.folder(tmp_path))
    await scans.prepare(made.daemon, tmp_path)
    yield made
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()


async def test_scans_are_those_of_dockerd(client: graphs.GraphClient) -> None:
    everything = json.loads(scans.RECORDED.read_text().replace("amd64", ARCHITECTURES[platform.machine()]))
    assert list(everything) == [*scans.CASES, scans.OWN]
    for name, recorded in everything.items():
        found = await scans.outcome(client, name)
        if "error" in recorded:
            assert ERRORS.get(name, recorded["error"]) in found["error"], name
        else:
            assert found == recorded, name


async def test_what_a_graph_makes_is_scanned_too(client: graphs.GraphClient) -> None:
    graph = graphs.Graph()
    definition = graph.definition(graph.file(graphs.mkfile("/of-a-graph")))
    exporter = control_pb2.Exporter(Type="oci", Attrs={"name": "example.test/a:1"})
    await client.solve("one", definition, FrontendAttrs={"attest:sbom": "generator=scanner"}, Exporters=[exporter])
    [[*_, predicate]] = scans.stated(client.target.data or b"")
    assert predicate["files"] == "./of-a-graph "


@pytest.mark.parametrize(
    ("kind", "more", "text"),
    [
        ("moby", {}, "a bill of materials of an image that is stored alone"),
        (
            "oci",
            {"build-arg:BUILDKIT_SBOM_SCAN_STAGE": "true"},
            "an argument BUILDKIT_SBOM_SCAN_...: scans of more than the image",
        ),
    ],
)
async def test_what_is_not_there_is_refused(client: graphs.GraphClient, kind: str, more: dict[str, str], text: str) -> None:
    (client.folder / "Dockerfile").write_text("FROM scratch\nCOPY f /copied\n")
    exporter = control_pb2.Exporter(Type=kind, Attrs={"name": "example.test/a:1"})
    attributes = {"attest:sbom": "generator=scanner", **more}
    with pytest.raises(GRPCError, match=text):
        await client.solve("one", pb.Definition(), Frontend="dockerfile.v0", FrontendAttrs=attributes, Exporters=[exporter])
