"""The page of the problems: what is wrong, since when, what it means and what to do; the last lines of the one under the cursor."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, Static

from moby_tui.schema.container import LogOptions
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.page import Page
from moby_tui.screens.problems.problem import Problem, Severity
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.facts_table import Cell, FactsTable

#: Lines of the log that are shown, and the longest of them; characters.
LINES, LONGEST = 12, 400
_SIGNS: dict[Severity, Cell] = {Severity.ERROR: ("●", "bad"), Severity.WARNING: ("●", "warn"), Severity.NOTICE: ("○", "faint")}
_NONE = (
    "No problem is known. Ends, restarts, health checks, lack of memory, images that moved, open ports and the engine's host are looked at "
    "while the dashboard runs."
)
#: Ages are drawn again this often; seconds.
AGES_EVERY = 15.0


def _in_container(problem: Problem) -> bool:
    return bool(problem.container)


class ProblemsPage(Page):
    """Errors first, then warnings, then notices, which are not counted in the top line."""

    mode = "problems"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="problem.open",
            title="Open",
            keys="enter,o",
            key_display="o",
            tooltip="Go to the container, or to the page of the host",
            on=On.ROW,
        ),
        Action(id="problem.logs", title="Logs", keys="l", tooltip="Show its log", on=On.ROW, when=_in_container),
        Action(
            id="problem.restart",
            title="Restart",
            keys="r",
            tooltip="Stop and start the container (asks first)",
            on=On.ROW,
            when=_in_container,
            command="moby restart {names}",
        ),
        Action(id="problem.mute", title="Mute", keys="m", tooltip="Hide it until it is another one", on=On.ROW),
        Action(id="problem.unmute", title="Unmute", keys="U", tooltip="Show again what was muted", footer=False),
        Action(
            id="problem.registries",
            title="Registries",
            keys="R",
            tooltip="Ask the registries of what runs whether they have newer images, every six hours; once more: no longer",
        ),
        Action(id="problem.back", title="Back", keys="escape", footer=False, tooltip="Back to the list"),
    )

    def content(self) -> Iterable[Widget]:
        columns = (("", 1), ("WHERE", 24), ("SINCE", 5), ("WHAT", 0))
        yield Vertical(FactsTable(columns, empty=_NONE, id="problems"), id="list")
        yield VerticalScroll(Static(id="problem", markup=False), id="detail")

    def on_mount(self) -> None:
        self.query_one("#list").border_title = "Problems"
        self.workspace.problems.changed.subscribe(self, lambda _: self._draw())
        self.set_interval(AGES_EVERY, self._draw)
        self.query_one(FactsTable).focus()
        self._draw()

    def on_screen_resume(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self.is_current:
            return
        problems, now = self.workspace.problems.problems, time.time()
        rows: list[list[Cell]] = [
            [
                _SIGNS[one.severity],
                (one.name, "strong"),
                (text.age(now - one.since) if one.since else "", "faint"),
                (one.title, "faint" if one.severity is Severity.NOTICE else ""),
            ]
            for one in problems
        ]
        self.query_one(FactsTable).show(rows, [one.key for one in problems])
        self.set_class(not problems, "-nothing")
        counts = [(severity.name.lower(), sum(one.severity is severity for one in problems)) for severity in Severity]
        muted = len(self.workspace.problems.muted)
        counts_text = [f"{count} {name}{'s' if count != 1 else ''}" for name, count in counts if count] + (
            [f"{muted} muted"] if muted else []
        )
        counts_text += ["registries are asked"] if self.workspace.problems.asks_registries else []
        self.query_one("#list").border_subtitle = " · ".join(counts_text)
        self._tell()

    @property
    def chosen(self) -> Problem | None:
        key = self.query_one(FactsTable).chosen
        return next((one for one in self.workspace.problems.problems if one.key == key), None)

    def targets(self) -> Sequence[Problem]:
        return [self.chosen] if self.chosen else []

    @on(DataTable.RowHighlighted)
    def _highlighted(self) -> None:
        self._tell()

    @work(group="tell", exclusive=True)
    async def _tell(self) -> None:
        """What there is to say of the problem under the cursor, then the last lines of its container."""
        problem, view, detail = self.chosen, self.query_one("#problem", Static), self.query_one("#detail")
        self.refresh_bindings()
        if problem is None:
            detail.border_title = "nothing selected"
            view.update("")
            return
        detail.border_title = Content(problem.name)
        description = Text.assemble((problem.title, "bold"), "\n")
        if problem.detail:
            description.append(f"{problem.detail}\n")
        description.append("What to do: ", "bold").append(f"{problem.advice}\n")
        view.update(description)
        if problem.container and problem.kind not in ("port", "drift", "outdated"):
            lines = await self._last_lines(problem.container)
            view.update(Text.assemble(description, "\n", ("Its last lines\n", "bold"), "\n".join(lines) or "none"))

    async def _last_lines(self, container: str) -> list[str]:
        lines: list[str] = []
        try:
            async for _, chunk in self.session.client.containers.logs(container, LogOptions(tail=LINES)):
                lines += chunk.decode(errors="replace").splitlines()
        except TROUBLE as error:
            return [f"no log: {text.clean(str(error))}"]
        return [text.clean(line)[:LONGEST] for line in lines[-LINES:]]

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        problem = self.chosen
        if problem is None:
            return
        if problem.kind == "port":
            self.workspace.guide.go("topology", problem.container)
        elif problem.kind == "registry":
            self.workspace.guide.go("images", problem.name)
        elif problem.container:
            self.workspace.guide.go("containers", problem.name)
        else:
            self.workspace.guide.go("system", "doctor")

    def action_logs(self) -> None:
        if problem := self.chosen:
            self.workspace.guide.go("logs", problem.name)

    def action_restart(self) -> None:
        if problem := self.chosen:
            self.attempt_confirmed(
                f"Restart {problem.name}?",
                "Its processes get the stop signal, then SIGKILL after the stop timeout; it starts again.",
                "Restart",
                lambda: self.session.client.containers.restart(problem.container),
                f"{problem.name} restarted",
            )

    def action_mute(self) -> None:
        if problem := self.chosen:
            self.workspace.problems.mute(problem)

    def action_unmute(self) -> None:
        self.workspace.problems.unmute_all()

    def action_registries(self) -> None:
        """The choice is remembered: a registry learns from the question which images run here."""
        asks = not self.workspace.problems.asks_registries
        self.workspace.problems.ask_registries(allowed=asks)
        self.workspace.guide.remember(lambda chosen: setattr(chosen, "asks_registries", asks))
        about = "are asked every six hours which image each name means" if asks else "are not asked any longer"
        self.notify(f"the registries of running containers' images {about}", timeout=6)
        self._draw()

    def action_back(self) -> None:
        self.query_one(FactsTable).focus()
