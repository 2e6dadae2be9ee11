"""What runs in a container, and what it says: logs, attach, stats, top, changes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from moby_tui.api.server import hijack, shims
from moby_tui.api.server.answers import begin, empty, json, lines
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import encode
from moby_tui.schema.container import AttachOptions, LogOptions
from moby_tui.schema.stats import Stats
from moby_tui.schema.stream import SYSTEM_ERROR, frame

table = RouteTable()


def _log_options(call: Call) -> LogOptions:
    query = call.query
    if not (query.flag("stdout") or query.flag("stderr")):
        raise InvalidArgument("Bad parameters: you must choose at least one stream")
    tail = query.text("tail", "all")
    return LogOptions(
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        follow=query.flag("follow"),
        since=query.timestamp("since"),
        until=query.timestamp("until"),
        timestamps=query.flag("timestamps"),
        details=query.flag("details"),
        tail=int(tail) if tail.isascii() and tail.isdigit() else None,
    )


@table.get("/containers/{ref}/logs", lasting=True)
async def logs(call: Call) -> web.StreamResponse:
    options = _log_options(call)
    tty = (await call.client.containers.inspect(call.ref)).config.tty
    return await lines(
        call.request,
        _told(call.client.containers.logs(call.ref, options)),
        content_type=hijack.content_type(call.version, tty=tty),
        render=lambda line: line[1] if tty else frame(*line),
    )


async def _told(output: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[tuple[int, bytes]]:
    """The status is sent already when a log turns out to be unreadable: the frame of descriptor 3 says so."""
    try:
        async for line in output:
            yield line
    except MobyError as error:
        yield SYSTEM_ERROR, f"Error grabbing logs: {error.message}\n".encode()


def attach_options(call: Call) -> AttachOptions:
    query = call.query
    return AttachOptions(
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        stream=query.flag("stream"),
        logs=query.flag("logs"),
        detach_keys=query.text("detachKeys"),
    )


@table.post("/containers/{ref}/attach", abandoned=True)
async def attach(call: Call) -> web.StreamResponse:
    options = attach_options(call)
    stream = await call.client.containers.attach(call.ref, options)
    try:
        taken = hijack.take(call.request, hijack.content_type(call.version, tty=stream.tty))
    except BaseException:
        stream.close()
        raise
    await hijack.pump(stream, taken, stdin=options.stdin)
    return hijack.Hijacked()


@table.post("/containers/{ref}/resize")
async def resize(call: Call) -> web.StreamResponse:
    height, width = call.query.dimension("h"), call.query.dimension("w")
    await call.client.containers.resize(call.ref, height=height, width=width)
    return empty(200)


@table.get("/containers/{ref}/stats", lasting=True)
async def stats(call: Call) -> web.StreamResponse:
    stream = call.query.flag("stream", True)
    one_shot = call.query.flag("one-shot") and call.version >= (1, 41)
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


@table.get("/containers/{ref}/top")
async def top(call: Call) -> web.StreamResponse:
    return json(await call.client.containers.top(call.ref, call.query.text("ps_args") or "-ef"))


@table.get("/containers/{ref}/changes")
async def changes(call: Call) -> web.StreamResponse:
    return json(await call.client.containers.changes(call.ref) or None)
