"""Builds from graphs of operations (LLB): their results are those of dockerd 28.5, and what is hostile is refused."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from grpclib.exceptions import GRPCError

from build.sources.repository import repository, served
from build.sources.test_transfer import site
from buildkit.client import BRIDGE_SOLVE, RETURN, SOLVE
from buildkit.peer import Daemon
from buildkit.recorded import graphs, nested
from buildkit.recorded.graphs import Graph, Result, copy, mkdir, mkfile
from moby_tui.api.buildkit.control import definition
from moby_tui.api.buildkit.grpc.client import Method
from moby_tui.api.buildkit.wire import control_pb2, gateway_pb2
from moby_tui.api.buildkit.wire import ops_pb2 as pb
from moby_tui.api.server.app import make_app
from moby_tui.api.server.listen import listen
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema import operations as ops
from moby_tui.schema.build import BuildOptions

CONFIG = '{"architecture":"amd64","os":"linux","config":{"Cmd":["x"],"Labels":{"a":"b"}}}'


@pytest.fixture
async def client(engine: Engine, busybox: str, tmp_path: Path) -> AsyncIterator[graphs.GraphClient]:
    [listener] = listen(f"unix://{tmp_path}/s")
    app = make_app(engine)
    server = await asyncio.get_running_loop().create_server(app, sock=listener.socket)
    yield graphs.GraphClient(Daemon(app, tmp_path / "s"), graphs.folder(tmp_path))
    server.close()
    app.end_streams()
    await app.shutdown(0.2)
    listener.close()


def defined(make: Callable[[Graph], Result]) -> pb.Definition:
    graph = Graph()
    return graph.definition(make(graph))


async def listed(client: graphs.GraphClient, make: Callable[[Graph], Result], ref: str) -> dict[str, list[Any]]:
    """The files of a result."""
    client.target.data = None
    await client.solve(ref, defined(make), Exporters=[control_pb2.Exporter(Type="tar")])
    return graphs.listed(client.target.data or b"")


#: Ours, where dockerd has other words.
ERRORS = {
    "a missing source of a copy": "lstat /nosuch: no such file or directory",
    "a missing wildcard": "/no* not found",
    "a missing file to remove": "rm failed: nosuch: No such file or directory",
    "a file without its directory": "mkfile failed: /nosuch/f: No such file or directory",
    "a command that fails": 'process "sh -c exit 3" did not complete successfully: exit code: 3',
    "a secret that is missing": "secret none: not found",
    "the host s network": "network.host is not granted; build with --allow network.host",
    "a privileged command": "security.insecure is not granted; build with --allow security.insecure",
    "an output that is not there": "has no output 5",
    "an input that is not there": f"lacks 'sha256:{'0' * 64}'",
    "an unknown operation": "of a kind that is not known, or of none",
    "a nested privileged command": "security.insecure is not granted; build with --allow security.insecure",
    "no such file": "failed to open 'buildkit.llb.definition': no such file or directory",
    "a file that is no graph": "the file of a graph's operation build is no graph of operations",
    "a directory in the file s place": "'buildkit.llb.definition' is no graph of operations: no file",
    "another builder": "another builder than that of graphs (-1)",
    "no input with the file": "has no input buildkit.llb.definition, in which its graph is",
    "an input of a build that is not there": "has no input 3",
    "an output that a build has not": "has no output 1",
}


@pytest.mark.parametrize("cases", [graphs, nested])
async def test_results_are_those_of_dockerd(client: graphs.GraphClient, cases: Any) -> None:
    everything = json.loads(cases.RECORDED.read_text())
    assert list(everything) == list(cases.CASES)
    for number, (name, make) in enumerate(cases.CASES.items()):
        found, recorded = await graphs.outcome(client, make, f"g{number}"), everything[name]
        if "error" in recorded:
            assert ERRORS.get(name, recorded["error"]) in found["error"], name
        else:
            assert found == recorded, name


async def test_progress_cache_and_configuration(client: graphs.GraphClient, engine: Engine) -> None:
    def make(graph: Graph) -> Result:
        made = graph.run("echo said | tee /f", graph.busybox)
        return graph.file(mkfile("/g", at=0), inputs=(made,))

    graph = defined(make)
    # a name that the client gives counts for nothing but for the eye
    shown = defined(make)
    shown.metadata[definition._digest(getattr(shown, "def")[1])].description["llb.customname"] = "mine"
    exporter = control_pb2.Exporter(Type="moby", Attrs={"name": "made", "containerimage.config": CONFIG})
    await client.solve("first", graph, Exporters=[exporter])
    answer = await client.solve("second", shown, Exporters=[exporter])
    made = await engine.images.inspect("made")
    assert answer["containerimage.digest"] == made.id
    assert made.config.cmd == ["x"] and made.config.labels == {"a": "b"} and len(made.root_fs.layers) == 3
    vertexes = {vertex.digest: vertex for message in client.progress for vertex in message.vertexes}
    digests = [definition._digest(data) for data in getattr(graph, "def")]
    told = [vertexes[digest] for digest in digests[:-1]]
    assert [(vertex.name, vertex.cached, list(vertex.inputs)) for vertex in told] == [
        ("docker-image://docker.io/library/busybox:latest", False, []),
        ("mine", True, digests[:1]),
        ("mkfile /g", True, digests[1:2]),
    ]
    # one vertex alone is made anew
    graph.metadata[digests[1]].ignore_cache = True
    await client.solve("third", graph)
    assert b"".join(log.msg for message in client.progress for log in message.logs) == b"said\n"


TREE = (
    mkfile("/f", "first", 0o640, out=-1, owner=graphs.by_id(5, 6), timestamp=10**18),
    mkdir("/d", at=0, out=-1),
    graphs.symlink("/../../f", "/d/link", at=1),
)
READ: list[tuple[str, dict[str, Any], Callable[[Any], bool]]] = [
    ("ReadFile", {"FilePath": "/f"}, lambda said: said.Data == b"first"),
    ("ReadFile", {"FilePath": "d/link", "Range": {"Offset": 1, "Length": 3}}, lambda said: said.Data == b"irs"),
    ("ReadDir", {"DirPath": "/"}, lambda said: [each.path for each in said.entries] == [b"d", b"f"]),
    ("ReadDir", {"DirPath": "/", "IncludePattern": "f*"}, lambda said: [each.path for each in said.entries] == [b"f"]),
    (
        "ReadDir",
        {"DirPath": "/d"},
        lambda said: [(each.path, each.linkname) for each in said.entries] == [(b"link", b"/../../f")],
    ),
    ("StatFile", {"Path": "/d/link"}, lambda said: (said.stat.mode, said.stat.uid, said.stat.gid) == (0o640, 5, 6)),
    ("StatFile", {"Path": "/f"}, lambda said: (said.stat.path, said.stat.size, said.stat.modTime) == (b"f", 5, 10**18)),
    ("StatFile", {"Path": "/"}, lambda said: said.stat.mode & 0o777 == 0o755),
]
UNREAD: list[tuple[str, dict[str, Any], str]] = [
    ("ReadFile", {"FilePath": "/nosuch"}, "no such file or directory"),
    ("ReadFile", {"FilePath": "/d"}, "is no file"),
    ("ReadDir", {"DirPath": "/f"}, "not a directory"),
    ("ReadDir", {"DirPath": "/", "IncludePattern": "["}, "invalid pattern"),
    ("StatFile", {"Path": "/f", "Ref": "nosuch"}, "no such result"),
    ("StatFile", {"Path": "/f\0"}, "cannot hold a nul byte"),
]


async def test_a_client_directs_a_build_with_graphs(client: graphs.GraphClient, engine: Engine) -> None:
    metadata = {"buildkit-controlapi-buildid": "mine"}
    async with client.daemon.session(client.services, "one"), client.daemon.channel() as channel:
        exporter = control_pb2.Exporter(Type="moby", Attrs={"name": "directed"})
        request = control_pb2.SolveRequest(Ref="mine", Session="one", Exporters=[exporter])
        solving = asyncio.create_task(channel.call(SOLVE, request))

        async def solved(**asked: Any) -> gateway_pb2.Ref:
            async with channel.open(BRIDGE_SOLVE, metadata) as stream:
                await stream.send_message(
                    gateway_pb2.SolveRequest(allowResultReturn=True, allowResultArrayRef=True, **asked), end=True
                )
                answer = await stream.recv_message()
            assert answer is not None
            return answer.result.ref

        first = await solved(Definition=defined(lambda graph: graph.file(*TREE)))
        for method, asked, answer in READ:
            request_of, answer_of = (getattr(gateway_pb2, f"{method}{what}") for what in ("Request", "Response"))
            call = Method(f"/moby.buildkit.v1.frontend.LLBBridge/{method}", request_of, answer_of)
            said = await channel.call(call, request_of(Ref=first.id, **asked), metadata)
            assert answer(said), (method, asked, said)
        for method, asked, text in UNREAD:
            request_of, answer_of = (getattr(gateway_pb2, f"{method}{what}") for what in ("Request", "Response"))
            call = Method(f"/moby.buildkit.v1.frontend.LLBBridge/{method}", request_of, answer_of)
            with pytest.raises(GRPCError, match=text):
                await channel.call(call, request_of(**{"Ref": first.id, **asked}), metadata)
        # a graph takes what another has made, and a Dockerfile what a graph makes
        identifier = pb.Op.FromString(getattr(getattr(first, "def"), "def")[0]).source.identifier
        onto = defined(lambda graph: graph.file(mkdir("/e", at=0), inputs=(graph.source(identifier),)))
        (client.folder / "Dockerfile").write_text("FROM base\nCOPY f /g\n")
        inputs = {"base": onto}
        last = await solved(Frontend="dockerfile.v0", FrontendOpt={"context:base": "input:base"}, FrontendInputs=inputs)
        assert last.id
        async with channel.open(RETURN, metadata) as stream:
            result = gateway_pb2.Result(ref=await solved(Definition=onto), metadata={"containerimage.config": CONFIG.encode()})
            await stream.send_message(gateway_pb2.ReturnRequest(result=result), end=True)
            await stream.recv_message()
        assert (await solving).ExporterResponse["image.name"] == "docker.io/library/directed"
    made = await engine.images.inspect("directed")
    assert made.config.cmd == ["x"] and len(made.root_fs.layers) == 2


async def test_repositories_and_files_behind_http(client: graphs.GraphClient, tmp_path: Path) -> None:
    repository(tmp_path / "git/one", {"sub/f": b"of git"}, tag="v1")
    with served(tmp_path / "git") as address:
        remote, url = f"{address}/one/.git", address.removeprefix("git://")
        async with site({"/a/file": b"of http"}) as web:
            found = await listed(
                client,
                lambda graph: graph.file(
                    copy("/", "/git/", of=0, out=-1, createDestPath=True, dirCopyContents=True),
                    copy("/named", "/", at=2, of=1),
                    inputs=(
                        graph.source(f"git://{url}/one/.git#v1:sub", git__fullurl=remote),
                        graph.source(f"{web}/a/file", http__filename="named", http__perm="0640", http__uid="7"),
                    ),
                ),
                "fetched",
            )
    assert found["git/f"][-1] == "of git" and found["named"] == ["0", "640", 7, 0, "of http"]


def mounted(*mounts: pb.Mount, **op: Any) -> Callable[[Graph], Result]:
    return lambda graph: graph.run("true", graph.file(mkfile("/f")), *mounts, **op)


REFUSED: list[tuple[Callable[[Graph], Result], str]] = [
    (
        lambda graph: nested.build(graph, graph.file(mkfile("/f")), attrs={"x": "y"}),
        "the attribute x of a graph's operation build",
    ),
    (lambda graph: nested.build(graph, graph.file(nested.file(b""))), "has no operations"),
    (lambda graph: nested.build(graph, graph.busybox, attrs={"llbbuild.filename": "../dev/zero"}), "failed to open"),
    (lambda graph: functools.reduce(nested.within, range(40), nested.file_of("/f"))(graph), "more than 32 deep"),
    (lambda graph: graph.source("s3://bucket"), "the source s3://bucket of a graph of operations"),
    (
        lambda graph: graph.source("local://context", local__nosuch="1"),
        "the attribute local.nosuch of the source local://context",
    ),
    (lambda graph: graph.source("local://context", local__includepattern="x"), "invalid list 'x'"),
    (lambda graph: graph.source("local://../context"), "no access allowed to dir"),
    (lambda graph: graph.source("oci-layout://x"), "has no digest"),
    (lambda graph: graph.source("git://-x/y.git"), "invalid address of a repository"),
    (lambda graph: graph.source("docker-image://-"), "invalid reference"),
    (lambda graph: graph.source("made://../../etc/passwd"), "no build has made the image"),
    (mounted(pb.Mount(dest="/", input=0, output=0, selector="/f")), "runs in a part of a tree"),
    (mounted(pb.Mount(dest="/", input=0, output=0, mountType=pb.TMPFS)), "has no mount at /"),
    (mounted(pb.Mount(dest="/proc/x", input=-1, output=-1)), "invalid mount target '/proc/x'"),
    (mounted(pb.Mount(dest="/a", input=-1), pb.Mount(dest="//a/.", input=-1)), "two mounts at one place"),
    (mounted(pb.Mount(dest="/a", input=0, output=-1, readonly=True, selector="/../nosuch")), "failed to find"),
    (mounted(pb.Mount(dest="/a", input=1)), "has no input 1"),
    (mounted(pb.Mount(dest="/a", input=-1, mountType=cast(Any, 77))), "a mount of the unknown type 77"),
    (mounted(network=cast(Any, 9)), "the unknown network mode 9"),
    (mounted(cdiDevices=[pb.CDIDevice(name="v/d=x")]), "the device 'v/d=x' (CDI)"),
    (lambda graph: graph.run("", graph.busybox, meta={"args": []}), "has no arguments"),
    (lambda graph: graph.source("local://"), "the source local:// names nothing"),
    (lambda graph: graph.file(mkfile("/f", at=1)), "has no input 1 for its action 0"),
    (lambda graph: graph.file(mkfile("/f", owner=graphs.by_name("bob", -1))), "which an empty tree does not know"),
    (lambda graph: graph.file(mkfile("/f", owner=graphs.by_id(2**32 - 1))), "is nobody's number"),
    (lambda graph: graph.file(mkfile("/a\0b")), "has a NUL byte in the field path"),
    (lambda graph: graph.run("", graph.busybox, meta={"env": ["A=\0"]}), "has a NUL byte in the field env"),
    (lambda graph: graph.source("https://x.test/" + "x" * 300), "has more than 255 bytes"),
    (lambda graph: graph.file(graphs.rm("/..", at=-1)), "the root of a tree cannot be removed"),
    (lambda graph: graph.file(pb.FileAction(input=-1)), "a graph's change of files is of a kind that is not known"),
]


async def test_what_is_wrong_or_not_there_is_refused_by_name(client: graphs.GraphClient) -> None:
    for number, (make, text) in enumerate(REFUSED):
        with pytest.raises(GRPCError) as refused:
            await client.solve(f"r{number}", defined(make))
        assert text in (refused.value.message or ""), text
    with pytest.raises(GRPCError, match="a bill of materials of an image that is stored alone"):
        await client.solve("attested", defined(lambda graph: graph.busybox), FrontendAttrs={"attest:sbom": ""})


async def test_files_stay_in_the_tree(client: graphs.GraphClient) -> None:
    def make(graph: Graph) -> Result:
        trap = graph.file(
            graphs.symlink("/", "/up", out=-1),
            graphs.symlink("../../../../../../..", "/out", at=0, out=-1),
            mkfile("/up/etc-f", "inside", at=1, out=-1),
            mkdir("/out/../a", at=2, out=-1),
            mkfile("/out/a/g", "inside", at=3),
        )
        return graph.file(copy("/out/../../a/g", "/../../h", of=0), inputs=(trap,))

    assert await listed(client, make, "trap") == {"h": ["0", "644", 0, 0, "inside"]}


def test_a_graph_that_does_not_hang_together_is_refused() -> None:
    for data, text in ((b"\xff\xff", "is no operation"), (b"", "has no result")):
        with pytest.raises(InvalidArgument, match=text):
            definition.read(pb.Definition(**cast(Any, {"def": [data]})))
    source = ops.Vertex(digest="a", name="", description="", operation=ops.Source(identifier="x"))
    onto = ops.Vertex(digest="b", name="", description="", operation=ops.Merge(inputs=[0]), inputs=[ops.Result(1)])
    for vertexes, result in (([source, onto], 1), ([source], 1), ([], 0), ([source] * (ops.MOST + 1), 0)):
        with pytest.raises(InvalidArgument):
            ops.Graph(vertexes=vertexes, result=ops.Result(result)).check()
    assert issubclass(NotImplementedYet, MobyError) and BuildOptions().graph is None
