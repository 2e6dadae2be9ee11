"""The dashboard over many containers, in a terminal of its own (``bench.dashboard``)."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path

from bench.peers import moby

#: Comes first in the list, so that its name is on the screen.
_FIRST = "aaaa"
_RENAMES = 40
_SECONDS = 20
_LINES = 1_000_000
#: 10,000 lines of 100 bytes a second, in ten pieces.
_WRITE = f"yes {'.' * 99} | head -n 1000 > /lines; while :; do cat /lines; usleep 95000; done"


class Dashboard:
    """Each question has a daemon of its own, with as many containers as the question says."""

    def __init__(self, idle: moby.Daemon, many: moby.Daemon, one_file: Path) -> None:
        self._few, self._many, self._one_file = idle, many, one_file

    def paint(self) -> float:
        """Seconds from the start of ``moby tui``, the engine in its process, to the first of 100 containers on the screen."""
        assert self._hundred
        return _asked(self._few, "paint", _FIRST)

    def paint_one_file(self) -> float:
        """The same of ``dist/moby``, at a start that unpacks nothing."""
        assert self._hundred
        return _asked(self._few, "paint-one-file", _FIRST, str(self._unpacked))

    @cached_property
    def _unpacked(self) -> Path:
        """The one file, once it has been started."""
        self._few.stage.run([str(self._one_file), "version"], _environment(self._few))
        return self._one_file

    def event(self) -> float:
        """95th percentile of the seconds from the answer to a rename until the new name is seen."""
        assert self._hundred
        return _asked(self._few, "events", _socket(self._few), _FIRST, _RENAMES)

    def idle(self) -> float:
        """The share of a processor of ``moby tui``, the engine in its process, with 50 of the containers running."""
        assert self._hundred
        return _asked(self._few, "idle", _FIRST, _SECONDS)

    def idle_of_daemon(self) -> float:
        """The same beside a daemon, whose own share is not in it."""
        assert self._hundred
        return _asked(self._few, "idle", _FIRST, _SECONDS, "-H", f"unix://{_socket(self._few)}")

    def lag(self) -> float:
        """95th percentile of the event loop's lag, with 1,000 containers of which one writes 10,000 lines a second."""
        assert self._thousand
        return _asked(self._many, "lag", _socket(self._many), _FIRST, _SECONDS)

    def search(self) -> float:
        """Seconds until the one line of a million that matches is found."""
        return _asked(self._few, "search", _LINES)

    @cached_property
    def _hundred(self) -> bool:
        """100 containers, of which 50 run."""
        _asked(self._few, "fill", _socket(self._few), 99, 49)
        self._few.stage.run(["docker", "run", "-d", "--name", _FIRST, "busybox", "sleep", "100000"], self._few.env)
        return True

    @cached_property
    def _thousand(self) -> bool:
        """1,000 containers, of which one runs and writes its log."""
        _asked(self._many, "fill", _socket(self._many), 999, 0)
        run = ["docker", "run", "-d", "--name", _FIRST, "--log-opt", "max-size=10m", "busybox", "sh", "-c", _WRITE]
        self._many.stage.run(run, self._many.env)
        return True


def _asked(daemon: moby.Daemon, *words: str | int) -> float:
    """The number that the program prints."""
    env = _environment(daemon)
    return float(daemon.stage.run([sys.executable, "-m", "bench.dashboard", *map(str, words)], env).output.splitlines()[-1])


def _socket(daemon: moby.Daemon) -> str:
    return daemon.env["DOCKER_HOST"].removeprefix("unix://")


def _environment(daemon: moby.Daemon) -> dict[str, str]:
    return daemon.env | moby.environment(daemon.stage) | {"MOBY_DIST": f"{daemon.stage.folder}/dist"}
