"""What runs in a container, and what it says: logs, attach, stats."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from moby_tui.api.operations.containers import Containers
from moby_tui.api.server import hijack, shims
from moby_tui.api.server.answers import begin, json, lines
from moby_tui.api.server.call import Call
from moby_tui.api.server.routes.containers import table
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import encode
from moby_tui.schema.container import AttachOptions, LogOptions
from moby_tui.schema.stats import Stats
from moby_tui.schema.stream import SYSTEM_ERROR, frame


@table.handles(Containers.logs)
async def logs(call: Call) -> web.StreamResponse:
    options: LogOptions = call.read()["options"]
    if not (options.stdout or options.stderr):
        raise InvalidArgument("Bad parameters: you must choose at least one stream")
    tty = (await call.client.containers.inspect(call.ref)).config.tty
    return await lines(
        call.request,
        _with_failure(call.client.containers.logs(call.ref, options)),
        content_type=hijack.content_type(call.version, tty=tty),
        render=lambda line: line[1] if tty else frame(*line),
    )


async def _with_failure(output: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[tuple[int, bytes]]:
    """The output, and behind it a failure as a frame of descriptor 3: the status is sent before a log turns out to be unreadable."""
    try:
        async for line in output:
            yield line
    except MobyError as error:
        yield SYSTEM_ERROR, f"Error grabbing logs: {error.message}\n".encode()


@table.handles(Containers.attach)
async def attach(call: Call) -> web.StreamResponse:
    options: AttachOptions = call.read()["options"]
    try:
        stream = await call.client.containers.attach(call.ref, options)
    except MobyError as error:
        # dockerd has taken the connection over by then: its answer is text
        return web.Response(status=error.status, body=f"{error.message}\r\n".encode(), headers={"Content-Type": hijack.RAW})
    try:
        taken = hijack.take(call.request, hijack.content_type(call.version, tty=stream.tty))
    except BaseException:
        stream.close()
        raise
    await hijack.pump(stream, taken, stdin=options.stdin)
    return hijack.Hijacked()


@table.handles(Containers.stats)
async def stats(call: Call) -> web.StreamResponse:
    arguments = call.read()
    stream, one_shot = arguments["stream"], arguments["one_shot"]
    if stream and one_shot:
        raise InvalidArgument("cannot have stream=true and one-shot=true")
    await call.client.containers.inspect(call.ref)
    samples = call.client.containers.stats(call.ref, stream=stream, one_shot=one_shot)
    if stream:
        return await lines(call.request, samples, render=_stats_line)
    async for sample in samples:
        return json(shims.stats(sample))
    return await begin(call.request, "application/json")


def _stats_line(sample: Stats) -> bytes:
    return encode(shims.stats(sample)) + b"\n"
