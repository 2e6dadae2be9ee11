"""What a client asks of the frontend for Dockerfiles: its options, contexts and inputs."""

from __future__ import annotations

from typing import Any

import pytest
from grpclib.exceptions import GRPCError

from build.building import context
from buildkit.client import SOLVE, Client
from buildkit.recorded.graphs import Graph, mkfile
from buildkit.sessions.test_services import UPLOAD
from moby_tui.api.buildkit.wire import control_pb2 as pb
from moby_tui.api.buildkit.wire import errors_pb2, upload_pb2
from moby_tui.api.buildkit.wire.ops_pb2 import Definition
from moby_tui.engine.engine import Engine

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


async def test_an_input_that_is_nothing(client: Client, engine: Engine) -> None:
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
