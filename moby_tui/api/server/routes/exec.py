"""Further processes in a running container."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.server import hijack, shims
from moby_tui.api.server.answers import empty, json
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.container import ExecCreate, ExecCreated, ExecStart
from moby_tui.schema.stream import STDOUT, frame

table = RouteTable()


class _Asked(ExecCreate, kw_only=True):
    """What a client does not say it does not want."""

    attach_stdout: bool = False
    attach_stderr: bool = False


@table.post("/containers/{ref}/exec")
async def create(call: Call) -> web.StreamResponse:
    config: ExecCreate = await call.body(_Asked)
    if not config.cmd:
        raise InvalidArgument("No exec command specified")
    if call.version < (1, 42):
        config.console_size = None
    return json(ExecCreated(id=await call.client.containers.exec_create(call.ref, config)), 201)


@table.post("/exec/{ref}/start", abandoned=True)
async def start(call: Call) -> web.StreamResponse:
    options = await call.body(ExecStart)
    if call.version < (1, 42):
        options.console_size = None
    await call.client.containers.exec_inspect(call.ref)
    if options.detach:
        await call.client.containers.exec_start(call.ref, options)
        return empty(200)
    # what it fails with is told in the stream: Docker's clients read nothing else here
    taken = hijack.take(call.request, hijack.content_type(call.version, tty=options.tty))
    try:
        stream = await call.client.containers.exec_start(call.ref, options)
    except MobyError as error:
        text = f"{error.message}\r\n".encode()
        await hijack.say(taken, text if options.tty else frame(STDOUT, text))
        return hijack.Hijacked()
    except BaseException:
        taken.writer.close()
        raise
    assert stream is not None
    await hijack.pump(stream, taken)
    return hijack.Hijacked()


@table.post("/exec/{ref}/resize")
async def resize(call: Call) -> web.StreamResponse:
    height, width = call.query.dimension("h"), call.query.dimension("w")
    await call.client.containers.exec_resize(call.ref, height=height, width=width)
    return empty(200)


@table.get("/exec/{ref}/json")
async def inspect(call: Call) -> web.StreamResponse:
    return json(shims.exec_inspect(await call.client.containers.exec_inspect(call.ref)))
