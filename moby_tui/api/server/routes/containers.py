"""Containers as objects: what of them is not as the table of operations has it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from aiohttp import web

from moby_tui.api.operations.containers import Containers
from moby_tui.api.server import shims
from moby_tui.api.server.answers import begin, empty, encoded, json
from moby_tui.api.server.call import Call
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import RouteTable
from moby_tui.api.server.routes.archive import serve_archives
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.base import Filters, encode
from moby_tui.schema.container import (
    Committed,
    ContainerConfig,
    ContainerExit,
    ContainerInspect,
    ContainerSummary,
    WaitError,
)

table = RouteTable(Containers, plain)
table.shapes(Containers.changes, lambda changes, _: changes or None)
table.shapes(Containers.prune, lambda pruned, _: shims.or_null(pruned, "ContainersDeleted"))
serve_archives(table, Containers, lambda client: client.containers)

_WAIT_CONDITIONS = ("not-running", "next-exit", "removed")
#: Some clients send "{}" or "null" to start; a real body was a host configuration, and that has been refused since 1.24.
_MAX_START_BODY = 7
#: The docker CLI sends ``null`` where nothing is to be overridden; to mypy a union is no class.
_Overrides: type[ContainerConfig | None] = ContainerConfig | None  # type: ignore[assignment]


class _Encoding(Protocol):
    """What an engine in this process has beside the ``Client``'s methods: it keeps the encoded answers until they change."""

    async def list_encoded(
        self, form: Hashable, encode: Callable[[ContainerSummary], bytes], *, all: bool, limit: int, filters: Filters
    ) -> list[bytes]: ...
    async def inspect_encoded(self, ref: str, form: Hashable, encode: Callable[[ContainerInspect], bytes]) -> bytes: ...


def _encoding(call: Call, arguments: dict[str, Any]) -> _Encoding | None:
    """None if the answer has sizes, which are new each time, or if the engine keeps none."""
    containers: Any = call.client.containers
    return None if arguments["size"] or not hasattr(containers, "inspect_encoded") else containers


@table.handles(Containers.list)
async def list_containers(call: Call) -> web.StreamResponse:
    arguments, version = call.read(), call.version
    if (encoding := _encoding(call, arguments)) is None:
        return json(shims.container_summaries(await call.client.containers.list(**arguments), version))
    rows = await encoding.list_encoded(
        ("row", version),
        lambda row: encode(shims.container_summary(row, version)),
        all=arguments["all"],
        limit=arguments["limit"],
        filters=arguments["filters"],
    )
    return encoded(b"[" + b",".join(rows) + b"]")


@table.handles(Containers.inspect)
async def inspect(call: Call) -> web.StreamResponse:
    arguments, version = call.read(), call.version
    if (encoding := _encoding(call, arguments)) is None:
        return json(shims.container_inspect(await call.client.containers.inspect(call.ref, size=arguments["size"]), version))
    answer = await encoding.inspect_encoded(
        call.ref, ("inspect", version), lambda container: encode(shims.container_inspect(container, version))
    )
    return encoded(answer)


@table.handles(Containers.create)
async def create(call: Call) -> web.StreamResponse:
    if not call.request.can_read_body:
        raise InvalidArgument("invalid JSON: got EOF while reading request body")
    arguments = await call.arguments()
    config = shims.container_create(arguments["config"], call.version)
    created = await call.client.containers.create(config, name=arguments["name"], platform=arguments["platform"])
    created.warnings += shims.warnings_of_create(config, call.version)
    return json(created, 201)


@table.handles(Containers.start)
async def start(call: Call) -> web.StreamResponse:
    length = call.request.content_length
    if (length or 0) > _MAX_START_BODY or (length is None and call.request.can_read_body):
        raise InvalidArgument(
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
        )
    await call.client.containers.start(call.ref)
    return empty()


@table.handles(Containers.rename)
async def rename(call: Call) -> web.StreamResponse:
    name = call.read()["name"]
    if not name:
        raise InvalidArgument("Neither old nor new names may be empty")
    await call.client.containers.rename(call.ref, name)
    return empty()


@table.handles(Containers.update)
async def update(call: Call) -> web.StreamResponse:
    changes = shims.container_update((await call.arguments())["changes"], call.version)
    return json(shims.or_null(await call.client.containers.update(call.ref, changes), "Warnings"))


@table.handles(Containers.remove)
async def remove(call: Call) -> web.StreamResponse:
    arguments = call.read()
    if arguments["link"]:
        await call.client.containers.remove_link(call.ref)
    else:
        await call.client.containers.remove(call.ref, force=arguments["force"], volumes=arguments["volumes"])
    return empty()


@table.handles(Containers.wait)
async def wait(call: Call) -> web.StreamResponse:
    """The headers go as soon as the wait is registered: ``docker run`` starts the container only then."""
    condition = call.read()["condition"]
    if condition not in _WAIT_CONDITIONS:
        raise InvalidArgument(f'invalid condition: "{condition}"')
    waiting = await call.client.containers.wait(call.ref, condition=condition)
    try:
        response = await begin(call.request, "application/json")
        try:
            exited = await waiting.result()
        except MobyError as error:
            exited = ContainerExit(status_code=125, error=WaitError(message=error.message))
        await response.write(encode(exited) + b"\n")
        return response
    finally:
        await waiting.close()


@table.handles(Containers.commit)
async def commit(call: Call) -> web.StreamResponse:
    arguments = call.read()
    config = await call.body(_Overrides) if call.request.can_read_body else None
    if not arguments["ref"]:
        raise InvalidArgument('invalid name or ID supplied: ""')
    ident = await call.client.containers.commit(
        arguments["ref"],
        reference=arguments["reference"],
        message=arguments["message"],
        author=arguments["author"],
        changes=[line for change in arguments["changes"] for line in change.splitlines()],
        config=config,
        pause=arguments["pause"],
    )
    return json(Committed(id=ident), 201)
