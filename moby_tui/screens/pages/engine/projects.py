"""The page of the compose projects: services in the order of their dependencies, their state, what differs from the file."""

from __future__ import annotations

import asyncio
import os
import platform
import shlex
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import DataTable, Static

from moby_tui.api.client.protocol import Client
from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerSummary
from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.dialogs.confirm import Notice
from moby_tui.screens.onboarding.composing import up_line
from moby_tui.screens.pages.page import Page, Question
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.projects import carrying, compose_file, steps
from moby_tui.screens.projects.drift import Difference, differences, outdated, within
from moby_tui.screens.projects.model import Project, Service, group, tree
from moby_tui.screens.session.session import TROUBLE, Connection
from moby_tui.screens.widgets.facts_table import Cell, FactsTable

#: A burst of events is answered with one look; seconds.
GATHER = 0.3
#: Lines of what docker compose says that are shown if it fails.
MOST_SAID = 12


@dataclass(frozen=True, slots=True)
class Line:
    """A row: a project (``service`` None), or one of its services."""

    project: Project
    service: Service | None = None

    @property
    def id(self) -> str:
        return self.service.key if self.service else self.project.name

    @property
    def name(self) -> str:
        return self.service.name if self.service else f"the project {self.project.name}"

    @property
    def services(self) -> tuple[Service, ...]:
        return (self.service,) if self.service else ()


def _rests(line: Line) -> bool:
    return bool(steps.starting(line.project, line.services))


def _runs(line: Line) -> bool:
    return bool(steps.stopping(line.project, line.services))


class ProjectsPage(Page):
    """Actions on a project act on all its services, each after those that it depends on; to stop, the other way round."""

    mode = "projects"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="project.start",
            title="Start",
            keys="s",
            tooltip="Start it, after what it depends on",
            on=On.ROW,
            when=_rests,
            changes=True,
        ),
        Action(
            id="project.stop",
            title="Stop",
            keys="x",
            tooltip="Stop it; what depends on others goes first (asks first)",
            on=On.ROW,
            when=_runs,
            changes=True,
        ),
        Action(
            id="project.restart",
            title="Restart",
            keys="r",
            tooltip="Stop it, and start it in the order of the dependencies (asks first)",
            on=On.ROW,
            when=_runs,
            changes=True,
        ),
        Action(
            id="project.recreate",
            title="Recreate",
            keys="R",
            tooltip="Make its containers anew, of the compose file if it can be read here, else of their own settings (asks first)",
            on=On.ROW,
            changes=True,
            destroys=True,
        ),
        Action(id="project.logs", title="Logs", keys="l", tooltip="The logs of all its containers in one stream", on=On.ROW),
        Action(id="project.open", title="Containers", keys="enter,o", key_display="o", tooltip="Show its containers", on=On.ROW),
        Action(id="project.back", title="Back", keys="escape", footer=False, tooltip="Back to the list"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._lines: list[Line] = []
        self._created: dict[str, int] = {}
        self._pending: Timer | None = None

    def content(self) -> Iterable[Widget]:
        columns = (("PROJECT, SERVICE", 30), ("STATE", 16), ("IMAGE", 28), ("WAITS FOR", 0))
        empty = "no compose project has containers here"
        yield Vertical(FactsTable(columns, empty=empty, id="projects"), id="list")
        yield VerticalScroll(Static(id="project", markup=False), id="detail")

    def on_mount(self) -> None:
        self.query_one("#list").border_title = "Projects"
        self.session.event_received.subscribe(self, self._event)
        self.session.connection_changed.subscribe(self, self._connected)
        self.session.images.changed.subscribe(self, lambda _: self._tell() if self.is_current else None)
        self.query_one(FactsTable).focus()

    def on_screen_resume(self) -> None:
        self._look()

    def _connected(self, connection: Connection) -> None:
        if connection.up and self.is_current:
            self._look()

    def _event(self, event: Event) -> None:
        if event.type == "container" and not event.action.startswith("exec_") and self.is_current and self._pending is None:
            self._pending = self.set_timer(GATHER, self._look)

    def _look(self) -> None:
        self._pending = None
        self._fetch()

    @work(group="look", exclusive=True)
    async def _fetch(self) -> None:
        if not self.session.connection.up:
            return
        try:
            rows: list[ContainerSummary] = await self.session.client.containers.list(
                all=True, filters={"label": ["com.docker.compose.project"]}
            )
        except TROUBLE as error:
            self.query_one("#list").border_subtitle = Content(text.clean(str(error)))
            return
        self._created = {row.id: row.created for row in rows}
        projects = group(rows)
        self._lines = [
            line for project in projects for line in (Line(project), *(Line(project, one) for one in project.services))
        ]
        self.query_one(FactsTable).show([_row(line) for line in self._lines], [line.id for line in self._lines])
        self.query_one("#list").border_subtitle = f"{len(projects)}" if projects else ""
        self._tell()

    async def arrive(self, words: Sequence[str]) -> None:
        """A project's name, perhaps with a service's, puts the cursor there."""
        keys = [line.id for line in self._lines]
        if (wanted := "/".join(words)) in keys:
            self.query_one(FactsTable).move_cursor(row=keys.index(wanted))

    @property
    def chosen(self) -> Line | None:
        key = self.query_one(FactsTable).chosen
        return next((line for line in self._lines if line.id == key), None)

    def targets(self) -> Sequence[Line]:
        return [self.chosen] if self.chosen else []

    @on(DataTable.RowHighlighted)
    def _highlighted(self) -> None:
        self._tell()

    @work(group="tell", exclusive=True)
    async def _tell(self) -> None:
        """The dependencies and the drift of the project under the cursor."""
        line, view = self.chosen, self.query_one("#project", Static)
        self.refresh_bindings()
        self.set_class(line is None, "-nothing")
        self.query_one("#detail").border_title = Content(line.project.name) if line else ""
        if line is None:
            view.update("")
            return
        project = line.project
        description = Text.assemble(("Depends on\n", "bold"), "\n".join(tree(project)), "\n\n", ("Files\n", "bold"))
        description.append("\n".join(map(text.clean, project.files)) or "not known")
        drift = await self._drift(project)
        view.update(Text.assemble(description, "\n\n", ("What differs from them\n", "bold"), "\n".join(drift)))

    async def _drift(self, project: Project) -> list[str]:
        self.session.images.want()
        images = {tag: one.id for one in self.session.images.model.rows() for tag in one.tags}
        moved = outdated(project, images)
        try:
            wish = await self._wish(project)
        except (OSError, ValueError) as error:
            return [f"not compared: {_reason(error)}", *_lines([*within(project), *moved])]
        return _lines([*differences(project, wish, self._created), *moved]) or ["nothing"]

    async def _wish(self, project: Project) -> compose_file.Wish:
        """What the files say. Raises ``OSError``, and ``ValueError`` if they are of another machine or not what they should be."""
        host = self.session.connection.host
        if host != platform.node():
            raise ValueError(f"the files are on {host}, where the engine runs")
        if not project.files:
            raise ValueError("its containers do not tell their files")
        return await asyncio.to_thread(compose_file.read, project.files)

    # Actions

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        if line := self.chosen:
            names = [line.service.members[0].name] if line.service and len(line.service.members) == 1 else [line.project.name]
            self.workspace.guide.go("containers", *names)

    def action_logs(self) -> None:
        if line := self.chosen:
            labels = [f"label:com.docker.compose.project={line.project.name}"]
            labels += [f"label:com.docker.compose.service={line.service.name}"] if line.service else []
            self.workspace.guide.go("logs", *labels)

    def action_start(self) -> None:
        self._carry("start", carrying.start, "started")

    def action_stop(self) -> None:
        self._carry("stop", carrying.stop, "stopped", self._question("Stop"))

    def action_restart(self) -> None:
        self._carry("restart", carrying.restart, "restarted", self._question("Restart"))

    @work(group="recreate", exclusive=True)
    async def action_recreate(self) -> None:
        """Of the compose file by docker's plug-in, where both are here; else of what the containers are made of. The question says which."""
        line = self.chosen
        if line is None:
            return
        services = line.services or line.project.services
        names = ", ".join(member.name for one in services for member in one.members)
        if reason := await self._not_of_files(line.project, services):
            consequence = (
                f"Of their own settings, as {reason}. New containers take the place of {names}, in this order, with the same names, "
                "labels, networks and volumes. What they wrote outside volumes is lost, their logs too. Each is kept until the new one "
                "has started."
            )
            self._carry("recreate", carrying.recreate, "made anew", Question("Recreate {rows}?", consequence))
            return
        words = _compose_words(line)
        consequence = (
            f"Of {', '.join(map(text.clean, line.project.files))}, by docker compose: what differs from it holds then. {names} are removed "
            "before the new ones start. What they wrote outside volumes is lost, their logs too."
        )
        then = partial(self._compose_up, line, words)
        self.ask("project.recreate", Question("Recreate {rows}?", consequence), then)

    async def _not_of_files(self, project: Project, services: Sequence[Service]) -> str:
        """Why containers are not made of the project's files; empty if they can be."""
        if missing := self.workspace.command_line.compose.missing():
            return text.clean(missing)
        try:
            wish = await self._wish(project)
        except (OSError, ValueError) as error:
            return _reason(error)
        if absent := [one.name for one in services if one.name not in wish.services]:
            return f"the file does not have {', '.join(absent)}"
        if unset := await asyncio.to_thread(compose_file.unset, wish, project.folder, os.environ):
            return f"the file needs {text.clean(', '.join(unset))}, which is not set here"
        return ""

    def _compose_up(self, line: Line, words: tuple[Sequence[str], Sequence[str]]) -> None:
        before, after = words
        files = line.project.files

        async def up() -> None:
            code, output = await self.workspace.command_line.compose.up(self.session.client, *files, before=before, after=after)
            if code:
                lines = [text.clean(one) for one in output.splitlines()[-MOST_SAID:]]
                self.app.push_screen(Notice(f"docker compose up: exit code {code}", "\n".join(lines)))
                raise MobyError(f"docker compose up has ended with exit code {code}")

        self.notify("docker compose up: it goes on in the background", markup=False)
        command = shlex.join(["moby", "compose", *up_line(files, before, after)])
        self.attempt("Recreate", up, f"{text.clean(line.name)} made anew of the file", command=command)

    def _carry(
        self,
        what: str,
        act: Callable[[Client, Project, Sequence[Service]], Awaitable[None]],
        done: str,
        question: Question | None = None,
    ) -> None:
        def each(line: Line) -> Awaitable[None]:
            return act(self.session.client, line.project, line.services)

        self.perform(f"project.{what}", each, done=done, question=question)

    def _question(self, verb: str) -> Question:
        line = self.chosen
        names = [member.name for step in steps.stopping(line.project, line.services) for member in step] if line else []
        return Question(f"{verb} {{rows}}?", f"In this order: {', '.join(names)}.")

    def action_back(self) -> None:
        self.query_one(FactsTable).focus()


def _row(line: Line) -> list[Cell]:
    service = line.service
    if service is None:
        return [
            (line.project.name, "strong"),
            _state(line.project.running, line.project.count, False),
            "",
            (text.clean(line.project.folder), "faint"),
        ]
    sick = any(one.is_unhealthy for one in service.members)
    needs = ", ".join(f"{need.service} {need.condition}" for need in service.depends_on)
    images = ", ".join(sorted({one.image for one in service.members}))
    return [f"  {service.name}", _state(service.running, len(service.members), sick), (images, "faint"), (needs, "faint")]


def _state(running: int, count: int, sick: bool) -> Cell:
    cell = f"{running}/{count} running"
    if sick:
        return f"{running}/{count} unhealthy", "bad"
    return cell, "good" if running == count else "warn" if running else "faint"


def _reason(error: Exception) -> str:
    return text.clean(f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error))


def _compose_words(line: Line) -> tuple[Sequence[str], Sequence[str]]:
    """What stands before the files and behind ``up -d``: a service alone leaves what it depends on as it is."""
    folder = ("--project-directory", line.project.folder) if line.project.folder else ()
    alone = ("--no-deps", line.service.name) if line.service else ()
    return ("-p", line.project.name, *folder), ("--force-recreate", *alone)


def _lines(found: Sequence[Difference]) -> list[str]:
    return [f"{one.service}: {one.what}" if one.service else one.what for one in found]
