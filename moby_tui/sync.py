"""The synchronous face, for scripts: ``with moby_tui.sync.Engine.open(root) as engine: engine.images.list()``.

Each open engine has a thread with an event loop of its own, in which the asynchronous engine lives. So it works wherever it is
called from: a script, a test, a thread, a notebook whose own loop runs. Nothing is shared between two of them.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from moby_tui.api.client import blocking
    from moby_tui.api.client.protocol import Client
    from moby_tui.engine_options import EngineOptions

__all__ = ["Engine"]

T = TypeVar("T")
#: What makes up a client; each is given with its methods made synchronous.
_PARTS = frozenset(
    {"containers", "images", "networks", "volumes", "secrets", "history", "builder", "registry", "events", "system"}
)


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="moby engine", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end there. An interrupt here (ctrl-c) cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _awaited(value: Any) -> Any:
    return await value


class Synchronous:
    """An object of the asynchronous engine, each of its methods blocking: coroutines return, asynchronous iterators iterate.

    What a method returns is given as it is, unless it has coroutines of its own (a stream, a wait): then it is wrapped likewise.
    """

    def __init__(self, loop: _Loop, target: Any) -> None:
        self._loop, self._target = loop, target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return Synchronous(self._loop, value) if name in _PARTS else value

        def method(*arguments: Any, **options: Any) -> Any:
            return self._settled(value, arguments, options)

        return method

    def _settled(self, function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        async def called() -> Any:
            result = function(*arguments, **options)
            return await result if inspect.isawaitable(result) else result

        result = self._loop.run(called())
        if isinstance(result, AsyncIterator):
            return self._iterated(result)
        if isinstance(result, tuple):
            return tuple(self._iterated(item) if isinstance(item, AsyncIterator) else item for item in result)
        return Synchronous(self._loop, result) if _is_live(result) else result

    def _iterated(self, items: AsyncIterator[T]) -> Iterator[T]:
        """The items, each fetched when it is asked for; leaving the iteration closes it on the other side."""
        try:
            while True:
                try:
                    yield self._loop.run(_awaited(items.__anext__()))
                except StopAsyncIteration:
                    return
        finally:
            if (close := getattr(items, "aclose", None)) is not None:
                self._loop.run(_awaited(close()))


def _is_live(result: object) -> bool:
    return any(inspect.iscoroutinefunction(member) for name, member in vars(type(result)).items() if not name.startswith("_"))


class Engine:
    """An engine whose methods block. Use as ``with Engine.open(data_root) as engine``; any number may be open."""

    def __init__(self, client: Callable[[], Client]) -> None:
        self._make = client

    @classmethod
    def open(
        cls,
        data_root: str | Path | None = None,
        exec_root: str | Path | None = None,
        *,
        options: EngineOptions | None = None,
    ) -> Engine:
        """As ``moby_tui.Engine.open``."""
        return cls.connect(data_root=data_root, exec_root=exec_root, options=options)

    @classmethod
    def connect(
        cls,
        host: str = "",
        *,
        options: EngineOptions | None = None,
        data_root: str | Path | None = None,
        exec_root: str | Path | None = None,
        hooks_dirs: Sequence[str | Path] = (),
        signature_policy: str | Path | None = None,
    ) -> Engine:
        """As ``moby_tui.connect``: the engine in this process, or the one that listens at ``host``."""
        from moby_tui.api.client.connect import connect

        keywords: dict[str, Any] = {
            "data_root": data_root,
            "exec_root": exec_root,
            "hooks_dirs": hooks_dirs,
            "signature_policy": signature_policy,
        }
        return cls(lambda: connect(host, options=options, **keywords))

    def __enter__(self) -> blocking.Client:
        """The client, each of its methods blocking. Raises what opening the asynchronous one raises."""
        self._loop = _Loop()
        try:
            self._client = self._make()
            return cast("blocking.Client", Synchronous(self._loop, self._loop.run(self._client.__aenter__())))
        except BaseException:
            self._loop.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._loop.run(self._client.close())
        finally:
            self._loop.stop()
