"""Graphs that have a BuildOp, whose graph is a file: to dockerd, whose results are recorded, and to us.

``python -m buildkit.recorded.nested SOCKET`` (in ``tests/``) records those of the daemon behind that socket, as ``graphs.py`` does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from buildkit.recorded import graphs
from buildkit.recorded.graphs import Graph, Result, copy, mkdir, mkfile, symlink
from moby_tui.api.buildkit.wire import ops_pb2 as pb

RECORDED = Path(__file__).parent / "dockerd_28_5_nested.json"
#: The input that has the file, which is also the file's usual name.
DEFINITION = "buildkit.llb.definition"
CASES: dict[str, Callable[[Graph], Result]] = {}


def case(make: Callable[[Graph], Result]) -> Callable[[Graph], Result]:
    CASES[make.__name__.replace("_", " ")] = make
    return make


def encoded(make: Callable[[Graph], Result]) -> bytes:
    """The graph that a function makes, as a file has it."""
    graph = Graph()
    return graph.definition(make(graph)).SerializeToString()


def file(data: bytes, path: str = f"/{DEFINITION}", *, at: int = -1, out: int = 0) -> pb.FileAction:
    made = mkfile(path, at=at, out=out)
    made.mkfile.data = data
    return made


def build(graph: Graph, of: Result, **asked: object) -> Result:
    request = {"builder": -1, "inputs": {DEFINITION: pb.BuildInput(input=0)}, **asked}
    return graph.add(pb.Op(build=pb.BuildOp(**request)), of)  # type: ignore[arg-type]


def nested(graph: Graph, make: Callable[[Graph], Result]) -> Result:
    return build(graph, graph.file(file(encoded(make))))


def within(make: Callable[[Graph], Result], _: int = 0) -> Callable[[Graph], Result]:
    """A graph whose one operation is a build of what ``make`` makes."""
    return lambda graph: nested(graph, make)


def file_of(path: str) -> Callable[[Graph], Result]:
    return lambda graph: graph.file(mkfile(path))


@case
def files_of_a_nested_graph(graph: Graph) -> Result:
    return nested(graph, lambda inner: inner.file(mkdir("/d", 0o711, out=-1), mkfile("/d/f", "nested", 0o640, at=0)))


@case
def what_goes_on_from_a_nested_graph(graph: Graph) -> Result:
    made = nested(graph, lambda inner: inner.run("echo said >/said", inner.busybox))
    return graph.file(copy("/said", "/copied", of=0), inputs=(made,))


@case
def a_nested_graph_that_a_command_writes(graph: Graph) -> Result:
    data = encoded(lambda inner: inner.file(mkfile("/written", "by a command")))
    kept = graph.file(file(data, "/kept"))
    mount = pb.Mount(dest="/k", input=1, output=-1, readonly=True)
    written = graph.run(f"cp /k/kept /{DEFINITION}", graph.busybox, mount, inputs=(kept,))
    return build(graph, written)


@case
def a_file_of_another_name(graph: Graph) -> Result:
    data = encoded(lambda inner: inner.file(mkfile("/other")))
    return build(graph, graph.file(mkdir("/d", out=-1), file(data, "/d/g", at=0)), attrs={"llbbuild.filename": "d/g"})


@case
def a_file_behind_a_link(graph: Graph) -> Result:
    data = encoded(lambda inner: inner.file(mkfile("/linked")))
    return build(graph, graph.file(file(data, "/g", out=-1), symlink("/../../g", f"/{DEFINITION}", at=0)))


@case
def a_graph_within_a_graph_within_a_graph(graph: Graph) -> Result:
    return nested(graph, lambda outer: nested(outer, lambda inner: inner.file(mkfile("/deep"))))


@case
def a_folder_in_a_nested_graph(graph: Graph) -> Result:
    return nested(graph, lambda inner: inner.source("local://context", local__followpaths='["f"]'))


@case
def a_nested_command_that_fails(graph: Graph) -> Result:
    return nested(graph, lambda inner: inner.run("exit 4", inner.busybox))


@case
def a_nested_privileged_command(graph: Graph) -> Result:
    return nested(graph, lambda inner: inner.run("true", inner.busybox, security=pb.INSECURE))


@case
def no_such_file(graph: Graph) -> Result:
    return build(graph, graph.file(mkfile("/f")))


@case
def a_file_that_is_no_graph(graph: Graph) -> Result:
    return build(graph, graph.file(file(b"\xff\xff\xff")))


@case
def a_directory_in_the_file_s_place(graph: Graph) -> Result:
    return build(graph, graph.file(mkdir(f"/{DEFINITION}")))


@case
def another_builder(graph: Graph) -> Result:
    return build(graph, graph.file(mkfile("/f")), builder=0)


@case
def no_input_with_the_file(graph: Graph) -> Result:
    return build(graph, graph.file(mkfile("/f")), inputs={})


@case
def an_input_of_a_build_that_is_not_there(graph: Graph) -> Result:
    return build(graph, graph.file(mkfile("/f")), inputs={DEFINITION: pb.BuildInput(input=3)})


@case
def an_output_that_a_build_has_not(graph: Graph) -> Result:
    return Result(nested(graph, lambda inner: inner.file(mkfile("/f"))).digest, 1)


if __name__ == "__main__":
    asyncio.run(graphs.record(CASES, RECORDED, sys.argv[1]))
