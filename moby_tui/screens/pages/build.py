"""The page of the builds: their stages, steps and output as they come, and the Dockerfile with the line at which one has failed."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from functools import partial

from rich.text import Text
from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker

from moby_tui.schema.event import Event
from moby_tui.schema.image import BuildPlan
from moby_tui.screens import text
from moby_tui.screens.building import rails
from moby_tui.screens.building.build import Build, StageNow, State, Step
from moby_tui.screens.building.builds import Builds
from moby_tui.screens.building.draft import FIELDS, draft, line, read, tell, words
from moby_tui.screens.building.request import BuildRequest, Sent
from moby_tui.screens.dialogs.command_form import CommandForm
from moby_tui.screens.dialogs.form import Field
from moby_tui.screens.pages.actions.build import BUILD_ACTIONS
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.palette import ink
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.session.trouble import TROUBLE
from moby_tui.screens.widgets.lines.build_lines import build_line, fault_line, file_line, stage_line, step_line
from moby_tui.screens.widgets.lines.lines_view import LinesView
from moby_tui.screens.widgets.lines.searched_log import SearchedLog
from moby_tui.screens.widgets.log_stream import LogStream

#: What comes within this time is drawn at once; seconds.
GATHER = 0.1
#: The largest Dockerfile that is read here, as in the engine.
MOST_BYTES = 4 << 20
#: Builds for which the list has room.
MOST_ROWS = 5
_NO_STAGES = "this engine tells the steps alone: a moby daemon tells the stages, too"
_TAG = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


class BuildPage(Page):
    """A build goes on while one is on other pages; it ends with the dashboard."""

    mode = "build"
    noun = "build"
    ACTIONS = BUILD_ACTIONS

    @classmethod
    def parts(cls) -> tuple[type[Widget], ...]:
        return (SearchedLog, LogStream)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self.builds = Builds()
        self._requests: dict[str, BuildRequest] = {}
        self._workers: dict[str, Worker[None]] = {}
        self._pending: Timer | None = None
        self._shown: Build | None = None
        self._step: Step | None = None
        #: the cursor goes with the step that runs
        self._follows = True
        self._stages: list[StageNow] = []
        self._planned: BuildPlan | None = None
        self._rails: list[rails.Row] = []
        #: of each line of the file's view its number in the file, from 1 on; 0 for the error beneath the line it is about
        self._file: list[int] = []
        self._marks: dict[int, State] = {}

    def content(self) -> Iterable[Widget]:
        none = "none yet · n builds a folder with a Dockerfile"
        yield Vertical(LinesView(self._build_line, empty=none, id="builds"), id="list")
        stages = Vertical(LinesView(self._stage_line, id="stages"), id="build-stages", classes="part")
        steps = Vertical(LinesView(self._step_line, id="steps"), id="build-steps", classes="part")
        file = Vertical(LinesView(self._file_line, id="file"), id="build-file", classes="part")
        log = Vertical(id="build-log", classes="part")
        parts = Horizontal(Vertical(stages, steps, id="build-left"), file, id="build-parts")
        yield Vertical(Static(id="build-error", markup=False), parts, log, id="detail")

    def on_mount(self) -> None:
        titles = {"list": "Builds", "build-stages": "Stages", "build-steps": "Steps", "build-file": "Dockerfile"}
        for part, title in titles.items():
            self.query_one(f"#{part}").border_title = title
        self.set_interval(1.0, self._tick)
        self.app.theme_changed_signal.subscribe(self, lambda _: self._draw())
        for event in self.session.events:
            self._take_event(event)
        self.session.event_received.subscribe(self, self._take_event)
        self._view("builds").focus()
        self._draw()

    def _take_event(self, event: Event) -> None:
        if event.type == "builder" and self.builds.take_event(event):
            self._came()

    def on_screen_resume(self) -> None:
        self._draw()

    def _view(self, name: str) -> LinesView:
        return self.query_one(f"#{name}", LinesView)

    # Rows

    @property
    def chosen(self) -> Build | None:
        cursor = self._view("builds").cursor
        return list(self.builds)[cursor] if 0 <= cursor < len(self.builds) else None

    def targets(self) -> Sequence[Build]:
        return [self.chosen] if self.is_mounted and self.chosen else []

    def row(self) -> str:
        return self.chosen.id if self.chosen else ""

    def return_to(self, row: str) -> None:
        self._go_to_build(row)

    def _go_to_build(self, identifier: str) -> None:
        place = next((place for place, build in enumerate(self.builds) if build.id == identifier), None)
        if place is not None:
            self._view("builds").go_to(place)
            self._draw()

    async def arrive(self, words: Sequence[str]) -> None:
        """A folder opens the form for it."""
        if words and not self.session.read_only:
            self._open_form({"folder": words[0], "tags": _tag_of(words[0])})

    # What is shown

    def _came(self) -> None:
        if self.is_current and self._pending is None:
            self._pending = self.set_timer(GATHER, self._draw)

    def _tick(self) -> None:
        """Draws the times of builds and steps that run anew, once a second."""
        if self.is_current and self.builds.running:
            for name in ("builds", "steps", "stages"):
                self._view(name).refresh()

    def _draw(self) -> None:
        self._pending = None
        builds = self._view("builds")
        builds.show(len(self.builds))
        self.set_class(not self.builds, "-nothing")
        # on a low screen the list has a line above alone, and one row
        room = 2 if self.has_class("-low") else min(max(len(self.builds), 1), MOST_ROWS) + 2
        self.query_one("#list").styles.height = room if self.builds else "1fr"
        build = self.chosen
        if build is not self._shown:
            self._shown, self._follows = build, True
        self._draw_stages(build)
        self._draw_steps(build)
        self._draw_file(build)
        self._draw_log()
        error = build.error if build else ""
        self.query_one("#build-error", Static).update(error)
        self.set_class(bool(error), "-failed")
        self.refresh_bindings()

    def _draw_stages(self, build: Build | None) -> None:
        self._stages = list(build.stages()) if build else []
        plan = build.plan if build else None
        if plan is not self._planned:
            self._planned = plan
            self._rails = rails.draw([stage.needs for stage in plan.stages]) if plan else []
        self.set_class(len(self._stages) < 2, "-one-stage")
        has_steps = build is not None and build.plan is None and bool(build.steps)
        self._view("stages").show(len(self._stages), empty=_NO_STAGES if has_steps else "")

    def _draw_steps(self, build: Build | None) -> None:
        view, steps = self._view("steps"), build.steps if build else []
        view.show(len(steps), empty=_without_steps(build))
        place = _at_work(steps) if self._follows else steps.index(self._step) if self._step in steps else None
        if place is not None:
            view.go_to(place)
        self._step = steps[view.cursor] if 0 <= view.cursor < len(steps) else None
        done, total, cached = build.counts if build else (0, 0, 0)
        subtitle = f"{done} of {total}{f' · {cached} cached' if cached else ''}" if total else ""
        self.query_one("#build-steps").border_subtitle = subtitle

    def _draw_file(self, build: Build | None) -> None:
        view = self._view("file")
        source, fault = (build.source, build.fault) if build else ([], (0, 0))
        self._marks = {step.lines[0]: step.state for step in build.steps if step.lines[0]} if build else {}
        self._file = list(range(1, len(source) + 1))
        if 0 < fault[1] <= len(source):
            self._file.insert(fault[1], 0)
        view.show(len(self._file), empty="" if build is None or build.running else "the Dockerfile is not known here")
        at = self._step.lines[0] if self._step and self._step.lines[0] else fault[0]
        if at in self._file and not view.has_focus:
            view.go_to(self._file.index(at), middle=True)
        name = build.plan.dockerfile if build and build.plan else "Dockerfile"
        self.query_one("#build-file").border_title = Content(text.clean(name) or "Dockerfile")

    def _draw_log(self) -> None:
        step = self._step
        self.query_one("#build-log").border_title = Content(step.name if step else "Log")
        logs = self.query("#build-log SearchedLog").results(SearchedLog)
        log = next(iter(logs), None)
        if step is None or log is None or log.store is not step.log:
            self._turn_log(step)
        else:
            log.refill()

    @work(group="log", exclusive=True)
    async def _turn_log(self, step: Step | None) -> None:
        """Puts the output of another step in the place of the one before."""
        panel = self.query_one("#build-log")
        focused = panel.has_focus_within
        await panel.remove_children()
        if step is None:
            return
        log = SearchedLog(step.log, dict, empty="no output", id="build-stream")
        await panel.mount(log)
        # another step may have taken its place meanwhile
        log.refill()
        if focused:
            log.focus_lines()

    def _build_line(self, number: int) -> Text:
        return build_line(list(self.builds)[number], time.time(), self._ink)

    def _stage_line(self, number: int) -> Text:
        return stage_line(self._stages[number], self._rails[number], time.time(), self._ink)

    def _step_line(self, number: int) -> Text:
        step = self._shown.steps[number] if self._shown and number < len(self._shown.steps) else Step("")
        stage = self._stages[step.stage].name if step.stage is not None and len(self._stages) > 1 else ""
        return step_line(step, stage, time.time(), self._ink)

    def _file_line(self, place: int) -> Text:
        build, number = self._shown, self._file[place]
        if build is None:
            return Text("")
        return (
            fault_line(build, self._ink)
            if number == 0
            else file_line(build, number, self._marks.get(number), self._step, self._ink)
        )

    def _ink(self, name: str) -> str:
        return ink(self.app.theme_variables, name)

    @on(LinesView.Moved, "#builds")
    def _build_moved(self) -> None:
        self._draw()

    @on(LinesView.Moved, "#steps")
    def _step_moved(self) -> None:
        view, steps = self._view("steps"), self._shown.steps if self._shown else []
        self._step = steps[view.cursor] if 0 <= view.cursor < len(steps) else None
        self._follows = self._step is not None and self._step.state is State.RUNNING
        self._draw_file(self._shown)
        self._draw_log()

    @on(LinesView.Moved, "#stages")
    def _stage_moved(self) -> None:
        """The steps go to the first one of the stage."""
        number = self._view("stages").cursor
        steps = self._shown.steps if self._shown else []
        place = next((place for place, step in enumerate(steps) if step.stage == number), None)
        if place is not None:
            self._view("steps").go_to(place)
            self._step_moved()

    @on(LinesView.Moved, "#file")
    def _file_moved(self) -> None:
        """The steps go to the one of the line."""
        number = self._file[self._view("file").cursor]
        steps = self._shown.steps if self._shown else []
        place = next((place for place, step in enumerate(steps) if step.lines[0] <= number <= step.lines[1]), None)
        if number and place is not None:
            self._view("steps").go_to(place)
            self._step_moved()

    @on(LinesView.Entered, "#builds")
    def _build_entered(self) -> None:
        self.action_steps()

    @on(LinesView.Entered, "#steps")
    @on(LinesView.Entered, "#file")
    def _step_entered(self) -> None:
        self.action_log()

    @on(LinesView.Entered, "#stages")
    def _stage_entered(self) -> None:
        self.action_steps()

    def _turn(self, part: str) -> None:
        """On a narrow or low screen one part has the room."""
        self.remove_class("-show-file", "-show-stages", "-show-log")
        if part != "steps":
            self.add_class(f"-show-{part}")

    def action_steps(self) -> None:
        self._turn("steps")
        self._view("steps").focus()

    def action_stages(self) -> None:
        if self.has_class("-one-stage"):
            self.notify("there are no stages beside this one" if self._stages else _NO_STAGES, markup=False)
            return
        self._turn("stages")
        self._view("stages").focus()

    def action_file(self) -> None:
        self._turn("file")
        self._view("file").focus()

    def action_log(self) -> None:
        if self.has_class("-low"):
            self._turn("log")
        for stream in self.query("#build-log LogStream"):
            stream.focus()

    def action_back(self) -> None:
        self._turn("steps")
        self._view("builds").focus()

    # Actions

    def action_new(self) -> None:
        here = os.getcwd()
        folder = here if os.path.isfile(os.path.join(here, "Dockerfile")) else ""
        self._open_form({"folder": folder, "tags": _tag_of(folder)})

    def action_change(self) -> None:
        if build := self.chosen:
            self._open_form(draft(build.words))

    def _open_form(self, filled: dict[str, str]) -> None:
        reader = self.workspace.command_line.read_build
        fields = [Field(one.id, one.label, filled.get(one.id, ""), one.hint, switch=one.switch, path=one.path) for one in FIELDS]

        def answered(written: dict[str, str] | None) -> None:
            if written is not None:
                self._begin(words(written), read(written, reader))

        self.app.push_screen(CommandForm("Build an image", "Build", fields, partial(tell, reader=reader)), answered)

    def action_again(self) -> None:
        if build := self.chosen:
            self._begin(build.words, self._requests[build.id])

    def _begin(self, asked: list[str], request: BuildRequest) -> None:
        build = Build(os.urandom(16).hex(), ", ".join(request.tags) or request.where, asked, time.time(), request.where)
        self.builds.add(build)
        self._requests[build.id] = request
        self._workers[build.id] = self._hold(build, request)
        self._go_to_build(build.id)
        self._view("steps").focus()

    @work(group="builds")
    async def _hold(self, build: Build, request: BuildRequest) -> None:
        """Follows a build to its end."""
        deed = self.session.begin("Build", line(build.words))
        outcome, detail = Outcome.FAILED, "cancelled"
        try:
            await self._follow(build, request)
            build.finish(time.time())
            outcome, detail = Outcome.DONE, ""
        except TROUBLE as error:
            detail = text.clean(str(error))
            build.fail(detail, time.time())
        except asyncio.CancelledError:
            build.cancel(time.time())
            raise
        finally:
            self._workers.pop(build.id, None)
            self.session.end(deed, outcome, detail)
            if self.is_attached:
                self._ended(build)

    async def _follow(self, build: Build, request: BuildRequest) -> None:
        sent = await asyncio.to_thread(request.open)
        sent.options.id = build.id
        build.read_local(await asyncio.to_thread(_local_file, request.where, sent))
        progress = self.session.client.builder.build(sent.context, sent.options, sent.uploads)
        async with aclosing(progress) as lines:  # type: ignore[type-var]
            async for one in lines:
                build.take(one, time.time())
                self.builds.trim()
                self._came()

    def _ended(self, build: Build) -> None:
        if self.is_current:
            self._came()
            if build is self._shown and build.fault != (0, 0):
                self._turn("file")
            return
        failed = build.state is State.FAILED
        message = build.error if failed else f"{build.title}: {build.state.value}"
        self.notify(message, title="Build failed" if failed else "", severity="error" if failed else "information", markup=False)

    def action_cancel(self) -> None:
        if (build := self.chosen) and (worker := self._workers.get(build.id)):
            worker.cancel()

    def action_copy_command(self) -> None:
        if build := self.chosen:
            self.app.copy_to_clipboard(line(build.words))
            self.notify(line(build.words), title="Copied", markup=False)

    def action_image(self) -> None:
        if build := self.chosen:
            self.workspace.guide.go("images", text.short_id(build.image))


def _without_steps(build: Build | None) -> str:
    if build is None:
        return ""
    if not build.words:
        return "the engine tells the steps to the one who has asked for the build"
    return "waiting for the engine …" if build.running else "no step was begun"


def _at_work(steps: Sequence[Step]) -> int | None:
    """The step that has failed, else the one that runs, else the last that has ended."""
    for state in (State.FAILED, State.RUNNING):
        for place, step in enumerate(steps):
            if step.state is state:
                return place
    ended = [place for place, step in enumerate(steps) if step.ended]
    return max(ended, key=lambda place: steps[place].ended, default=None)


def _tag_of(folder: str) -> str:
    """The folder's name, if it can be a tag."""
    name = os.path.basename(folder.rstrip("/")).lower()
    return name if _TAG.fullmatch(name) else ""


def _local_file(where: str, sent: Sent) -> bytes:
    """The Dockerfile of a folder here; nothing if it is elsewhere. Blocks."""
    if sent.options.dockerfile_text is not None:
        return sent.options.dockerfile_text
    try:
        with open(os.path.join(where, sent.options.dockerfile), "rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return b""
