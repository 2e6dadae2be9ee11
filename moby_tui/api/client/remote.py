"""The operations of a family, asked of an engine elsewhere: requests and answers as the table of operations has them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, nullcontext
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, get_origin

from moby_tui.api.client.failure import error_of
from moby_tui.api.client.ours import needs_moby, ours
from moby_tui.api.client.requests import body_of, login_of, path_of, query_of
from moby_tui.api.operations.operation import Operation, operation_of
from moby_tui.errors import MobyError
from moby_tui.schema.image import Progress

if TYPE_CHECKING:
    from moby_tui.api.client.http import Session
    from moby_tui.api.client.transport import Body, Exchange


class Remote:
    """A family's methods. A class for a family has those that are not as the table has them; the others are made at their first use."""

    #: the protocol whose operations these are
    family: type = object

    def __init__(self, session: Session, family: type | None = None) -> None:
        self._session = session
        if family:
            self.family = family

    def __getattr__(self, name: str) -> Any:
        function: Any = vars(self.family).get(name)
        if not hasattr(function, "operation"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        operation = operation_of(function)
        method = update_wrapper(_method(self, operation), function, updated=())
        method.__signature__ = operation.signature  # type: ignore[attr-defined]
        self.__dict__[name] = method
        return method

    async def ask(self, name: str, /, *positional: Any, headers: Mapping[str, str] | None = None, **named: Any) -> Exchange:
        """Asks for an operation of the family, as its method is called; the caller reads the answer.

        Raises the error that the answer tells, and ``MobyError`` if the operation is moby's own and the engine does not know it.
        """
        operation = operation_of(vars(self.family)[name])
        body, own = body_of(operation, values := operation.bind(*positional, **named))
        return await self._open(operation, values, body, {**own, **(headers or {})})

    async def compose(
        self, name: str, values: Mapping[str, Any], *, body: Body | None = None, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        """The same with a value for each parameter, or field, that the request has: for operations whose method has others."""
        operation = operation_of(vars(self.family)[name])
        content = {} if body is None else {"Content-Type": operation.uploads}
        return await self._open(operation, values, body, {**content, **(headers or {})})

    async def _open(
        self, operation: Operation, values: Mapping[str, Any], body: Body | None, headers: dict[str, str]
    ) -> Exchange:
        path, query = path_of(operation, values), query_of(operation, values, await self._session.version())
        headers = {**headers, **login_of(operation, values)}
        if operation.needs and operation.method == "HEAD" and not await self._session.is_moby():
            # the answer would have no text that tells a path which is missing from an operation which is
            raise needs_moby(operation.needs)
        with ours(operation.needs) if operation.needs else nullcontext():
            return await self._session.open(operation.method, path, query, body=body, headers=headers)

    async def _send(self, operation: Operation, values: Mapping[str, Any]) -> Exchange:
        """With the body that the values hold."""
        body, headers = body_of(operation, values)
        return await self._open(operation, values, body, headers)

    async def _read(self, operation: Operation, values: Mapping[str, Any]) -> Any:
        exchange = await self._send(operation, values)
        if get_origin(operation.answer) is list:
            # Go writes null for an empty list
            return await self._session.read(exchange, operation.answer | None) or []
        answer = await self._session.read(exchange, operation.answer)
        return getattr(answer, operation.gives) if operation.gives else answer


def _method(remote: Remote, operation: Operation) -> Callable[..., Any]:
    """An operation as the method that its protocol declares."""
    session, bind = remote._session, operation.bind

    async def send(*positional: Any, **named: Any) -> None:
        await (await remote._send(operation, bind(*positional, **named))).close()

    async def read(*positional: Any, **named: Any) -> Any:
        return await remote._read(operation, bind(*positional, **named))

    async def lines(*positional: Any, **named: Any) -> AsyncIterator[Any]:
        exchange = await remote._send(operation, bind(*positional, **named))
        async with aclosing(session.lines(exchange, operation.answer)) as values:
            async for value in values:
                yield value

    async def pieces(*positional: Any, **named: Any) -> AsyncIterator[bytes]:
        exchange = await remote._send(operation, bind(*positional, **named))
        async with aclosing(exchange.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    async def steps(*positional: Any, **named: Any) -> AsyncIterator[Progress]:
        exchange = await remote._send(operation, bind(*positional, **named))
        async with aclosing(progress(session, exchange)) as steps:
            async for step in steps:
                yield step

    forms = {"nothing": send, "json": read, "lines": lines, "bytes": pieces, "progress": steps}
    return forms[operation.form]


async def progress(session: Session, exchange: Exchange) -> AsyncGenerator[Progress, None]:
    """A failure told in the stream is raised."""
    async with aclosing(session.lines(exchange, Progress)) as steps:
        async for step in steps:
            if step.error_detail:
                raise error_of(step.error_detail.code, step.error_detail.message)
            if step.error:
                raise MobyError(step.error)
            yield step
