"""The build service over its wire: builds of a client in Python, what they send, what they are told, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from grpclib.exceptions import GRPCError

from buildkit.client import BRIDGE_SOLVE, HISTORY, PRUNE, RETURN, SOLVE, UPDATE, USAGE, WORKERS, Client, told
from moby_tui.api.buildkit.control import sources
from moby_tui.api.buildkit.wire import control_pb2 as pb
from moby_tui.api.buildkit.wire import errors_pb2, gateway_pb2
from moby_tui.api.buildkit.wire.ops_pb2 import Definition, ExecOp, Op, SourceOp
from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError
from servers.registry import HTPASSWD, running

NONE = {"force-network-mode": "none"}


def image(**attributes: str) -> pb.Exporter:
    return pb.Exporter(Type="moby", Attrs=attributes)


async def test_a_build_and_its_progress(client: Client, engine: Engine) -> None:
    client.write(Dockerfile='FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s\nCOPY f /f\nCMD ["x"]\n', f="f\n")
    answer, progress = await client.build(NONE, Exporters=[image(name="one,two:2")])
    made = await engine.images.inspect("one")
    assert made.config.cmd == ["x"] and made.repo_tags == ["one:latest", "two:2"]
    told = [(line.created_by, line.comment) for line in await engine.images.history("one")]
    assert told[:3] == [
        ('CMD ["x"]', "buildkit.dockerfile.v0"),
        ("COPY f /f # buildkit", "buildkit.dockerfile.v0"),
        ("RUN /bin/sh -c cat /run/secrets/s # buildkit", "buildkit.dockerfile.v0"),
    ]
    assert answer == {
        "containerimage.digest": made.id,
        "containerimage.config.digest": made.id,
        "image.name": "docker.io/library/one,docker.io/library/two:2",
    }
    assert client.secrets_asked == ["s"]
    names = {vertex.name: vertex for message in progress for vertex in message.vertexes}
    assert [*names] == [
        "[internal] load build definition from Dockerfile",
        "[internal] load .dockerignore",
        "[internal] load metadata for docker.io/library/busybox:latest",
        "[stage-0 1/3] FROM docker.io/library/busybox:latest",
        "[stage-0 2/3] RUN --mount=type=secret,id=s cat /run/secrets/s",
        "[internal] load build context",
        "[stage-0 3/3] COPY f /f",
        "exporting to image",
    ]
    assert all(vertex.HasField("completed") and not vertex.error for vertex in names.values())
    assert b"".join(log.msg for message in progress for log in message.logs) == b"hush"


async def test_files_that_have_not_changed_are_not_sent_again(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY . /c/\n", **{f"f{number}": str(number) for number in range(300)})
    await client.build(Exporters=[image()])
    first, client.asked = client.asked, 0
    _, progress = await client.build(Exporters=[image()])
    # the Dockerfile and the ignore file are not kept: each of those trees comes as a whole
    assert first - client.asked == 301
    cached = [vertex.name for message in progress for vertex in message.vertexes if vertex.cached]
    assert cached == ["[1/1] COPY . /c/"]
    (client.folder / "f7").write_text("changed")
    client.asked = 0
    _, progress = await client.build(Exporters=[image()])
    assert not any(vertex.cached for message in progress for vertex in message.vertexes)


async def test_a_failed_step_is_told_with_its_lines(client: Client) -> None:
    client.write(Dockerfile="FROM busybox\nRUN echo said; \\\n  exit 3\n")
    with pytest.raises(GRPCError) as failed:
        await client.build(NONE)
    assert failed.value.message == 'process "/bin/sh -c echo said;   exit 3" did not complete successfully: exit code: 3'
    vertex, source = failed.value.details
    assert vertex.type_url == "errdefs.Vertex" and source.type_url == "errdefs.Source"
    told = errors_pb2.Source.FromString(source.value)
    assert (told.info.filename, told.info.data) == ("Dockerfile", (client.folder / "Dockerfile").read_bytes())
    assert [(lines.start.line, lines.end.line) for lines in told.ranges] == [(2, 2), (3, 3)]
    assert getattr(told.info.definition, "def")


async def test_results_go_to_the_client(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY f /f\n", f="f\n")
    answer, progress = await client.build(Exporters=[pb.Exporter(Type="local"), image(name="too")])
    assert (client.out / "f").read_text() == "f\n"
    assert answer["image.name"] == "docker.io/library/too"
    names = [vertex.name for message in progress for vertex in message.vertexes]
    assert "exporting to client directory" in names


async def test_a_client_directs_its_build(client: Client, engine: Engine) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY f /f\n", f="f\n")
    metadata = {"buildkit-controlapi-buildid": "mine"}
    async with client.daemon.session(client.services, "one"), client.daemon.channel() as channel:
        request = pb.SolveRequest(Ref="mine", Session="one", Exporters=[image(name="directed")])
        solving = asyncio.create_task(channel.call(SOLVE, request))
        async with channel.open(BRIDGE_SOLVE, metadata) as stream:
            await stream.send_message(
                gateway_pb2.SolveRequest(Frontend="dockerfile.v0", allowResultReturn=True, allowResultArrayRef=True), end=True
            )
            made = await stream.recv_message()
        assert made is not None and made.result.ref.id
        assert not await engine.images.list(filters={"reference": ["directed"]})
        # another build takes this one's result before it is exported
        inputs = {"base": getattr(made.result.ref, "def")}
        (client.folder / "Dockerfile").write_text("FROM base\nCOPY f /g\n")
        attributes = {"context:base": "input:base"}
        other = pb.SolveRequest(
            Ref="other",
            Session="one",
            Frontend="dockerfile.v0",
            FrontendAttrs=attributes,
            FrontendInputs=inputs,
            Exporters=[image(name="o")],
        )
        await channel.call(SOLVE, other)
        async with channel.open(RETURN, metadata) as stream:
            await stream.send_message(gateway_pb2.ReturnRequest(result=gateway_pb2.Result(ref=made.result.ref)), end=True)
            await stream.recv_message()
        assert (await solving).ExporterResponse["image.name"] == "docker.io/library/directed"
    layers = (await engine.images.inspect("o")).root_fs.layers
    assert layers[:1] == (await engine.images.inspect("directed")).root_fs.layers and len(layers) == 2


@pytest.mark.parametrize(
    ("attributes", "asked", "text"),
    [
        ({}, {"Frontend": "nosuch.v0"}, "the frontend 'nosuch.v0' is not implemented yet"),
        ({"source": "x.test/bar"}, {"Frontend": "gateway.v0"}, 'Get "https://x.test/v2/": dial tcp: lookup x.test'),
        ({}, {"Frontend": "gateway.v0"}, "no source specified for gateway"),
        ({"nosuch": "x"}, {}, "the frontend option nosuch is not implemented yet"),
        ({"attest:sbom": ""}, {}, "a bill of materials of an image that is stored alone"),
        ({"attest:other": ""}, {}, 'unknown attestation type "other"'),
        ({"attest:provenance": "mode=most"}, {}, 'invalid mode "most"'),
        ({"attest:provenance": "version=v1"}, {}, "provenance with version=v1"),
        ({"multi-platform": "true"}, {}, "multi-platform for one platform"),
        ({"add-hosts": "nowhere"}, {}, "invalid add-hosts 'nowhere'"),
        ({"shm-size": "big"}, {}, "invalid shm-size 'big'"),
        ({"context:x": "input:x"}, {}, "build context 'x' was not sent"),
        ({"context:x": "oci-layout://x@sha256:1"}, {}, "invalid build context oci-layout://x@sha256:1"),
        ({}, {"Exporters": [pb.Exporter(Type="nosuch")]}, 'exporter "nosuch" could not be found'),
        ({}, {"Exporters": [image(compression="estargz")]}, "compression=estargz"),
        ({}, {"Exporters": [image(push="true")]}, "a tag is needed"),
        ({}, {"Cache": pb.CacheOptions(Exports=[pb.CacheOptionsEntry(Type="gha")])}, "a cache of type 'gha'"),
        ({}, {"Cache": pb.CacheOptions(Imports=[pb.CacheOptionsEntry(Type="s3")])}, "a cache of type 's3'"),
        ({}, {"Entitlements": ["device"]}, "unknown entitlement 'device'"),
        ({}, {"Definition": "graph"}, "cannot solve with both Definition and Frontend specified"),
        ({"context:x": "input:x"}, {"FrontendInputs": "graph"}, "the graph of operations has no result"),
        ({"context:x": "made:sha256:" + "0" * 64}, {}, "no build has made the image"),
        ({"context:x": "made:../../etc"}, {}, "no build has made the image"),
    ],
)
async def test_what_is_not_there_is_refused_by_name(client: Client, attributes: Any, asked: Any, text: str) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY --from=x Dockerfile /\n")
    graph = Definition(**cast(Any, {"def": [Op(exec=ExecOp()).SerializeToString()]}))
    asked = {name: graph if value == "graph" and name == "Definition" else value for name, value in asked.items()}
    asked = {name: {"x": graph} if value == "graph" else value for name, value in asked.items()}
    with pytest.raises(GRPCError) as refused:
        await client.build(attributes, **asked)
    assert text in str(refused.value.message)


async def test_a_client_that_goes_ends_its_build(client: Client, engine: Engine) -> None:
    client.write(Dockerfile="FROM busybox\nRUN echo runs; sleep 1000\n")
    async with client.daemon.session(client.services, "one"), client.daemon.channel() as channel:
        request = pb.SolveRequest(Ref="long", Session="one", Frontend="dockerfile.v0", FrontendAttrs=NONE)
        solving = asyncio.create_task(channel.call(SOLVE, request))
        solve = await client.daemon.builds.builds.get("long")
        async for message in solve.log.follow():
            if message.logs:
                break
        solving.cancel()
        async for _ in solve.log.follow():
            pass
    assert solve.error is not None and solve.error.message == "context canceled"
    assert solve.ended and not await engine.containers.list(all=True)


async def test_the_cache_and_the_builds_are_listed_and_forgotten(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    await client.build(Exporters=[image()])
    async with client.daemon.channel() as channel:
        [worker] = (await channel.call(WORKERS, pb.ListWorkersRequest())).record
        assert worker.platforms[0].OS == "linux"
        used = (await channel.call(USAGE, pb.DiskUsageRequest())).record
        assert {record.RecordType for record in used} == {"regular", "source.local"}
        for text, many in (("type==regular", 1), ("mutable", 1), ("immutable,type!=regular", 0), (f"id~={used[0].ID}", 1)):
            assert len((await channel.call(USAGE, pb.DiskUsageRequest(filter=[text]))).record) == many, text
        for text, many in (("status==completed,duration<1h", 1), ("status==running", 0), ("ref~=uild1", 1), ("repository~=x", 0)):
            async with channel.open(HISTORY) as stream:
                await stream.send_message(pb.BuildHistoryRequest(EarlyExit=True, Filter=[text]), end=True)
                assert len([event async for event in stream]) == many, text
        async with channel.open(HISTORY) as stream:
            await stream.send_message(pb.BuildHistoryRequest(EarlyExit=True), end=True)
            [event] = [event async for event in stream]
        assert (event.record.Ref, event.record.numTotalSteps, event.type) == ("build1", 5, pb.COMPLETE)
        assert await told(channel, "build1")
        await channel.call(UPDATE, pb.UpdateBuildHistoryRequest(Ref="build1", Delete=True))
        async with channel.open(HISTORY) as stream:
            await stream.send_message(pb.BuildHistoryRequest(EarlyExit=True), end=True)
            assert [event async for event in stream] == []
        async with channel.open(PRUNE) as stream:
            await stream.send_message(pb.PruneRequest(all=True, filter=[""]), end=True)
            pruned = [record async for record in stream]
        assert {record.ID for record in pruned} == {record.ID for record in used}
        # the folder's lock stays
        [left] = (await channel.call(USAGE, pb.DiskUsageRequest())).record
        assert left.RecordType == "source.local"


async def test_an_image_is_pushed_with_the_login_of_the_client(client: Client, tmp_path: Path) -> None:
    with running(tmp_path / "registry", htpasswd=HTPASSWD) as registry:
        client.write(Dockerfile="FROM scratch\nCOPY f /f\n", f="f")
        name = f"{registry.address}/app:1"
        with pytest.raises(GRPCError, match=r"(?i)login|denied|unauthorized|no basic auth credentials"):
            await client.build(Exporters=[image(name=name, push="true")])
        client.logins[registry.address] = ("user", "secret")
        # this registry takes no tokens: a client that would fetch them is asked for the login
        client.tokens[registry.address] = "unused"
        answer, progress = await client.build(Exporters=[image(name=name, push="true")])
        names = [vertex.name for message in progress for vertex in message.vertexes]
        assert f"pushing {name} with docker" in names and answer["image.name"] == name
        # the pushed image is the base of another build, pulled anew with the same login
        client.write(Dockerfile=f"FROM {name}\nCOPY f /g\n")
        await client.build({"image-resolve-mode": "pull"}, Exporters=[image(name="above")])
        client.logins.clear()
        with pytest.raises(GRPCError, match=r"(?i)login|denied|unauthorized|no basic auth credentials"):
            await client.build({"image-resolve-mode": "pull"}, Exporters=[image(name="above")])


async def test_a_client_that_keeps_its_login_fetches_tokens_itself(client: Client) -> None:
    told: list[str | None] = []

    async def registry(request: web.Request) -> web.Response:
        told.append(request.headers.get("Authorization"))
        if told[-1] is None:
            challenge = f'Bearer realm="http://{request.host}/token",service="here"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return web.Response(status=404)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", registry)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"127.0.0.1:{runner.addresses[0][1]}"
        client.tokens[address] = "of-the-client"
        client.logins[address] = ("user", "secret")
        client.write(Dockerfile=f"FROM {address}/app\n")
        with pytest.raises(GRPCError, match="app"):
            await client.build()
    finally:
        await runner.cleanup()
    assert client.tokens_asked == [(f"http://{address}/token", "here", "repository:app:pull")]
    # the login was not sent, nor did anybody else ask for a token
    assert set(told) == {None, "Bearer of-the-client"}


async def test_a_base_that_cannot_be_had_is_told_in_buildkits_words(client: Client) -> None:
    client.write(Dockerfile="FROM 127.0.0.1:1/none\n")
    with pytest.raises(GRPCError) as failed:
        await client.build()
    name = "127.0.0.1:1/none"
    assert (failed.value.message or "").startswith(f"{name}: failed to resolve source metadata for {name}:latest: Get ")


async def test_only_what_a_build_takes_is_asked_for(client: Client) -> None:
    client.write(
        Dockerfile="FROM scratch AS other\nCOPY g /g\nFROM scratch\nCOPY f h* /t/\nCOPY --from=other /g /\n",
        f="",
        g="",
        h1="",
        i="",
    )
    await client.build(Exporters=[image()])
    assert client.followed["context"] == ["/f", "/g", "/h*"]
    client.write(Dockerfile="FROM scratch\nARG N=f\nCOPY $N /\n")
    await client.build(Exporters=[image()])
    assert client.followed["context"] == []
    del client.followed["context"]
    client.write(Dockerfile="FROM busybox\nWORKDIR /w\n")
    await client.build(Exporters=[image()])
    assert "context" not in client.followed


async def test_the_output_of_a_step_is_clipped(client: Client) -> None:
    client.write(Dockerfile="FROM busybox\nRUN yes 0123456789 | head -c 4000000\n")
    _, progress = await client.build(NONE)
    said = b"".join(log.msg for message in progress for log in message.logs)
    assert said.startswith(b"0123456789\n0123") and said.endswith(b"[output clipped, log limit 2MiB reached]\n")
    assert len(said) < (2 << 20) + 100


async def test_a_build_is_not_begun_twice_and_one_without_a_name_not_at_all(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    await client.build()
    for ref, text in (("build1", "there is a build build1 already"), ("", "a build needs a name")):
        with pytest.raises(GRPCError) as refused:
            await client.build(Ref=ref)
        assert text in str(refused.value.message)


async def test_a_client_may_end_its_build_with_an_error_of_its_own(client: Client) -> None:
    client.write(Dockerfile="FROM scratch\n")
    metadata = {"buildkit-controlapi-buildid": "mine"}
    async with client.daemon.session(client.services, "one"), client.daemon.channel() as channel:
        solving = asyncio.create_task(channel.call(SOLVE, pb.SolveRequest(Ref="mine", Session="one")))
        with pytest.raises(GRPCError, match="no such result"):
            async with channel.open(RETURN, metadata) as stream:
                result = gateway_pb2.Result(ref=gateway_pb2.Ref(id="nosuch"))
                await stream.send_message(gateway_pb2.ReturnRequest(result=result), end=True)
                await stream.recv_message()
        async with channel.open(RETURN, metadata) as stream:
            answer = gateway_pb2.ReturnRequest()
            answer.error.code, answer.error.message = 99, "changed my mind"
            await stream.send_message(answer, end=True)
            await stream.recv_message()
        with pytest.raises(GRPCError, match="changed my mind"):
            await solving


def test_a_graph_that_cannot_be_read_is_refused() -> None:
    for data, text in (
        (b"\xff\xff", "cannot be read"),
        (b"", "not one source"),
        (Op(source=SourceOp(identifier="x")).SerializeToString(), "the source x"),
    ):
        with pytest.raises(MobyError, match=text):
            sources.address(Definition(**cast(Any, {"def": [data]})))


def test_a_result_stands_for_its_image() -> None:
    assert sources.address(sources.result("sha256:1")) == "made:sha256:1"
