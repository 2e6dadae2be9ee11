"""Further processes in a running container."""

from __future__ import annotations

from aiohttp import web

from moby_tui.api.operations.containers import Containers
from moby_tui.api.server import hijack, shims
from moby_tui.api.server.answers import empty, json
from moby_tui.api.server.call import Call
from moby_tui.api.server.routes.containers import table
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.exec import ExecCreate, ExecCreated
from moby_tui.schema.stream import STDOUT, frame

table.shapes(Containers.exec_inspect, lambda process, _: shims.exec_inspect(process))


class _Asked(ExecCreate, kw_only=True):
    """The request as a client of the API sends it: output that it does not name is not attached."""

    attach_stdout: bool = False
    attach_stderr: bool = False


@table.handles(Containers.exec_create)
async def create(call: Call) -> web.StreamResponse:
    config: ExecCreate = await call.body(_Asked)
    if not config.cmd:
        raise InvalidArgument("No exec command specified")
    if call.version < (1, 42):
        config.console_size = None
    return json(ExecCreated(id=await call.client.containers.exec_create(call.ref, config)), 201)


@table.handles(Containers.exec_start)
async def start(call: Call) -> web.StreamResponse:
    arguments = await call.arguments()
    ident, options = arguments["exec_id"], arguments["options"]
    if call.version < (1, 42):
        options.console_size = None
    await call.client.containers.exec_inspect(ident)
    if options.detach:
        await call.client.containers.exec_start(ident, options)
        return empty(200)
    # what it fails with is told in the stream: Docker's clients read nothing else here
    taken = hijack.take(call.request, hijack.content_type(call.version, tty=options.tty))
    try:
        stream = await call.client.containers.exec_start(ident, options)
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
