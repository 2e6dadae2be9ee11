"""A client whose calls are counted, and one of the blocking face that is awaited like the others: one suite asks both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

_END = object()


class Counted:
    """A client, or a family of its methods. ``called`` gets the name of each method that is called: ``volumes.list``."""

    def __init__(self, target: Any, called: set[str], family: str = "") -> None:
        self._target, self._called, self._family = target, called, family

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not self._family:
            return Counted(value, self._called, name)
        self._called.add(f"{self._family}.{name}")
        return value


class Awaited:
    """An object of the blocking face whose calls are awaited or iterated; each waits in a thread."""

    def __init__(self, target: Any, *, is_client: bool = False) -> None:
        self._target, self._is_client = target, is_client

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if self._is_client:
            return Awaited(value)
        if not callable(value):
            return value
        member = getattr(self._target._target, name)
        if _is_plain(member):
            return value
        return lambda *arguments, **options: _Call(value, arguments, options)


def _is_plain(member: Any) -> bool:
    """True for a method that neither waits nor iterates: the end of a stream's input, its closing."""
    if inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member):
        return False
    return "None" in str(inspect.signature(member).return_annotation)


class _Call:
    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._called = lambda: function(*arguments, **options)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result().__await__()

    async def _result(self) -> Any:
        result = await asyncio.to_thread(self._called)
        if isinstance(result, tuple):
            return tuple(_each(item) if isinstance(item, Iterator) else item for item in result)
        return Awaited(result) if hasattr(result, "_settled") else result

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for item in _each(await asyncio.to_thread(self._called)):
            yield item


async def _each(items: Iterator[Any]) -> AsyncIterator[Any]:
    while (item := await asyncio.to_thread(next, items, _END)) is not _END:
        yield item
