"""Graphs of operations (LLB) that a client sends: to dockerd, whose results are recorded, and to us.

``python -m buildkit.recorded.graphs SOCKET [STORE]`` (in ``tests/``) records the results of the daemon behind that socket, which
has the image busybox of ``bench.image`` and no network. MergeOp and DiffOp need its store of images to be containerd's: ``STORE``
is the socket of such a one.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from buildkit.client import SOLVE, Client, told
from buildkit.peer import Daemon, Elsewhere
from buildkit.sessions.file_services import FileTarget
from moby_tui.api.buildkit.wire import control_pb2
from moby_tui.api.buildkit.wire import filesync_pb2 as files
from moby_tui.api.buildkit.wire import ops_pb2 as pb

RECORDED = Path(__file__).parent / "dockerd_28_5_graphs.json"
#: What is younger was not given by a case.
_GIVEN = 1_500_000_000


class Result(NamedTuple):
    """An output of an operation."""

    digest: str
    output: int = 0


class Graph:
    """Each method adds an operation. An input that is None is an empty tree."""

    def __init__(self) -> None:
        self._definition = pb.Definition()

    def add(self, op: pb.Op, *inputs: Result, index: int = 0, **metadata: Any) -> Result:
        op.inputs.extend(pb.Input(digest=each.digest, index=each.output) for each in inputs)
        op.platform.CopyFrom(pb.Platform(OS="linux", Architecture="amd64"))
        data = op.SerializeToString(deterministic=True)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if digest not in self._definition.metadata:
            getattr(self._definition, "def").append(data)
            self._definition.metadata[digest].CopyFrom(pb.OpMetadata(**metadata))
        return Result(digest, index)

    def source(self, identifier: str, **attributes: str) -> Result:
        named = {name.replace("__", "."): value for name, value in attributes.items()}
        return self.add(pb.Op(source=pb.SourceOp(identifier=identifier, attrs=named)))

    @property
    def busybox(self) -> Result:
        return self.source("docker-image://docker.io/library/busybox:latest")

    def file(self, *actions: pb.FileAction, inputs: tuple[Result, ...] = (), index: int = 0) -> Result:
        return self.add(pb.Op(file=pb.FileOp(actions=actions)), *inputs, index=index)

    def run(
        self,
        script: str,
        root: Result,
        *mounts: pb.Mount,
        inputs: tuple[Result, ...] = (),
        index: int = 0,
        meta: dict[str, Any] | None = None,
        **op: Any,
    ) -> Result:
        asked = pb.Meta(**{"args": ["sh", "-c", script], "cwd": "/", **(meta or {})})
        at_root = [] if any(mount.dest == "/" for mount in mounts) else [pb.Mount(dest="/", input=0, output=0)]
        op = {"network": pb.NONE, **op}
        return self.add(pb.Op(exec=pb.ExecOp(meta=asked, mounts=[*at_root, *mounts], **op)), root, *inputs, index=index)

    def merge(self, *inputs: Result) -> Result:
        return self.add(pb.Op(merge=pb.MergeOp(inputs=[pb.MergeInput(input=n) for n in range(len(inputs))])), *inputs)

    def diff(self, lower: Result, upper: Result) -> Result:
        asked = pb.DiffOp(lower=pb.LowerDiffInput(input=0), upper=pb.UpperDiffInput(input=1))
        return self.add(pb.Op(diff=asked), lower, upper)

    def definition(self, result: Result) -> pb.Definition:
        end = pb.Op(inputs=[pb.Input(digest=result.digest, index=result.output)]).SerializeToString()
        getattr(self._definition, "def").append(end)
        return self._definition


# Actions


def mkdir(path: str, mode: int = 0o755, *, at: int = -1, out: int = 0, **more: Any) -> pb.FileAction:
    asked = pb.FileActionMkDir(**{"path": path, "mode": mode, "timestamp": -1, **more})
    return pb.FileAction(input=at, secondaryInput=-1, output=out, mkdir=asked)


def mkfile(path: str, text: str = "", mode: int = 0o644, *, at: int = -1, out: int = 0, **more: Any) -> pb.FileAction:
    asked = pb.FileActionMkFile(**{"path": path, "mode": mode, "data": text.encode(), "timestamp": -1, **more})
    return pb.FileAction(input=at, secondaryInput=-1, output=out, mkfile=asked)


def symlink(old: str, new: str, *, at: int = -1, out: int = 0, **more: Any) -> pb.FileAction:
    asked = pb.FileActionSymlink(**{"oldpath": old, "newpath": new, "timestamp": -1, **more})
    return pb.FileAction(input=at, secondaryInput=-1, output=out, symlink=asked)


def rm(path: str, *, at: int, out: int = 0, **more: Any) -> pb.FileAction:
    return pb.FileAction(input=at, secondaryInput=-1, output=out, rm=pb.FileActionRm(path=path, **more))


def copy(source: str, target: str, *, at: int = -1, of: int = 0, out: int = 0, **more: Any) -> pb.FileAction:
    asked = pb.FileActionCopy(**{"src": source, "dest": target, "mode": -1, "timestamp": -1, **more})
    return pb.FileAction(input=at, secondaryInput=of, output=out, copy=asked)


def by_id(user: int, group: int | None = None) -> pb.ChownOpt:
    return pb.ChownOpt(user=pb.UserOpt(byID=user), group=None if group is None else pb.UserOpt(byID=group))


def by_name(user: str, place: int = 0) -> pb.ChownOpt:
    return pb.ChownOpt(user=pb.UserOpt(byName=pb.NamedUserOpt(name=user, input=place)))


CASES: dict[str, Callable[[Graph], Result]] = {}


def case(make: Callable[[Graph], Result]) -> Callable[[Graph], Result]:
    CASES[make.__name__.replace("_", " ")] = make
    return make


@case
def files_and_directories(graph: Graph) -> Result:
    return graph.file(
        mkdir("/a/b/c", 0o750, makeParents=True, out=-1, owner=by_id(5, 6), timestamp=10**18),
        mkfile("/a/f", "text", 0o640, at=0, out=-1, owner=by_id(7)),
        mkdir("/d", 0o711, at=1, out=-1),
        mkdir("/d", 0o700, at=2, out=-1),
        symlink("../a/f", "/d/l", at=3, out=-1, owner=by_id(8, 9), timestamp=10**18),
        mkfile("d/l", "through the link", 0o600, at=4, out=-1),
        mkfile("/d/../../x", "at the root", 0o444, at=5, timestamp=10**18 + 5),
    )


@case
def removals(graph: Graph) -> Result:
    made = graph.file(
        mkdir("/a/b", makeParents=True, out=-1),
        *(mkfile(f"/{name}", name, at=number, out=-1) for number, name in enumerate(("a/one", "a/two", "a/b/three", "x1", "x2"))),
        symlink("a", "/l", at=5),
    )
    return graph.file(
        rm("/a/b", at=0, out=-1),
        rm("/x*", at=1, out=-1, allowWildcard=True),
        rm("/l/two", at=2, out=-1),
        rm("/nosuch", at=3, allowNotFound=True),
        inputs=(made,),
    )


@case
def copies(graph: Graph) -> Result:
    made = graph.file(
        mkdir("/s/deep/er", 0o710, makeParents=True, out=-1, owner=by_id(3, 4), timestamp=10**18),
        mkfile("/s/f", "f", 0o4755, at=0, out=-1, owner=by_id(1, 2), timestamp=10**18),
        mkfile("/s/deep/g", "g", 0o600, at=1, out=-1),
        symlink("f", "/s/link", at=2),
    )
    return graph.file(
        mkdir("/there", out=-1),
        copy("/s/f", "/as/it/is", at=1, of=0, out=-1, createDestPath=True),
        copy("/s", "/new", at=2, of=0, out=-1),
        copy("/s", "/there", at=3, of=0, out=-1),
        copy("/s", "/contents/", at=4, of=0, out=-1, createDestPath=True, dirCopyContents=True),
        copy("/s/link", "/a-link", at=5, of=0, out=-1),
        copy("/s/link", "/followed", at=6, of=0, out=-1, followSymlink=True),
        copy("/s/f", "/mine", at=7, of=0, out=-1, owner=by_id(11, 12), mode=0o601, timestamp=10**18 + 7),
        copy("/s/*", "/some/", at=8, of=0, out=-1, createDestPath=True, allowWildcard=True, owner=by_id(0)),
        copy("/s/*.none", "/none/", at=9, of=0, out=-1, createDestPath=True, allowWildcard=True, allowEmptyWildcard=True),
        copy("/s", "/with/", at=10, of=0, out=-1, createDestPath=True, dirCopyContents=True, include_patterns=["deep/g", "f"]),
        copy("/s", "/without/", at=11, of=0, out=-1, createDestPath=True, dirCopyContents=True, exclude_patterns=["deep"]),
        copy("/s/f", "/letters", at=12, of=0, modeStr="g+w,o="),
        inputs=(made,),
    )


@case
def owners_by_name(graph: Graph) -> Result:
    users = graph.file(
        mkdir("/etc", out=-1),
        mkfile("/etc/passwd", "root:x:0:0::/:/bin/sh\nbob:x:1000:1001::/:/bin/sh\n", at=0, out=-1),
        mkfile("/etc/group", "root:x:0:\nstaff:x:50:\n", at=1),
    )
    group = pb.ChownOpt(
        user=pb.UserOpt(byName=pb.NamedUserOpt(name="bob", input=0)),
        group=pb.UserOpt(byName=pb.NamedUserOpt(name="staff", input=0)),
    )
    there = graph.file(
        mkfile("/bob", at=0, out=-1, owner=by_name("bob")),
        mkfile("/staff", at=1, out=-1, owner=group),
        mkfile("/nobody", at=2, owner=by_name("nosuch")),
        inputs=(users,),
    )
    return graph.file(mkfile("/elsewhere", at=0, owner=by_name("bob", 1)), inputs=(there, users))


@case
def outputs_of_a_change(graph: Graph) -> Result:
    actions = (mkfile("/one", "1"), mkfile("/two", "2", at=0, out=1), mkfile("/three", "3", out=2))
    second, third = graph.file(*actions, index=1), graph.file(*actions, index=2)
    made = graph.file(mkfile("/m", "of an action", out=-1), copy("/m", "/copied", at=-1, of=0), inputs=())
    return graph.file(
        copy("/", "/second/", of=0, out=-1, dirCopyContents=True, createDestPath=True),
        copy("/three", "/", at=3, of=1, out=-1),
        copy("/copied", "/", at=4, of=2),
        inputs=(second, third, made),
    )


@case
def a_command(graph: Graph) -> Result:
    meta = {
        "env": ["A=b", "PATH=/bin"],
        "cwd": "/made/here",
        "user": "3:4",
        "hostname": "named",
        "extraHosts": [pb.HostIP(Host="there.test", IP="10.1.2.3")],
        "ulimit": [pb.Ulimit(Name="nofile", Soft=100, Hard=200)],
    }
    script = (
        "{ echo $A $PATH; pwd; hostname; id -u; id -g; grep -c there.test /etc/hosts; ulimit -n; ulimit -Hn; } >/w/said; "
        "mkdir -p /w/d; touch /w/d/x"
    )
    ready = graph.file(mkdir("/w", at=0, owner=by_id(3, 4)), inputs=(graph.busybox,))
    made = graph.run(script, ready, meta=meta)
    return graph.file(copy("/w", "/", at=-1, of=0), inputs=(made,))


@case
def mounts_of_a_command(graph: Graph) -> Result:
    given = graph.file(mkdir("/part", out=-1), mkfile("/part/f", "selected", at=0, out=-1), mkfile("/f", "whole", at=1))
    mounts = (
        pb.Mount(dest="/", input=0, output=-1),
        pb.Mount(dest="/out", input=-1, output=0),
        pb.Mount(dest="/ro", input=1, output=-1, readonly=True, selector="/part"),
        pb.Mount(dest="/rw", input=1, output=1),
        pb.Mount(dest="/lost", input=1, output=-1),
        pb.Mount(dest="/c", input=-1, output=-1, mountType=pb.CACHE, cacheOpt=pb.CacheOpt(ID="of-a-graph")),
        pb.Mount(dest="/t", input=-1, output=-1, mountType=pb.TMPFS, TmpfsOpt=pb.TmpfsOpt(size=1 << 20)),
        pb.Mount(dest="/s", input=-1, output=-1, mountType=pb.SECRET, secretOpt=pb.SecretOpt(ID="s", mode=0o440, uid=5, gid=6)),
        pb.Mount(dest="/n", input=-1, output=-1, mountType=pb.SECRET, secretOpt=pb.SecretOpt(ID="none", optional=True)),
    )
    script = (
        "cp /ro/f /out/selected; touch /ro/x || echo refused >/out/ro; echo more >>/rw/f; rm -r /rw/part; echo lost >/lost/x; "
        "echo k >/c/k; echo t >/t/t; cat /s >/out/secret; stat -c '%a %u %g' /s >>/out/secret; echo $VARIABLE >>/out/secret; "
        "ls /n 2>/dev/null >>/out/secret; true"
    )
    secrets = [pb.SecretEnv(ID="s", name="VARIABLE"), pb.SecretEnv(ID="none", name="N", optional=True)]
    out = graph.run(script, graph.busybox, *mounts, inputs=(given,), secretenv=secrets)
    return graph.file(
        copy("/", "/out/", of=0, out=-1, dirCopyContents=True, createDestPath=True),
        copy("/", "/rw/", at=2, of=1, dirCopyContents=True, createDestPath=True),
        inputs=(out, Result(out.digest, 1)),
    )


@case
def a_root_that_is_read_only(graph: Graph) -> Result:
    mounts = (pb.Mount(dest="/", input=0, output=-1, readonly=True), pb.Mount(dest="/out", input=-1, output=0))
    return graph.run("touch /x 2>/dev/null || echo refused >/out/said", graph.busybox, *mounts)


@case
def exit_codes_that_are_no_failure(graph: Graph) -> Result:
    made = graph.run("echo x >/said; exit 7", graph.busybox, meta={"validExitCodes": [0, 7]})
    return graph.file(copy("/said", "/", of=0), inputs=(made,))


@case
def a_folder(graph: Graph) -> Result:
    folder = graph.source("local://context", local__includepattern='["f","sub"]', local__excludepatterns='["sub/no"]')
    return graph.file(copy("/", "/c/", of=0, createDestPath=True, dirCopyContents=True), inputs=(folder,))


@case
def a_folder_itself(graph: Graph) -> Result:
    return graph.source("local://context", local__followpaths='["f"]')


@case
def a_merge(graph: Graph) -> Result:
    base = graph.file(mkdir("/d", 0o711, out=-1), mkfile("/d/base", "b", at=0, out=-1), mkfile("/x", "base", at=1))
    one = graph.file(mkfile("/d/one", "1", at=0, out=-1), mkfile("/x", "one", at=1), inputs=(base,))
    two = graph.file(mkdir("/e", out=-1), mkfile("/e/two", "2", at=0, out=-1), mkfile("/x", "two", at=1))
    return graph.merge(one, two, base)


@case
def a_difference(graph: Graph) -> Result:
    base = graph.file(mkdir("/d", 0o711, out=-1), mkfile("/d/base", "b", at=0, out=-1), mkfile("/x", "base", at=1))
    upper = graph.file(mkfile("/d/one", "1", at=0, out=-1), rm("/x", at=1), inputs=(base,))
    other = graph.file(mkfile("/x", "other", out=-1), mkfile("/y", at=0))
    return graph.merge(other, graph.diff(base, upper))


@case
def a_difference_of_trees_of_their_own(graph: Graph) -> Result:
    one = graph.file(
        mkdir("/same", 0o711, out=-1, timestamp=10**18),
        mkfile("/same/f", "same", at=0, out=-1, timestamp=10**18),
        mkfile("/changed", "before", at=1, out=-1, timestamp=10**18),
        mkfile("/content", "before", at=2, out=-1, timestamp=10**18),
        mkfile("/gone", "", at=3, out=-1),
        mkdir("/kind", at=4, out=-1),
        mkfile("/kind/f", "", at=5, out=-1),
        mkdir("/mode", 0o700, at=6),
    )
    two = graph.file(
        mkdir("/same", 0o711, out=-1, timestamp=10**18),
        mkfile("/same/f", "same", at=0, out=-1, timestamp=10**18),
        mkfile("/changed", "changed", at=1, out=-1, timestamp=10**18),
        mkfile("/content", "beyond", at=2, out=-1, timestamp=10**18),
        mkfile("/new", "new", at=3, out=-1, owner=by_id(4, 5), timestamp=10**18),
        mkfile("/kind", "a file", at=4, out=-1),
        mkdir("/mode", 0o755, at=5),
    )
    below = graph.file(mkfile("/gone", "below", out=-1), mkdir("/kind", at=0, out=-1), mkfile("/kind/below", "", at=1))
    return graph.merge(below, graph.diff(one, two))


#: The cases that a store of images of dockerd's own cannot do.
OF_CONTAINERD = ("a merge", "a difference", "a difference of trees of their own")


@case
def a_missing_source_of_a_copy(graph: Graph) -> Result:
    return graph.file(copy("/nosuch", "/", of=0), inputs=(graph.file(mkfile("/f")),))


@case
def a_missing_wildcard(graph: Graph) -> Result:
    return graph.file(copy("/no*", "/", of=0, allowWildcard=True), inputs=(graph.file(mkfile("/f")),))


@case
def a_missing_file_to_remove(graph: Graph) -> Result:
    return graph.file(rm("/nosuch", at=0), inputs=(graph.file(mkfile("/f")),))


@case
def a_file_without_its_directory(graph: Graph) -> Result:
    return graph.file(mkfile("/nosuch/f"))


@case
def a_command_that_fails(graph: Graph) -> Result:
    return graph.run("exit 3", graph.busybox)


@case
def a_secret_that_is_missing(graph: Graph) -> Result:
    mount = pb.Mount(dest="/s", input=-1, output=-1, mountType=pb.SECRET, secretOpt=pb.SecretOpt(ID="none"))
    return graph.run("true", graph.busybox, mount)


@case
def the_host_s_network(graph: Graph) -> Result:
    return graph.run("true", graph.busybox, network=pb.HOST)


@case
def a_privileged_command(graph: Graph) -> Result:
    return graph.run("true", graph.busybox, security=pb.INSECURE)


@case
def an_output_that_is_not_there(graph: Graph) -> Result:
    return graph.file(mkfile("/f"), index=5)


@case
def an_input_that_is_not_there(graph: Graph) -> Result:
    return Result(f"sha256:{'0' * 64}")


@case
def an_unknown_operation(graph: Graph) -> Result:
    return graph.add(pb.Op())


class GraphClient(Client):
    """Takes the result as a tar; what it is asked for of its folders is kept."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        super().__init__(daemon, folder, {"s": b"hush\n"})
        self.target = FileTarget()
        self.selections: list[list[str]] = []

    @property
    def services(self) -> Any:
        return {**super().services, files.DESCRIPTOR.services_by_name["FileSend"]: self.target}

    async def diff_copy(self, stream: Any) -> None:
        names = ("dir-name", "include-patterns", "exclude-patterns", "followpaths")
        self.selections.append([f"{name}={value}" for name in names for value in stream.metadata.getall(name, [])])
        if stream.metadata["dir-name"] not in ("context", "dockerfile"):
            raise GRPCError(Status.NOT_FOUND, "no access allowed to dir")
        await super().diff_copy(stream)

    async def solve(self, ref: str, definition: pb.Definition, **request: Any) -> dict[str, str]:
        """The exporters' answer. Raises ``GRPCError``."""
        async with self.daemon.offered(self.services, ref, shared_key="graphs"), self.daemon.channel() as channel:
            asked = control_pb2.SolveRequest(Ref=ref, Session=ref, Definition=definition, **request)
            answer = await channel.call(SOLVE, asked)
            self.progress = await told(channel, ref)
            return dict(answer.ExporterResponse)


async def outcome(client: GraphClient, make: Callable[[Graph], Result], ref: str) -> dict[str, Any]:
    """What a case makes: files, selections, or an error; as JSON has it."""
    graph = Graph()
    definition = graph.definition(make(graph))
    client.target.data, client.selections = None, []
    try:
        await client.solve(ref, definition, Exporters=[control_pb2.Exporter(Type="tar")])
    except GRPCError as error:
        return {"error": error.message or ""}
    found: dict[str, Any] = {"files": listed(client.target.data or b"")}
    if client.selections:
        found["selections"] = client.selections
    return found


def listed(archive: bytes) -> dict[str, list[Any]]:
    """By name: type, mode, owner, group, content or target; and the time if it was given."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            content = file.read().decode("utf-8", "replace") if file else member.linkname
            line = [member.type.decode(), f"{member.mode:o}", member.uid, member.gid, content]
            name = member.name.strip("/").removeprefix("./")
            found[name] = line + ([int(member.mtime)] if 0 < member.mtime < _GIVEN else [])
    return {name: line for name, line in sorted(found.items()) if name not in ("", ".")}


def folder(parent: Path) -> Path:
    """The folder that the cases take files of."""
    context = parent / "context"
    (context / "sub").mkdir(parents=True)
    for name in ("f", "sub/yes"):
        (context / name).write_text(name)
    for path in (context, context / "sub", context / "f", context / "sub/yes"):
        os.utime(path, (10**9, 10**9))
    return context


async def record(cases: Mapping[str, Callable[[Graph], Result]], into: Path, socket: str, of_containerd: str = "") -> None:
    found = {}
    with tempfile.TemporaryDirectory() as parent:
        context = folder(Path(parent))
        for number, (name, make) in enumerate(cases.items()):
            path = of_containerd if name in OF_CONTAINERD else socket
            if path:
                found[name] = await outcome(GraphClient(Elsewhere(Path(path)), context), make, f"g{os.getpid()}-{number}")
    into.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(record(CASES, RECORDED, *sys.argv[1:3]))
