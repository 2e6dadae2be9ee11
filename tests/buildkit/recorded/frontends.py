"""Frontends that are images, what they ask for over the bridge and what it answers: with dockerd, recorded, and with us.

``python -m buildkit.recorded.frontends SOCKET`` (in ``tests/``, in the network namespace of the daemon) records those of the daemon behind
that socket, as ``graphs.py`` does.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from buildkit.images import Frontend, built, put_image
from buildkit.peer import Elsewhere
from buildkit.recorded import graphs
from buildkit.recorded.graphs import Graph, mkdir, mkfile
from moby_tui.api.buildkit.wire import gateway_pb2 as gw
from moby_tui.api.buildkit.wire import ops_pb2 as pb
from moby_tui.api.buildkit.wire.status_pb2 import Status

RECORDED = Path(__file__).parent / "dockerd_28_5_frontends.json"
CASES: dict[str, tuple[Callable[[Frontend], Awaitable[Any]], dict[str, Any]]] = {}
Act = Callable[[Frontend], Awaitable[Any]]
CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}}).encode()


DOCKERFILE = "FROM scratch\nARG A\nCOPY f /copied\n"


def case(**request: Any) -> Callable[[Act], Act]:
    """``request``: options as ``options``, fields of the client's request."""

    def note(act: Act) -> Act:
        CASES[act.__name__.replace("_", " ")] = act, request
        return act

    return note


def tree(graph: Graph) -> graphs.Result:
    return graph.file(
        mkdir("/d", 0o711, out=-1), mkfile("/d/f", "content", 0o640, at=0, out=-1, timestamp=10**18), mkfile("/g", "more", at=1)
    )


def shell(graph: Graph) -> graphs.Result:
    return graph.file(mkfile("/made", "made\n", at=0), inputs=(graph.busybox,))


@case(options={"build-arg:a": "b=c"})
async def its_surroundings(front: Frontend) -> Any:
    environment, _, rest = front.surroundings.partition("\n\n")
    user, folder, *hexadecimal = rest.split("\n", 2)
    variables = dict(line.partition("=")[::2] for line in environment.split("\n"))
    options = sorted(value for name, value in variables.items() if name.startswith("BUILDKIT_FRONTEND_OPT_"))
    digits, _, written = hexadecimal[0].partition("written")
    definition = pb.Definition.FromString(bytes.fromhex(digits))
    source = pb.Op.FromString(getattr(definition, "def")[0]).source.identifier
    workers = json.loads(variables["BUILDKIT_WORKERS"])
    await front.give(ref=(await front.solve(tree)).ref)
    return {
        "user": [user, folder, written],
        "options": [each for each in options if not each.startswith("port=")],
        "own": [variables["OWN"], variables["PATH"], variables["BUILDKIT_EXPORTEDPRODUCT"]],
        "session": variables["BUILDKIT_SESSION_ID"].startswith("front-"),
        "worker": [sorted({"id", "labels", "platforms"} & workers[0].keys()), workers[0]["platforms"][0]],
        "source": re.sub("@.*", "", source),
    }


@case()
async def files_of_a_result(front: Frontend) -> Any:
    ref = (await front.solve(tree)).ref
    read = await front.call("ReadFile", Ref=ref.id, FilePath="/d/f", Range=gw.FileRange(Offset=1, Length=3))
    listed = await front.call("ReadDir", Ref=ref.id, DirPath="/")
    status = (await front.call("StatFile", Ref=ref.id, Path="d/f")).stat
    await front.call("Evaluate", Ref=ref.id)
    await front.give(ref=ref)
    return [
        read.Data.decode(),
        [each.path.decode() for each in listed.entries],
        [status.path.decode(), status.mode & 0o777, status.size, status.modTime],
    ]


@case()
async def what_is_not_there(front: Frontend) -> Any:
    ref = (await front.solve(tree)).ref
    failures = [
        await front.failure("ReadFile", Ref=ref.id, FilePath="/nosuch"),
        await front.failure("ReadFile", Ref="nosuch", FilePath="/g"),
        await front.failure("ReadDir", Ref=ref.id, DirPath="/../../../../var"),
        await front.failure("Return", result=gw.Result(ref=gw.Ref(id="nosuch"))),
        await front.failure("Solve", Frontend="nosuch.v0"),
        await front.failure("ReleaseContainer", ContainerID="nosuch"),
    ]
    await front.give(ref=ref)
    return [bool(each != "no error") for each in failures]


@case()
async def an_image_s_configuration(front: Frontend) -> Any:
    answers = []
    for mode in ("default", "local"):
        found = await front.call("ResolveImageConfig", Ref="docker.io/library/busybox:latest", ResolveMode=mode)
        answers.append([found.Ref, found.Digest, json.loads(found.Config)["rootfs"]["type"]])
    source = pb.SourceOp(identifier="docker-image://docker.io/library/busybox:latest")
    meta = await front.call("ResolveSourceMeta", Source=source, Platform=pb.Platform(OS="linux", Architecture="amd64"))
    answers.append([meta.Source.identifier, meta.Image.Digest, json.loads(meta.Image.Config)["os"]])
    await front.give(ref=(await front.solve(tree)).ref)
    return answers


@case(options={"filename": "Dockerfile", "cmdline": "front"})
async def a_dockerfile_that_it_has_built(front: Frontend) -> Any:
    options = {"filename": "Dockerfile", "cmdline": "front", "build-arg:A": "1"}
    result = await front.solve(Frontend="dockerfile.v0", FrontendOpt=options)
    await front.give(result)
    return sorted(result.metadata)


@case(options={"moby": "x"}, inputs=tree)
async def inputs(front: Frontend) -> Any:
    definitions = (await front.call("Inputs")).Definitions
    result = await front.solve(Definition=definitions["given"])
    await front.give(ref=result.ref)
    return sorted(definitions)


@case(inputs=tree, source="plain")
async def inputs_for_one_that_takes_none(front: Frontend) -> Any:
    return "it runs"


@case(options={"frontend.caps": "moby.buildkit.frontend.other"})
async def a_capability_that_it_lacks(front: Frontend) -> Any:
    return "it runs"


@case(options={"frontend.caps": "moby.buildkit.frontend.subrequests"})
async def nothing_but_metadata(front: Frontend) -> Any:
    await front.give(metadata={"result.txt": b"x", "frontend.told": b"y"})


@case()
async def an_error(front: Frontend) -> Any:
    await front.call("Return", error=Status(code=5, message="it is not there"))


@case()
async def the_error_of_a_build(front: Frontend) -> Any:
    return await front.failure("Solve", Evaluate=True, Definition=graph(lambda graph: graph.run("exit 4", graph.busybox)))


@case(options={"exit": "3"})
async def a_result_and_then_a_failure(front: Frontend) -> Any:
    await front.give(ref=(await front.solve(tree)).ref)


@case()
async def two_results(front: Frontend) -> Any:
    await front.give(ref=(await front.solve(tree)).ref)
    return await front.failure("Return", error=Status(code=5, message="late"))


@case(options={"does": "dies"})
async def one_that_dies(front: Frontend) -> Any:
    return "it runs"


@case(options={"does": "silent"})
async def one_that_says_nothing(front: Frontend) -> Any:
    return "it runs"


@case(options={"does": "text"})
async def one_that_speaks_no_grpc(front: Frontend) -> Any:
    return "it runs"


@case(frontend="dockerfile.v0", dockerfile="# syntax=front more words\nwhat only it reads\n", options={"build-arg:A": "1"})
async def a_dockerfile_that_names_it(front: Frontend) -> Any:
    await front.give(ref=(await front.solve(tree)).ref)
    return _options(front)


@case(frontend="dockerfile.v0", dockerfile='{"syntax": "front", "more": [1]}', options={"filename": "Dockerfile"})
async def json_that_names_it(front: Frontend) -> Any:
    await front.give(ref=(await front.solve(tree)).ref)
    return _options(front)


@case(frontend="dockerfile.v0", dockerfile="#!/usr/bin/env x\n// syntax=front\n", options={"filename": "Dockerfile"})
async def other_comments_that_name_it(front: Frontend) -> Any:
    await front.give(ref=(await front.solve(tree)).ref)
    return _options(front)


@case(frontend="dockerfile.v0", dockerfile="FROM scratch\n", options={"build-arg:BUILDKIT_SYNTAX": "front with words"})
async def an_argument_that_names_it(front: Frontend) -> Any:
    await front.give(ref=(await front.solve(tree)).ref)
    return _options(front)


@case(options={"filename": "Dockerfile", "cmdline": "front"}, dockerfile="# syntax=front\nFROM scratch\nCOPY f /own\n")
async def a_dockerfile_for_it_that_it_has_built(front: Frontend) -> Any:
    await front.give(await front.solve(Frontend="dockerfile.v0", FrontendOpt={"cmdline": "front"}))


def _options(front: Frontend) -> list[str]:
    lines = [line.partition("=")[2] for line in front.surroundings.split("\n") if line.startswith("BUILDKIT_FRONTEND_OPT_")]
    return sorted(line for line in lines if not line.startswith("port="))


@case()
async def another_frontend_within(front: Frontend) -> Any:
    return "exit code: 3" in await front.failure("Solve", Frontend="gateway.v0", FrontendOpt={"source": "front", "does": "dies"})


def graph(make: Callable[[Graph], graphs.Result]) -> pb.Definition:
    made = Graph()
    return made.definition(make(made))


async def talked(
    front: Frontend, ident: str, *args: str, stdin: bytes | None = None, fds: tuple[int, ...] = (1, 2), **init: Any
) -> Any:
    """A process in a container: kinds of messages in their order, output, exit code."""
    name = init.pop("name", "p")
    asked = gw.InitMessage(ContainerID=ident, Meta=pb.Meta(args=args, **init.pop("meta", {})), Fds=fds, **init)
    said = {1: b"", 2: b""}
    kinds, code = list[str](), -1
    async with front.processes() as stream:
        await stream.send_message(gw.ExecMessage(ProcessID=name, Init=asked))
        if stdin is not None:
            await stream.send_message(gw.ExecMessage(ProcessID=name, File=gw.FdMessage(Fd=0, Data=stdin)))
            await stream.send_message(gw.ExecMessage(ProcessID=name, File=gw.FdMessage(Fd=0, EOF=True)))
        async for message in stream:
            kind = message.WhichOneof("Input")
            if kind == "File":
                said[message.File.Fd] += message.File.Data
                kind = f"EOF {message.File.Fd}" if message.File.EOF else ""
            if kind == "Exit":
                code = message.Exit.Code
            kinds += [kind] if kind and kind != "File" else []
            if kind == "Done":
                break
        await stream.end()
        await stream.cancel()
    # ends come in any order
    return [kinds[0], sorted(kinds), said[1].decode(), said[2].decode(), code]


async def container(front: Frontend, ident: str = "c", **asked: Any) -> gw.Ref:
    ref: gw.Ref = (await front.solve(shell)).ref
    mounts = [pb.Mount(dest="/", resultID=ref.id), *asked.pop("mounts", ())]
    await front.call("NewContainer", ContainerID=ident, Mounts=mounts, Network=pb.NONE, **asked)
    return ref


@case()
async def processes_in_a_container(front: Frontend) -> Any:
    await container(front, hostname="named")
    answers = [
        await talked(
            front,
            "c",
            "sh",
            "-c",
            "cat /made; hostname; echo err >&2; echo $A; pwd; exit 7",
            meta={"env": ["A=b"], "cwd": "/bin"},
        )
    ]
    await front.failure("ReleaseContainer", ContainerID="c")
    await container(front, "d")
    answers.append(await talked(front, "d", "cat", stdin=b"input", fds=(0, 1)))
    await front.call("ReleaseContainer", ContainerID="d")
    await front.give(ref=(await front.solve(tree)).ref)
    return answers


@case()
async def a_process_beside_another(front: Frontend) -> Any:
    await container(front)
    async with front.processes() as stream:
        init = gw.InitMessage(ContainerID="c", Meta=pb.Meta(args=["sleep", "100"], env=["FIRST=1"]))
        await stream.send_message(gw.ExecMessage(ProcessID="first", Init=init))
        await stream.recv_message()
        beside = {"env": ["OWN=2"]}
        second = await talked(front, "c", "sh", "-c", "echo x > /w; cat /made; echo $FIRST$OWN", meta=beside, name="second")
        third = await talked(front, "c", "cat", "/w", name="third")
        await stream.send_message(gw.ExecMessage(ProcessID="first", Signal=gw.SignalMessage(Name="KILL")))
        message = await stream.recv_message()
        while message.WhichOneof("Input") != "Exit":
            message = await stream.recv_message()
        await stream.end()
        await stream.cancel()
    await front.failure("ReleaseContainer", ContainerID="c")
    await front.give(ref=(await front.solve(tree)).ref)
    return [second, third, message.Exit.Code]


@case()
async def mounts_of_a_container(front: Frontend) -> Any:
    ref = await container(
        front,
        mounts=[
            pb.Mount(dest="/e"),
            pb.Mount(dest="/t", mountType=pb.TMPFS),
            pb.Mount(dest="/s", mountType=pb.SECRET, secretOpt=pb.SecretOpt(ID="s", mode=0o400)),
        ],
    )
    script = "echo 1 >/e/x; echo 2 >/t/x; cat /e/x /t/x /s; echo $V"
    answer = await talked(front, "c", "sh", "-c", script, secretenv=[pb.SecretEnv(ID="s", name="V")])
    files = await front.failure("ReadFile", Ref=ref.id, FilePath="/e/x")
    await front.give(ref=(await front.solve(tree)).ref)
    return [answer, files != "no error"]


@case()
async def a_terminal(front: Frontend) -> Any:
    await container(front)
    answer = await talked(
        front, "c", "sh", "-c", "test -t 0 && echo yes; echo err >&2; echo $TERM", stdin=b"", fds=(0, 1, 2), Tty=True
    )
    await front.give(ref=(await front.solve(tree)).ref)
    return answer


@case()
async def wrong_containers(front: Frontend) -> Any:
    ref = await container(front)
    failures = [
        await front.failure("NewContainer", ContainerID="c", Mounts=[pb.Mount(dest="/", resultID=ref.id)]),
        await front.failure("NewContainer", ContainerID="x", Mounts=[pb.Mount(dest="/", resultID="nosuch")]),
    ]
    missing = await talked(front, "c", "/nosuch")
    missing[3] = missing[3] != ""
    await front.give(ref=(await front.solve(tree)).ref)
    return [[each != "no error" for each in failures], missing]


async def outcome(client: graphs.GraphClient, name: str) -> dict[str, Any]:
    """What a frontend was told, and what its client got; as JSON has it."""
    act, request = CASES[name]
    request = dict(request)
    (client.folder / "Dockerfile").write_text(request.pop("dockerfile", DOCKERFILE))
    if make := request.pop("inputs", None):
        request["FrontendInputs"] = {"given": graph(make)}
    said, answer = await built(client, act, request.pop("options", None), **request)
    found: dict[str, Any] = {"said": said}
    if isinstance(answer, str):
        return found | {"error": answer}
    told = {key: value for key, value in answer.items() if key.startswith("frontend.")}
    return found | {"told": told, "files": graphs.listed(client.target.data) if client.target.data else {}}


async def prepare(client: graphs.GraphClient, folder: Path) -> None:
    """Makes the images of frontends."""
    await put_image(client.daemon, folder / "front", "front")
    await put_image(client.daemon, folder / "plain", "plain", "a=b")


async def record(socket: str) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as parent:
        client = graphs.GraphClient(Elsewhere(Path(socket)), graphs.folder(Path(parent)))
        await prepare(client, Path(parent))
        for name in CASES:
            found[name] = await asyncio.wait_for(outcome(client, name), 60)
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
