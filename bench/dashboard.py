"""Programs that use the dashboard as a person does, in a terminal of their own: ``python -m bench.dashboard WHAT ...``.

The terminal is a pseudo-terminal that this process reads. Each program prints one number: seconds, or of ``idle`` the share of one
processor.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.traffic import Api

_ROWS, _COLUMNS = 40, 140
_PATIENCE = 60.0
#: From the first picture until what starts with the dashboard has been done; seconds.
_SETTLES = 8.0
_TICKS = os.sysconf("SC_CLK_TCK")
_LAG_EVERY = 0.005


class Terminal:
    """A pseudo-terminal with ``moby tui`` in it. ``screen`` is all that was written since it was last cleared."""

    def __init__(self, *options: str, program: tuple[str, ...] = (sys.executable, "-m", "moby_tui")) -> None:
        self.screen = b""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            if not options:
                os.environ.pop("DOCKER_HOST", None)  # the engine is in its process
            os.execv(program[0], [*program, *options, "tui"])
        self._ready = select.poll()
        self._ready.register(self._fd, select.POLLIN)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))

    def read(self, seconds: float) -> None:
        """Takes what is written within so many seconds; returns after the first of it."""
        if self._ready.poll(max(seconds, 0) * 1000):
            self.screen += os.read(self._fd, 1 << 16)

    def rest(self, seconds: float) -> None:
        """Takes what is written for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)
            self.screen = b""

    def await_text(self, text: str) -> None:
        """Returns once the text has been written. Raises ``TimeoutError``."""
        deadline = time.monotonic() + _PATIENCE
        while text.encode() not in self.screen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the dashboard never wrote {text!r}")
            self.read(1.0)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            try:
                self.read(0.05)
            except OSError:  # EIO: the terminal is closed
                time.sleep(0.01)
        os.close(self._fd)


@contextmanager
def _dashboard(*options: str, program: str = "") -> Iterator[Terminal]:
    """``program`` is the one file; empty: this interpreter's package."""
    terminal = Terminal(*options, program=(program,)) if program else Terminal(*options)
    try:
        yield terminal
    finally:
        terminal.close()


def fill(socket: str, count: int, running: int) -> float:
    """Makes so many containers, of which so many run: the seconds that it took."""
    api = Api(socket)
    began = time.perf_counter()
    for number in range(count):
        name = f"box-{number}"
        api.ask("POST", f"/containers/create?name={name}", {"Image": "busybox", "Cmd": ["sleep", "100000"]})
        if number < running:
            api.ask("POST", f"/containers/{name}/start")
    return time.perf_counter() - began


def paint(name: str, *options: str, program: str = "") -> float:
    """Seconds from the start of the program until a container's name is on the screen."""
    began = time.perf_counter()
    with _dashboard(*options, program=program) as terminal:
        terminal.await_text(name)
        return time.perf_counter() - began


def paint_one_file(name: str, program: str) -> float:
    """As ``paint``, of the one file, which has been started before."""
    return paint(name, program=program)


def idle(name: str, seconds: int, *options: str) -> float:
    """The share of a processor that the dashboard and its children take while nothing is typed."""
    with _dashboard(*options) as terminal:
        terminal.await_text(name)
        terminal.rest(_SETTLES)
        before, began = _processor_time(terminal.pid), time.monotonic()
        terminal.rest(seconds)
        return (_processor_time(terminal.pid) - before) / (time.monotonic() - began)


def events(socket: str, name: str, count: int) -> float:
    """A container is renamed so many times: the 95th percentile of the seconds from the engine's answer until the name is seen."""
    api, told, first = Api(socket), [], name
    with _dashboard("-H", f"unix://{socket}") as terminal:
        terminal.await_text(name)
        terminal.rest(_SETTLES)
        for number in range(count):
            following = f"{first}-renamed-{number}"
            api.ask("POST", f"/containers/{name}/rename?name={following}")
            began, name = time.perf_counter(), following
            terminal.await_text(name)
            told.append(time.perf_counter() - began)
            terminal.rest(_SETTLES / 20)
    api.ask("POST", f"/containers/{name}/rename?name={first}")
    return _high(told)


def lag(socket: str, name: str, seconds: int) -> float:
    """The 95th percentile of the event loop's lag while the container under the cursor writes its log."""
    return asyncio.run(_lag(socket, name, seconds))


async def _lag(socket: str, name: str, seconds: int) -> float:
    from moby_tui.api.client.connect import connect
    from moby_tui.screens.app import Dashboard
    from moby_tui.screens.widgets.container_table import ContainerTable

    app = Dashboard(lambda: connect(f"unix://{socket}"))
    async with app.run_test(size=(_COLUMNS, _ROWS)) as pilot:
        while not app.session.connection.up:
            await pilot.pause(0.05)
        (identifier,) = (one.id for one in app.session.model.rows() if one.name == name)
        table = app.screen.query_one(ContainerTable)
        while not table.go_to(identifier):
            await pilot.pause(0.05)
        await asyncio.sleep(_SETTLES)
        late, end = [], time.monotonic() + seconds
        while (due := time.monotonic() + _LAG_EVERY) < end:
            await asyncio.sleep(_LAG_EVERY)
            late.append(time.monotonic() - due)
    return _high(late)


def search(lines: int) -> float:
    """Seconds until the view of so many lines of log has found the one in their middle, the only one that matches."""
    return asyncio.run(_search(lines))


async def _search(count: int) -> float:
    from textual.app import App, ComposeResult

    from moby_tui.screens.logs import query
    from moby_tui.screens.logs.lining import make_line
    from moby_tui.screens.logs.store import LogStore
    from moby_tui.screens.widgets.log_stream import LogStream

    store = LogStore(1 << 30)
    store.add(
        [make_line(number * 1000, 0, 1, f"request {number:07d} took {number % 997} ms".encode()) for number in range(count)]
    )

    class Viewer(App[None]):
        def compose(self) -> ComposeResult:
            yield LogStream(store, lambda: {0: "bench"})

    app = Viewer()
    async with app.run_test(size=(_COLUMNS, _ROWS)) as pilot:
        view = app.query_one(LogStream)
        view.refill()
        await pilot.pause()
        began = time.perf_counter()
        view.search(query.parse(f'"request {count // 2:07d}"', 0.0))
        while not view.hits:
            await pilot.pause(0)
        return time.perf_counter() - began


def _processor_time(pid: int) -> float:
    """Seconds of user and system time of a process and its descendants; proc_pid_stat(5)."""
    with open(f"/proc/{pid}/stat") as file:
        stat = file.read()
    user, system = stat[stat.rindex(")") + 2 :].split()[11:13]
    children: list[str] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            children += file.read().split()
    return (int(user) + int(system)) / _TICKS + sum(_processor_time(int(child)) for child in children)


def _high(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(len(values) * 0.95)]


_PROGRAMS: dict[str, Callable[..., float]] = {
    "fill": fill,
    "paint": paint,
    "paint-one-file": paint_one_file,
    "idle": idle,
    "events": events,
    "lag": lag,
    "search": search,
}

if __name__ == "__main__":
    print(_PROGRAMS[sys.argv[1]](*(int(word) if word.isdecimal() else word for word in sys.argv[2:])))
