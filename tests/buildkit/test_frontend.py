"""What a client asks of the frontend for Dockerfiles: its options, contexts and inputs."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest
from grpclib.exceptions import GRPCError

from build.building import context
from buildkit.client import BRIDGE_SOLVE, SOLVE, Client, told
from buildkit.recorded.graphs import Graph, mkfile
from buildkit.sessions.test_services import UPLOAD
from moby_tui.api.buildkit.wire import control_pb2 as pb
from moby_tui.api.buildkit.wire import errors_pb2, gateway_pb2, upload_pb2
from moby_tui.api.buildkit.wire.ops_pb2 import Definition
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.builder import pruning

LOCAL = [pb.Exporter(Type="local")]
NONE = {"force-network-mode": "none"}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"hostname": "foo"}, "foo"),
        ({"build-arg:BUILDKIT_SANDBOX_HOSTNAME": "foo"}, "foo"),
        ({"hostname": "bar", "build-arg:BUILDKIT_SANDBOX_HOSTNAME": "foo"}, "foo"),
    ],
)
async def test_the_host_name_of_commands(client: Client, attributes: dict[str, str], expected: str) -> None:
    client.write(
        Dockerfile="FROM busybox AS made\nRUN hostname >/name; cat /etc/hosts >>/name\nFROM scratch\nCOPY --from=made /name /\n"
    )
    await client.build({**NONE, "hostname": "first"}, Exporters=LOCAL)
    assert "first" in (client.out / "name").read_text()
    # a command with another host name is another step
    await client.build({**NONE, **attributes}, Exporters=LOCAL)
    name, _, hosts = (client.out / "name").read_text().partition("\n")
    assert name == expected and expected in hosts


class _Upload:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def pull(self, stream: Any) -> None:
        await stream.send_message(upload_pb2.BytesMessage(data=self._data))


async def test_a_folder_of_a_sent_context(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY foo /bar\n")
    archive = context("", {"sub/dir/foo": b"contents", "sub/dir/.dockerignore": b"left\n"})
    services = {**client.services, UPLOAD: _Upload(archive)}
    attributes = {"context": "http://buildkit-session/x", "dockerfilekey": "dockerfile", "contextsubdir": "sub/dir"}

    async def build(**changed: str) -> None:
        async with client.daemon.offered(services, f"up{changed}"), client.daemon.channel() as channel:
            await channel.call(
                SOLVE,
                pb.SolveRequest(
                    Ref=f"up{changed}",
                    Session=f"up{changed}",
                    Frontend="dockerfile.v0",
                    FrontendAttrs={**attributes, **changed},
                    Exporters=LOCAL,
                ),
            )

    await build()
    assert (client.out / "bar").read_text() == "contents"
    for folder in ("nosuch", "sub/dir/foo", "../.."):
        with pytest.raises(GRPCError):
            await build(contextsubdir=folder)


@pytest.mark.parametrize("source", ["docker-image://scratch", "docker-image:scratch"])
async def test_a_named_context_that_is_the_empty_image(client: Client, source: str) -> None:
    client.write(Dockerfile="FROM base\nCOPY Dockerfile /f\n")
    _, progress = await client.build({"context:base": source}, Exporters=LOCAL)
    assert (client.out / "f").exists()
    names = [vertex.name for message in progress for vertex in message.vertexes]
    assert not any("scratch" in name for name in names)


async def test_an_image_as_a_named_context_without_slashes(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY --from=base /bin/busybox /b\n")
    await client.build({"context:base": "docker-image:busybox"}, Exporters=LOCAL)
    assert (client.out / "b").exists()


async def test_inputs_in_place_of_folders(client: Client) -> None:
    graph = Graph()
    files = graph.file(mkfile("/foo", "made"))
    client.write(Dockerfile="FROM scratch\nCOPY foo /foo2\n")
    given = graph.definition(files)
    await client.build({}, Exporters=LOCAL, FrontendInputs={"context": given})
    assert (client.out / "foo2").read_text() == "made"
    recipe = Graph()
    written = recipe.definition(recipe.file(mkfile("/Dockerfile", "FROM scratch\nCOPY foo /foo3\n")))
    await client.build({}, Exporters=LOCAL, FrontendInputs={"context": given, "dockerfile": written})
    assert (client.out / "foo3").read_text() == "made"


async def test_an_input_that_is_nothing(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\n")
    inputs = {"context": Definition(), "dockerfile": Definition()}
    with pytest.raises(GRPCError, match="invalid nil input definition to definition op"):
        await client.build({}, FrontendInputs=inputs)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("from busybox\nenv", [2]),
        ("#syntax=127.0.0.1:1/foobar\nfrom busybox", [1]),
        ("from scratch\nenv foo=bar\nrun what", [3]),
        ("from scratch\nenv foo=bar\ncopy foo bar\nenv bar=baz", [3]),
        ("from scratch\nenv foo=bar\ncopy --foo=bar / /\nenv bar=baz", [3]),
        ("from scratch\nrun wh\\\nat\nenv bar=baz", [2, 3]),
    ],
)
async def test_an_error_has_the_lines_and_the_source_of_the_dockerfile(client: Client, text: str, lines: list[int]) -> None:
    client.write(Dockerfile=text)
    with pytest.raises(GRPCError) as failed:
        await client.build(NONE)
    [detail] = [detail for detail in failed.value.details or () if detail.type_url == "errdefs.Source"]
    source = errors_pb2.Source.FromString(detail.value)
    assert (source.info.filename, source.info.language, source.info.data) == ("Dockerfile", "Dockerfile", text.encode())
    assert getattr(source.info.definition, "def")
    assert [each.start.line for each in source.ranges] == lines


async def asked(client: Client, question: str, **attributes: str) -> dict[str, Any]:
    """The answer to a question about the Dockerfile."""
    client.number += 1
    ref = f"asked{client.number}"
    async with client.daemon.offered(client.services, ref), client.daemon.channel() as channel:
        solving = asyncio.create_task(channel.call(SOLVE, pb.SolveRequest(Ref=ref, Session=ref)))
        async with channel.open(BRIDGE_SOLVE, {"buildkit-controlapi-buildid": ref}) as stream:
            options = {"requestid": question, **attributes}
            request = gateway_pb2.SolveRequest(Frontend="dockerfile.v0", FrontendOpt=options, allowResultReturn=True)
            await stream.send_message(request, end=True)
            message = await stream.recv_message()
        solving.cancel()
    assert message is not None
    answer: dict[str, Any] = json.loads(message.result.metadata["result.json"])
    return answer


BROKEN = "FROM scratch AS BadStageName\nMAINTAINER me@example.org\nRUN a B C\nBADCMD\nMAINTAINER x\n"


async def test_warnings_of_the_instructions_before_one_that_cannot_be_read(client: Client) -> None:
    client.write(Dockerfile=BROKEN)
    found = await asked(client, "frontend.lint")
    assert [each["ruleName"] for each in found["warnings"]] == ["StageNameCasing", "MaintainerDeprecated"]
    assert found["buildError"]["message"].startswith("dockerfile parse error on line 4: unknown instruction: BADCMD")
    found = await asked(client, "frontend.lint", **{"build-arg:BUILDKIT_DOCKERFILE_CHECK": "skip=StageNameCasing"})
    assert [each["ruleName"] for each in found["warnings"]] == ["MaintainerDeprecated"]
    with pytest.raises(GRPCError):
        await client.build()
    async with client.daemon.channel() as channel:
        progress = await told(channel, f"build{client.number}")
    shorts = [warning.short for message in progress for warning in message.warnings]
    assert [short.partition(b":")[0] for short in shorts] == [b"StageNameCasing", b"MaintainerDeprecated"]


@pytest.mark.parametrize("last", ["ENV a=b c", "RUN <<EOF"])
async def test_no_warnings_before_a_text_that_cannot_be_taken_apart(client: Client, last: str) -> None:
    client.write(Dockerfile=f"FROM scratch AS BadStageName\n{last}\n")
    found = await asked(client, "frontend.lint")
    assert not found["warnings"] and found["buildError"]["message"]


async def test_findings_that_fail_a_build_are_its_error(client: Client) -> None:
    client.write(Dockerfile="#check=error=true\nFROM scratch as base\nCOPY Dockerfile .\n")
    found = await asked(client, "frontend.lint")
    assert found["buildError"]["message"] == "lint violation found for rules: FromAsCasing"
    assert [each["ruleName"] for each in found["warnings"]] == ["FromAsCasing"]
    assert [each["name"] for each in (await asked(client, "frontend.targets"))["targets"]] == ["base"]


async def test_stages_that_a_platform_needs_alone(client: Client) -> None:
    text = "FROM scratch AS stage-linux\nCOPY foo /l\nFROM scratch AS stage-darwin\nCOPY bar /d\nFROM stage-$TARGETOS\n"
    client.write(Dockerfile=text, foo="data", bar="data2")
    await client.build({"platform": "linux/amd64,darwin/amd64"}, Exporters=LOCAL)
    assert client.followed["context"] == ["/bar", "/foo"]
    assert (client.out / "linux_amd64/l").read_text() == "data"
    assert (client.out / "darwin_amd64/d").read_text() == "data2"
    await client.build({"platform": "darwin/amd64"}, Exporters=LOCAL)
    assert client.followed["context"] == ["/bar"]


@pytest.mark.parametrize(("options", "kept"), [("", 3), (",mode=0773", 2), (",uid=7", 2)])
async def test_a_cache_mount_of_a_build_without_the_cache(client: Client, engine: Engine, options: str, kept: int) -> None:
    """One with an owner or a mode begins anew, once in a build; any other stays. What was in its place goes with it."""
    run = f"RUN --mount=type=cache,target=/c{options} touch /c/$F && ls /c | wc -l >/out"
    client.write(Dockerfile=f"FROM busybox AS b\nARG F\n{run}\n{run}2\nFROM scratch\nCOPY --from=b /out /out2 /\n")

    async def count(name: str, **more: str) -> list[int]:
        await client.build({**NONE, "build-arg:F": name, **more}, Exporters=LOCAL)
        return [int((client.out / each).read_text()) for each in ("out", "out2")]

    assert await count("a") == [1, 1]
    assert await count("b", **{"no-cache": ""}) == [kept - 1] * 2
    assert await count("c") == [kept] * 2
    mounts = engine.paths.build_mounts
    assert len([*mounts.glob("*/old-*")]) == 3 - kept
    pruning.empty(mounts, os.listdir(mounts))
    assert not [*mounts.glob("*/old-*"), *mounts.glob("*/content")]
