"""The handler of an operation that needs no code of its own: decode, call the client's method, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from moby_tui.api.operations.operation import Operation
from moby_tui.api.server.answers import empty, json, progress, raw
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import Handler, Shape
from moby_tui.schema.base import encode


def plain(operation: Operation, shape: Shape | None) -> Handler:
    """Raises ``TypeError`` for an answer of a form that needs code of its own."""

    async def handle(call: Call) -> web.StreamResponse:
        binding = call.binding
        arguments = await binding.arguments(call)
        result = binding.call(getattr(getattr(call.client, operation.family), operation.name), arguments)
        match operation.form:
            case "nothing":
                await result
                return empty(operation.status)
            case "json":
                answer = await result
                return json(shape(answer, call.version) if shape else answer, operation.status)
            case "progress":
                return await progress(call.request, result)
            case "lines":
                # a refusal has a status of its own only before the first line
                return await raw(call.request, _lines(result), content_type=operation.lines)
            case "bytes":
                return await raw(call.request, result, content_type=operation.media)
        raise TypeError(f"{operation!r} needs a handler of its own")

    return handle


async def _lines(values: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for value in values:
        yield encode(value) + b"\n"
