"""One build as it is told: its steps, their output and times, where it has failed. No widgets, no clock, no client.

Two kinds of engines tell: ours names each step, its stage and its place in the Dockerfile (``BuildOptions.live``); the classic builder
writes lines, from which the steps are read (``Step 2/5 : RUN make``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from moby_tui.schema.image import BuildPlan, BuildStep, PlannedStage, Progress
from moby_tui.schema.stream import STDOUT
from moby_tui.screens import text
from moby_tui.screens.logs.lining import MAX_LINE, make_line
from moby_tui.screens.logs.store import LogLine, LogStore

#: Characters of a name or an error, and of a line of the Dockerfile, that are kept.
LONGEST_NAME, LONGEST_LINE = 500, 2000
#: Bytes of the output of one step that are kept.
STEP_LIMIT = 8 << 20
_CLASSIC = re.compile(r"Step (\d+)/(\d+) : (.*)")
_LINE = re.compile(r"\b(?:on |Dockerfile )line (\d+)\b")
#: The order of steps outside all stages.
_BEFORE, _AFTER = -1, 1 << 30
Lines = tuple[int, int]


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    CACHED = "cached"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: What has ended well.
GOOD = (State.CACHED, State.DONE)


@dataclass(eq=False, slots=True)
class Step:
    """``name`` is clean; ``lines`` its place in the Dockerfile, zeros if it has none; times in Unix seconds, 0 before they are known.

    ``status`` is what it does just now, as the download of a layer.
    """

    name: str
    stage: int | None = None
    lines: Lines = (0, 0)
    state: State = State.WAITING
    began: float = 0.0
    ended: float = 0.0
    error: str = ""
    status: str = ""
    log: LogStore = field(default_factory=lambda: LogStore(STEP_LIMIT))
    _rest: bytearray = field(default_factory=bytearray)

    def seconds(self, now: float) -> float:
        """How long it took, or takes so far."""
        if not self.began:
            return 0.0
        return max((self.ended or now) - self.began, 0.0)

    def say(self, said: str, now: float) -> None:
        """Takes output; a line counts once it has its end."""
        *whole, last = said.encode("utf-8", "replace").split(b"\n")
        lines: list[LogLine] = []
        for piece in whole:
            lines.append(make_line(int(now * 1e9), 0, STDOUT, self._whole(piece)))
        self._keep(last)
        self.log.add(lines)

    def _whole(self, piece: bytes) -> bytes:
        self._keep(piece)
        line = bytes(self._rest)
        self._rest.clear()
        return line

    def _keep(self, piece: bytes) -> None:
        """Of a line that is longer than what is kept, the rest goes."""
        self._rest += piece[: max(MAX_LINE - len(self._rest), 0)]

    def end(self, state: State, now: float, error: str = "") -> None:
        if self._rest:
            self.say("\n", now)
        self.state, self.ended, self.status = state, now, ""
        self.error = _short(error)


@dataclass(frozen=True, slots=True)
class StageNow:
    """A stage of the Dockerfile as it is now. ``done`` and ``total`` count its steps."""

    number: int
    planned: PlannedStage
    state: State
    done: int
    total: int
    began: float
    ended: float

    @property
    def name(self) -> str:
        return _short(self.planned.name) or f"stage {self.number}"

    def seconds(self, now: float) -> float:
        return max((self.ended or now) - self.began, 0.0) if self.began else 0.0


class Build:
    """``words`` are those behind ``moby build``; empty for a build that another has asked for."""

    def __init__(self, id: str, title: str, words: list[str], began: float, where: str = "") -> None:
        self.id = id
        self.title = _short(title)
        self.words = words
        self.where = _short(where)
        self.began = began
        self.ended = 0.0
        self.state = State.RUNNING
        self.error = ""
        self.image = ""
        self.plan: BuildPlan | None = None
        self.steps: list[Step] = []
        #: grows with each change
        self.version = 0
        self._by_id: dict[int, Step] = {}
        self._order: dict[Step, tuple[int, int, int]] = {}
        self._fault: Lines = (0, 0)
        self._messages: Step | None = None
        self._classic: Step | None = None
        self._local = b""
        self._source: list[str] | None = None
        self._open = ""

    @property
    def name(self) -> str:
        return self.title

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING

    def seconds(self, now: float) -> float:
        return max((self.ended or now) - self.began, 0.0)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Steps that have ended well, all steps, and those of them that came from the cache."""
        states = [step.state for step in self.steps if step is not self._messages]
        return sum(state in GOOD for state in states), len(states), states.count(State.CACHED)

    def read_local(self, source: bytes) -> None:
        """The Dockerfile as it lies here, for engines that do not tell it."""
        self._local, self._source = source, None

    # What is told

    def take(self, line: Progress, now: float) -> None:
        """Takes a line of the stream. ``now`` in Unix seconds."""
        self.version += 1
        if line.plan is not None:
            self._take_plan(line.plan)
        if line.fault is not None:
            self._fault = line.fault.lines
        if line.aux and line.aux.get("ID"):
            self.image = text.clean(str(line.aux["ID"]))
        step = self._take_step(line.step, now) if line.step is not None else None
        if line.stream and step is None and not self._by_id:
            self._take_classic(line.stream, now)
        elif line.stream:
            (step or self._message()).say(line.stream, now)
        if line.status:
            self._take_status(step or self._classic or self._message(), line, now)

    def _take_plan(self, plan: BuildPlan) -> None:
        self.plan, self._source = plan, None
        for number, stage in enumerate(plan.stages):
            for planned in stage.steps if stage.wanted else ():
                self._add(Step(_short(planned.text), number, planned.lines), number)

    def _add(self, step: Step, group: int) -> None:
        """Puts a step at its place: by stage, then by line; outside stages as they come."""
        order = (group, step.lines[0], len(self._order))
        self._order[step] = order
        place = len(self.steps)
        while place and self._order[self.steps[place - 1]] > order:
            place -= 1
        self.steps.insert(place, step)

    def _take_step(self, told: BuildStep, now: float) -> Step | None:
        step = self._by_id.get(told.id)
        if told.state == "begun":
            step = self._begin(told)
        elif step is not None and told.state in ("cached", "done", "failed"):
            step.end(State(told.state), told.time or now, told.error)
        return step

    def _begin(self, told: BuildStep) -> Step:
        planned = (
            step
            for step in self.steps
            if step.state is State.WAITING and told.lines != (0, 0) and (step.stage, step.lines) == (told.stage, told.lines)
        )
        step = next(planned, None)
        if step is None:
            step = Step("", told.stage, told.lines)
            in_stage = any(one.stage is not None for one in self._by_id.values())
            self._add(step, told.stage if told.stage is not None else _AFTER if in_stage else _BEFORE)
        step.name, step.state, step.began = _short(told.name) or step.name, State.RUNNING, told.time
        self._by_id[told.id] = step
        return step

    def _message(self) -> Step:
        """What the builder says outside of all steps: warnings, the lines around an error."""
        if self._messages is None:
            self._messages = Step("messages of the builder", state=State.DONE)
            self._add(self._messages, _AFTER)
        return self._messages

    def _take_status(self, step: Step, line: Progress, now: float) -> None:
        status_text = f"{line.id}: {line.status}" if line.id else f"{line.status}"
        if line.progress_detail is None:
            step.say(f"{status_text}\n", now)
            return
        detail = line.progress_detail
        total = f" / {text.size(detail.total, step=1000)}" if detail.total else ""
        step.status = _short(f"{status_text} {text.size(detail.current, step=1000)}{total}")

    def _take_classic(self, said: str, now: float) -> None:
        *whole, self._open = (self._open + said).split("\n")
        self._open = self._open[:MAX_LINE]
        for piece in whole:
            if match := _CLASSIC.match(piece):
                self._end_classic(State.DONE, now)
                self._classic = Step(_short(match[3]), None, self._place(match[3]), State.RUNNING, now)
                self._add(self._classic, _AFTER)
                continue
            if piece == " ---> Using cache" and self._classic:
                self._end_classic(State.CACHED, now)
            elif piece.startswith("Successfully "):
                self._end_classic(State.DONE, now)
            (self._classic or self._message()).say(f"{piece}\n", now)

    def _place(self, instruction: str) -> Lines:
        """The line on which an instruction begins: the next line with its words, since the classic builder goes from the top to the end."""
        last = max((step.lines[0] for step in self.steps), default=0)
        wanted = instruction.split()
        for number, line in enumerate(self.source[last:], last + 1):
            words = line.removesuffix("\r").rstrip("\\`").split()
            if words and [words[0].upper(), *words[1:]] == wanted[: len(words)]:
                return number, number
        return 0, 0

    def _end_classic(self, state: State, now: float) -> None:
        if self._classic and self._classic.state is State.RUNNING:
            self._classic.end(state, now)

    # Its end

    def finish(self, now: float) -> None:
        self._end(State.DONE, State.DONE, now)

    def fail(self, error: str, now: float) -> None:
        """``error`` is told of the build as a whole."""
        if self._fault == (0, 0) and (match := _LINE.search(error[:LONGEST_LINE])):
            self._fault = int(match[1]), int(match[1])
        self._end(State.FAILED, State.FAILED if self._classic else State.CANCELLED, now, error)

    def cancel(self, now: float) -> None:
        self._end(State.CANCELLED, State.CANCELLED, now)

    def _end(self, state: State, of_running: State, now: float, error: str = "") -> None:
        if self._open:
            self._take_classic("\n", now)
        for step in self.steps:
            if step.state is State.RUNNING:
                step.end(of_running, now)
        self.state, self.ended, self.error = state, now, _short(error)
        self.version += 1

    @property
    def fault(self) -> Lines:
        """The lines of the Dockerfile at which it has failed; zeros if it has not, or that is not known."""
        if self.state is not State.FAILED:
            return 0, 0
        failed = next((step.lines for step in self.steps if step.state is State.FAILED), (0, 0))
        return self._fault if self._fault != (0, 0) else failed

    # The Dockerfile

    @property
    def source(self) -> list[str]:
        """The Dockerfile's lines, as they are there."""
        if self._source is None:
            source = self.plan.source if self.plan else self._local
            self._source = source.decode("utf-8-sig", "replace").split("\n")
            if not self._source[-1]:
                self._source.pop()
        return self._source

    def stages(self) -> Iterator[StageNow]:
        """The stages as they are now."""
        steps: dict[int | None, list[Step]] = {}
        for step in self.steps:
            steps.setdefault(step.stage, []).append(step)
        for number, planned in enumerate(self.plan.stages if self.plan else ()):
            own = steps.get(number, [])
            states = {step.state for step in own}
            done = sum(step.state in GOOD for step in own)
            begun = [step.began for step in own if step.began]
            ended = max((step.ended for step in own), default=0.0) if State.RUNNING not in states else 0.0
            state = next((one for one in (State.FAILED, State.RUNNING, State.CANCELLED) if one in states), State.WAITING)
            if state is State.WAITING and own and done == len(own):
                state = State.CACHED if states == {State.CACHED} else State.DONE
            elif state is State.WAITING and not own and planned.wanted and self.state is State.DONE:
                state = State.DONE  # nothing in it takes time
            yield StageNow(number, planned, state, done, len(own), min(begun, default=0.0), ended)


def clean_line(line: str) -> str:
    """A line of a Dockerfile as it is shown."""
    return text.clean(line[:LONGEST_LINE].expandtabs(4))


def _short(said: str) -> str:
    return text.clean(" ".join(said[: LONGEST_NAME * 4].split()))[:LONGEST_NAME]
