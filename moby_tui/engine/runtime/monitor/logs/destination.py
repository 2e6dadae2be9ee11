"""Opens the log driver for the settings (light imports: a driver is imported when it is used)."""

from __future__ import annotations

from collections.abc import Callable

from moby_tui.engine.kernel.loop import Loop
from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.monitor.logs.container_log import ContainerLog
from moby_tui.engine.runtime.monitor.logs.json_file import JsonFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.engine.runtime.monitor.logs.container_log import Sink


def open_log(path: str, settings: LogSettings, loop: Loop, room: Callable[[], None]) -> ContainerLog | None:
    """The log that a monitor writes; None for the driver ``none``. Raises ``OSError`` if it cannot be opened.

    ``room`` is called when a log that was behind (``ContainerLog.behind``) has caught up.
    """
    if settings.driver == "none":
        return None
    if settings.apart:
        from moby_tui.engine.runtime.monitor.logs.process import Apart

        return Apart(loop, lambda: ContainerLog(open_sink(path, settings)), settings, room)
    return ContainerLog(open_sink(path, settings))


def open_sink(path: str, settings: LogSettings) -> Sink:
    """The driver itself. Raises ``OSError``."""
    if settings.driver == "json-file":
        return JsonFile(path, settings)
    if settings.driver == "local":
        from moby_tui.engine.runtime.monitor.logs.local import LocalFile

        return LocalFile(path, settings)
    remote: Sink
    if settings.driver == "syslog":
        from moby_tui.engine.runtime.monitor.logs.syslog import Syslog

        remote = Syslog(dict(settings.remote))
    else:
        from moby_tui.engine.runtime.monitor.logs.journald import Journald

        remote = Journald(dict(settings.remote))
    if not settings.cached:
        return remote
    from moby_tui.engine.runtime.monitor.logs.local import LocalFile

    return _Both(LocalFile(path, settings), remote)


class _Both:
    """A remote driver and a local log together, so that the log can be read back (Docker's dual logging)."""

    def __init__(self, cache: Sink, remote: Sink) -> None:
        self._sinks = (cache, remote)

    def lines(self, stream: str, text: bytes, when: int) -> None:
        for sink in self._sinks:
            sink.lines(stream, text, when)

    def pieces(self, stream: str, texts: list[bytes], when: int) -> None:
        for sink in self._sinks:
            sink.pieces(stream, texts, when)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()
