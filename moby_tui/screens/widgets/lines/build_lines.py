"""How builds, their stages and steps, and the lines of their Dockerfile look, one line each."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from moby_tui.screens import text
from moby_tui.screens.building.build import Build, StageNow, State, Step, clean_line
from moby_tui.screens.building.rails import Row

#: The sign and the colour of each state.
MARKS = {
    State.WAITING: ("○", "text-muted"),
    State.RUNNING: ("◐", "primary"),
    State.CACHED: ("≡", "accent"),
    State.DONE: ("✓", "success"),
    State.FAILED: ("✗", "error"),
    State.CANCELLED: ("–", "warning"),
}
#: The colour of the theme that has a name.
Ink = Callable[[str], str]


def build_line(build: Build, now: float, ink: Ink) -> Text:
    """A build in the list. ``now`` is in seconds of Unix time."""
    mark, colour = MARKS[build.state]
    done, total, cached = build.counts
    count = f"{done}/{total} steps" if total else "" if not build.words else "beginning" if build.running else "no steps"
    line = Text().append(f" {mark} ", ink(colour))
    line.append(f"{_seconds(build.seconds(now)):>7}  ", ink("text-muted"))
    line.append(build.title, "bold")
    line.append(f"  {count}{f', {cached} cached' if cached else ''}", ink("text-muted"))
    line.append(f"  {build.where}", ink("text-secondary"))
    line.append(f"  {text.age(now - build.began)} ago", ink("text-muted"))
    if build.state in (State.FAILED, State.CANCELLED):
        line.append(f"  {build.state.value}", ink(colour))
    return line


def stage_line(stage: StageNow, row: Row, now: float, ink: Ink) -> Text:
    """A stage behind the rails that lead to what it needs."""
    mark, colour = MARKS[stage.state] if stage.planned.wanted else ("∅", "text-muted")
    shade = ink("secondary")
    line = Text(" ")
    line.append(row.rails[: row.node], shade).append(mark, f"bold {ink(colour)}").append(row.rails[row.node + 1 :], shade)
    line.append(f" {stage.name}", "bold" if stage.planned.wanted else ink("text-muted"))
    if stage.planned.wanted:
        line.append(f"  {stage.done}/{stage.total}", ink(colour))
        line.append(f" {_seconds(stage.seconds(now))}", ink("text-muted"))
    else:
        line.append("  not needed", ink("text-muted"))
    return line.append(f"  from {text.clean(stage.planned.base[:200])}", ink("text-secondary"))


def step_line(step: Step, stage: str, now: float, ink: Ink) -> Text:
    """A step. ``stage`` is the name of its stage, which is shown while the step waits."""
    mark, colour = MARKS[step.state]
    took = "CACHED" if step.state is State.CACHED else _seconds(step.seconds(now))
    line = Text().append(f" {mark} ", ink(colour))
    line.append(f"{took:>7}  ", ink("accent" if step.state is State.CACHED else "text-muted"))
    if step.state is State.WAITING and stage:
        line.append(f"[{stage}] ", ink("text-muted"))
    line.append(step.name, ink("text-muted") if step.state is State.WAITING else "")
    if step.status:
        line.append(f"  {step.status}", ink("accent"))
    return line


def file_line(build: Build, number: int, state: State | None, step: Step | None, ink: Ink) -> Text:
    """A line of the Dockerfile, counted from 1. ``state`` is that of the step which begins there, ``step`` the one under the cursor."""
    first, last = build.fault
    failed = first <= number <= last
    mark, colour = MARKS[state] if state else (" ", "text-muted")
    if failed:
        mark, colour = "✗", "error"
    at_step = step is not None and step.lines[0] <= number <= step.lines[1]
    line = Text().append(f"{number:>4} ", ink("primary" if at_step else "text-muted"))
    line.append(f"{mark} ", ink(colour))
    return line.append(clean_line(build.source[number - 1]), f"bold {ink('error')}" if failed else "")


def fault_line(build: Build, ink: Ink) -> Text:
    """The error of a build, beneath the line of the Dockerfile that it is about."""
    error = next((step.error for step in build.steps if step.error), "") or build.error
    return Text().append(f"       ╰─ {error}", f"bold {ink('error')}")


def _seconds(seconds: float) -> str:
    if not seconds:
        return ""
    return f"{seconds:.1f}s" if seconds < 60 else f"{int(seconds) // 60}m{int(seconds) % 60:02}s"
