"""The page of the engine itself: the use of its disk, prunes with what goes, what its host has and lacks, versions and settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import TabbedContent, TabPane

from moby_tui.schema.base import to_builtins
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.shared.pruning import PruningPage, disk_size
from moby_tui.screens.session.session import TROUBLE, Connection
from moby_tui.screens.upkeep.disk import parts, shares
from moby_tui.screens.upkeep.prune import PRUNES, Prune
from moby_tui.screens.widgets.facts_table import Cell, FactsTable
from moby_tui.screens.widgets.inspect_view import InspectView

_DISK = (("", 22), ("COUNT", 5), ("IN USE", 6), ("SIZE", 9), ("RECLAIMABLE", 11), ("", 0))
_PRUNES = (("PRUNE", 42), ("THE SAME AS", 28), ("", 0))
_DOCTOR = (("", 7), ("ABOUT", 14), ("WHAT, AND WHAT TO DO", 0))
_TONES = {"ok": "good", "absent": "faint", "warning": "warn", "error": "bad"}


class SystemPage(PruningPage):
    """A tab is filled when it is opened: to count the disk takes the engine time."""

    mode = "system"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="system.disk", title="Disk", keys="d", call="tab('disk')", tooltip="What takes how much of the disk"),
        Action(id="system.prunes", title="Prunes", keys="p", call="tab('prunes')", tooltip="What can be taken away"),
        Action(
            id="system.doctor", title="Doctor", keys="o", call="tab('doctor')", tooltip="What the engine's host has and lacks"
        ),
        Action(id="system.info", title="Info", keys="i", call="tab('info')", tooltip="Settings and versions"),
        Action(
            id="system.prune",
            title="Prune",
            keys="enter",
            tooltip="Show what would go and how many bytes come back, then ask",
            on=On.ROW,
            changes=True,
            destroys=True,
        ),
        Action(id="system.again", title="Again", keys="r", tooltip="Look again"),
    )

    #: the part that was asked for by its name and is not on the screen yet
    _wanted = ""

    def content(self) -> Iterable[Widget]:
        yield Tabs(id="detail")

    def on_mount(self) -> None:
        self.query_one("#detail").border_title = "System"
        self.session.connection_changed.subscribe(self, self._connected)

    def _connected(self, connection: Connection) -> None:
        if connection.up and self.is_current:
            self._fill()

    async def arrive(self, words: Sequence[str]) -> None:
        """Shows the part that the word names: ``disk``, ``prunes``, ``doctor`` or ``info``."""
        if words[0] in ("disk", "prunes", "doctor", "info"):
            # at the first visit the tabs turn to the first of them at some moment after the page has been mounted
            self._wanted = words[0] if words[0] != self._active else ""
            self.call_after_refresh(self.action_tab, words[0])

    @property
    def _active(self) -> str:
        return self.query_one(TabbedContent).active

    @on(TabbedContent.TabActivated)
    def _activated(self) -> None:
        if self._wanted not in ("", self._active):
            self.action_tab(self._wanted)
            return
        self._wanted = ""
        self._fill()
        self.refresh_bindings()
        shown = self.query(f"#{self._active} FactsTable, #{self._active} InspectView")
        if shown:
            shown.first().focus()

    def _refuse(self, reason: str) -> None:
        """Says why there is nothing to see; in the table itself, if the part has one that is empty."""
        tables = [table for table in self.query(f"#{self._active}-facts").results(FactsTable) if not table.has_facts]
        for table in tables:
            table.say(reason, "warn")
        self.query_one("#detail").border_subtitle = "" if tables else Content(reason)

    @work(group="fill", exclusive=True)
    async def _fill(self) -> None:
        """Asks the engine for what the part on the screen shows, and draws it."""
        if not self.session.connection.up:
            return
        fill = {"disk": self._disk, "prunes": self._show_prunes, "doctor": self._doctor, "info": self._info}.get(self._active)
        if fill is None:
            return
        panel = self.query_one("#detail")
        panel.border_subtitle = "looking …"
        try:
            await fill()
        except TROUBLE as error:
            self._refuse(text.clean(str(error)))
            return
        panel.border_subtitle = ""

    async def _disk(self) -> None:
        usage = await self.session.client.system.disk_usage()
        rows: list[list[Cell]] = [
            [
                (one.title, "strong"),
                str(one.count),
                str(one.used),
                disk_size(one.size),
                (disk_size(one.reclaimable), "good" if one.reclaimable else "faint"),
                (
                    f"{disk_size(one.shared)} shared, {disk_size(one.size - one.shared)} of one image each" if one.shared else "",
                    "faint",
                ),
            ]
            for one in shares(usage)
        ]
        if disk_parts := parts(usage):
            whole = sum(size for _, size in disk_parts)
            rows.append([("Data root", "strong"), "", "", disk_size(whole), "", ("the sum of its parts, as du counts", "faint")])
            for name, size in disk_parts:
                bar = "█" * round(30 * size / whole) if whole else ""
                rows.append([f"  {name}", "", "", disk_size(size), "", (bar or "▏", "strong")])
        self.query_one("#disk-facts", FactsTable).show(rows)

    async def _show_prunes(self) -> None:
        rows = [[(one.title, "strong"), (one.command, "faint"), (one.consequence, "")] for one in PRUNES]
        self.query_one("#prune-facts", FactsTable).show(rows, [one.id for one in PRUNES])

    async def _doctor(self) -> None:
        rows: list[list[Cell]] = [
            [
                (text.clean(one.severity), _TONES.get(one.severity, "")),
                text.clean(one.about),
                (text.clean(f"{one.message}; {one.advice}" if one.advice else one.message), ""),
            ]
            for one in await self.session.client.system.examine()
        ]
        self.query_one("#doctor-facts", FactsTable).show(rows)

    async def _info(self) -> None:
        client = self.session.client
        version, info = await client.system.version(), await client.system.info()
        self.query_one(InspectView).show({"Version": to_builtins(version), "Info": to_builtins(info)})

    # Actions

    def action_tab(self, name: str) -> None:
        self.query_one(TabbedContent).active = name

    def action_again(self) -> None:
        self._fill()

    def targets(self) -> Sequence[Prune]:
        tables = self.query("#prune-facts")
        if not tables or self._active != "prunes":
            return []
        return [one for one in PRUNES if one.id == tables.first(FactsTable).chosen]

    @on(FactsTable.RowSelected, "#prune-facts")
    def _selected(self) -> None:
        if self.check_action("prune", ()):
            self.action_prune()

    def action_prune(self) -> None:
        for prune in self.targets():
            self.preview_prune(prune)

    def pruned(self) -> None:
        self._fill()


class Tabs(Vertical):
    """The parts of the page."""

    def compose(self) -> ComposeResult:
        with TabbedContent():
            with TabPane("Disk", id="disk"):
                yield FactsTable(_DISK, least=2, id="disk-facts")
            with TabPane("Prunes", id="prunes"):
                yield FactsTable(_PRUNES, id="prune-facts")
            with TabPane("Doctor", id="doctor"):
                yield FactsTable(_DOCTOR, empty="nothing to say", id="doctor-facts")
            with TabPane("Info", id="info"):
                yield InspectView(id="info-view")
