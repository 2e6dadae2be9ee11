"""Shows the live progress of a build: as BuildKit's plain lines, as its JSON, or as a changing view on a terminal."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from moby_tui.cli.output.text import printable, shortened
from moby_tui.schema.base import encode

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from moby_tui.schema.image import Progress

#: Sequences that drive a terminal (ECMA-48).
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_TAIL = 5
_REMEMBERED = 200


class View(Protocol):
    def show(self, line: Progress) -> None: ...
    def pause(self) -> None: ...
    def close(self) -> None: ...


@dataclass
class Step:
    """``lines`` are the last that it said, each with its time; ``rest`` has no end yet."""

    number: int
    name: str
    began: float
    ended: float = 0
    state: str = "begun"
    lines: list[tuple[float, str]] = field(default_factory=list)
    rest: str = ""


class Steps:
    """The steps so far."""

    def __init__(self) -> None:
        self.all: dict[int, Step] = {}
        #: an unfinished line that belongs to no step
        self._rest = ""

    def update(self, line: Progress, take_output: Callable[[Step | None, float, str], None]) -> Step | None:
        """The step that a line belongs to. Calls ``take_output(step, moment, text)`` with each whole line of output.

        ``moment`` is in seconds since the step began; ``step`` is None for output that belongs to none.
        """
        change = line.step
        step = None
        if change is not None:
            if change.id not in self.all and change.name:
                self.all[change.id] = Step(len(self.all) + 1, " ".join(change.name.split()), change.time)
            step = self.all.get(change.id)
            if step is not None and change.state in ("cached", "done", "failed"):
                if step.rest:
                    self._say(step, step.rest, take_output)
                step.rest, step.state, step.ended = "", change.state, change.time
        text = line.stream or ""
        if not text and line.status and line.progress_detail is None:
            text = f"{line.id}: {line.status}\n" if line.id else f"{line.status}\n"
        if step is None:
            *whole, self._rest = (self._rest + text).split("\n")
            for piece in whole:
                take_output(None, 0, piece.removesuffix("\r"))
            return None
        *whole, step.rest = (step.rest + text).split("\n")
        for piece in whole:
            self._say(step, piece, take_output)
        return step

    def _say(self, step: Step, text: str, take_output: Callable[[Step | None, float, str], None]) -> None:
        text = text.removesuffix("\r").rpartition("\r")[2]
        moment = max(time.time() - step.began, 0)
        step.lines = [*step.lines[1 - _REMEMBERED :], (moment, text)]
        take_output(step, moment, text)


class Plain:
    """``#5 [stage 2/3] RUN …``, ``#5 0.123 …``, ``#5 DONE 0.4s``."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._steps = Steps()
        self._last = 0

    def show(self, line: Progress) -> None:
        step = self._steps.update(line, self._print_output)
        if step is None or line.step is None or not line.step.state:
            self._out.flush()
            return
        self._turn_to(step)
        seconds = max(step.ended - step.began, 0)
        if step.state == "cached":
            self._write(f"#{step.number} CACHED\n")
        elif step.state == "done":
            self._write(f"#{step.number} DONE {seconds:.1f}s\n")
        elif step.state == "failed":
            self._write(f"#{step.number} ERROR after {seconds:.1f}s\n")
        self._out.flush()

    def _print_output(self, step: Step | None, moment: float, text: str) -> None:
        if step is None:
            self._write(f"{text}\n")
            return
        self._turn_to(step)
        self._write(f"#{step.number} {moment:.3f} {text}\n")

    def _turn_to(self, step: Step) -> None:
        if self._last != step.number:
            self._write(f"{chr(10) if self._last else ''}#{step.number} {step.name}\n")
            self._last = step.number

    def _write(self, text: str) -> None:
        self._out.write(text)

    def pause(self) -> None:
        self._out.flush()

    def close(self) -> None:
        self._out.flush()


class Raw:
    """One JSON document a line, as BuildKit's ``rawjson``."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._steps = Steps()

    def show(self, line: Progress) -> None:
        logs: list[dict[str, object]] = []

        def take_output(step: Step | None, moment: float, text: str) -> None:
            name = _digest(step) if step else ""
            data = base64.b64encode(f"{text}\n".encode("utf-8", "surrogateescape")).decode()
            logs.append({"vertex": name, "stream": 1, "data": data, "timestamp": _moment((step.began if step else 0) + moment)})

        step = self._steps.update(line, take_output)
        status: dict[str, object] = {"logs": logs} if logs else {}
        if step is not None and line.step is not None and line.step.state:
            vertex: dict[str, object] = {"digest": _digest(step), "name": step.name, "started": _moment(step.began)}
            if step.ended:
                vertex["completed"] = _moment(step.ended)
            if step.state == "cached":
                vertex["cached"] = True
            if step.state == "failed":
                vertex["error"] = "failed"
            status["vertexes"] = [vertex]
        if status:
            self._out.write(encode(status).decode() + "\n")
            self._out.flush()

    def pause(self) -> None: ...
    def close(self) -> None: ...


class Terminal:
    """All steps with their times, and the last lines of the running ones."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console: Console = Console(file=out, highlight=False, markup=False, emoji=False)
        self._steps = Steps()
        self._began = time.time()
        self._whole = False
        self._live: Live = Live(get_renderable=self._drawn, console=self._console, refresh_per_second=8)
        self._live.start()

    def show(self, line: Progress) -> None:
        self._steps.update(line, self._print_output)

    def _print_output(self, step: Step | None, moment: float, text: str) -> None:
        del moment
        if step is None:
            self._console.print(_plain(text))

    def pause(self) -> None:
        """Ends the changing view, so that others can write to the terminal."""
        self.close()

    def close(self) -> None:
        if self._live.is_started:
            self._whole = True
            self._live.stop()
            for step in self._steps.all.values():
                if step.state == "failed" and step.lines:
                    self._console.print("------", f" > {_plain(step.name)}:", sep="\n")
                    for moment, text in step.lines:
                        self._console.print(f"{moment:.3f} {_plain(text)}")
                    self._console.print("------")

    def _drawn(self) -> Text:
        from rich.text import Text

        steps = list(self._steps.all.values())
        done = sum(step.state in ("done", "cached") for step in steps)
        ended = " FINISHED" if self._whole and done == len(steps) else ""
        text = Text(f"[+] Building {time.time() - self._began:.1f}s ({done}/{len(steps)}){ended}", no_wrap=True)
        rows = [row for step in steps for row in self._rows(step)]
        if not self._whole:
            rows = rows[-max(self._console.height - 2, 1) :]
        for row, style in rows:
            text.append("\n")
            text.append(row, style)
        return text

    def _rows(self, step: Step) -> list[tuple[str, str]]:
        width = self._console.width
        seconds = f"{max((step.ended or time.time()) - step.began, 0):.1f}s"
        mark = {"cached": "CACHED ", "failed": "ERROR "}.get(step.state, "")
        name = shortened(f" => {mark}{_plain(step.name)}", max(width - len(seconds) - 2, 10))
        style = {"begun": "", "failed": "red"}.get(step.state, "blue")
        rows = [(f"{name:<{max(width - len(seconds) - 1, 1)}}{seconds}", style)]
        if step.state == "begun":
            rows += [(shortened(f" => => # {_plain(text)}", width - 1), "dim") for _, text in step.lines[-_TAIL:]]
        return rows


def _plain(text: str) -> str:
    return printable(_SEQUENCES.sub("", text).expandtabs(4))


def _digest(step: Step) -> str:
    return "sha256:" + hashlib.sha256(f"{step.number} {step.name}".encode("utf-8", "surrogateescape")).hexdigest()


def _moment(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


class Quiet:
    """Shows errors only."""

    def show(self, line: Progress) -> None: ...
    def pause(self) -> None: ...
    def close(self) -> None: ...


def view(kind: str, out: TextIO) -> View:
    """``kind`` is ``plain``, ``tty``, ``rawjson``, ``quiet`` or, for what fits, ``auto``."""
    if kind == "auto":
        kind = "tty" if out.isatty() else "plain"
    makers: dict[str, Callable[[], View]] = {
        "plain": lambda: Plain(out),
        "tty": lambda: Terminal(out),
        "rawjson": lambda: Raw(out),
        "quiet": Quiet,
    }
    return makers[kind]()


KINDS = ("auto", "plain", "tty", "rawjson", "quiet")
