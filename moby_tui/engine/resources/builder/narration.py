"""The output of a stage: the classic builder's lines, or live progress by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import msgspec

from moby_tui.errors import MobyError
from moby_tui.schema.image import BuildStep, Progress, ProgressDetail


def _reason(error: BaseException) -> str:
    """As BuildKit words it: another step's failure cancels this one."""
    if isinstance(error, MobyError):
        return error.buildkit or error.message
    return str(error) if isinstance(error, Exception) else "context canceled"


class Tells(Protocol):
    def say(self, line: Progress) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands: the number of its stage, and the first and the last line of its instruction; of a vertex of a graph of
    operations its digest and those of its inputs."""

    stage: int | None = None
    lines: tuple[int, int] = (0, 0)
    digest: str = ""
    inputs: tuple[str, ...] = ()


_NOWHERE = Place()


class Narration:
    """Each stage has one. ``numbers`` are shared by all: each step of live progress has a number of its own."""

    def __init__(self, report: Tells, numbers: Iterator[int], *, live: bool) -> None:
        self._report = report
        self._numbers = numbers
        self.live = live
        self._id = 0
        self._cached = False

    def of(self, report: Tells) -> Narration:
        """A narration for another stage of the same build."""
        return Narration(report, self._numbers, live=self.live)

    def say(self, line: Progress) -> None:
        """Reports a line in both forms. In live progress it belongs to the current step."""
        if self.live and self._id and line.step is None:
            line = msgspec.structs.replace(line, step=BuildStep(id=self._id))
        self._report.say(line)

    def note(self, text: str) -> None:
        """Reports a line of the classic builder only."""
        if not self.live:
            self._report.say(Progress(stream=text))

    def tell(self, text: str) -> None:
        """Reports in live progress only."""
        if self.live:
            self.say(Progress(stream=text))

    def tell_bytes(self, text: str, size: int) -> None:
        """Reports in live progress only that so many bytes were carried."""
        self._tell_status(Progress(status=text, progress_detail=ProgressDetail(current=size)))

    def tell_status(self, text: str) -> None:
        """Reports in live progress only what the current step has done."""
        self._tell_status(Progress(status=text))

    def _tell_status(self, line: Progress) -> None:
        if self.live:
            self.say(line)

    def cached(self) -> None:
        """Reports that the current step comes from the cache."""
        self._cached = True
        self.note(" ---> Using cache\n")

    @contextmanager
    def step(self, name: str, classic: str = "", place: Place = _NOWHERE) -> Iterator[None]:
        """Reports a step, for the block. Without ``name`` not in live progress, without ``classic`` not in the classic form.

        ``place`` is told in live progress.
        """
        if not self.live or not name:
            if classic:
                self.note(classic)
            yield
            return
        self._id, self._cached = next(self._numbers), False
        self._tell("begun", name, place=place)
        try:
            yield
        except BaseException as error:
            self._tell("failed", error=_reason(error))
            raise
        else:
            self._tell("cached" if self._cached else "done")
        finally:
            self._id = 0

    def _tell(self, state: str, name: str = "", error: str = "", place: Place = _NOWHERE) -> None:
        step = BuildStep(id=self._id, name=name, state=state, time=time.time(), error=error, stage=place.stage, lines=place.lines)
        step.digest, step.inputs = place.digest, list(place.inputs)
        self._report.say(Progress(step=step))
