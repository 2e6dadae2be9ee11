"""The machine that the dashboard runs on: cores, memory, disks and pressure."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.containers import Grid, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from moby_tui.screens import text
from moby_tui.screens.actions.action import Action
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.history import LENGTH
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.usage.machine import Machine, Pressure, busy, look
from moby_tui.screens.widgets.plot import Plot

#: A look takes about a millisecond, and is taken only while the page is seen; seconds.
EVERY = 2.0
_BAR, _SHORT_BAR = 24, 12
_NAMES = {"cpu": "processor", "memory": "memory", "io": "disk"}


class MachinePage(Page):
    """Reads /proc of this machine. An engine elsewhere has another, which no engine tells of."""

    mode = "machine"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="machine.now", title="Look now", keys="r", tooltip="Look at the machine now"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._last: Machine | None = None
        self._cpu: deque[float] = deque(maxlen=LENGTH)
        self._memory: deque[float] = deque(maxlen=LENGTH)
        self._times: deque[float] = deque(maxlen=LENGTH)
        self._paths = ["/"]
        self._remote = ""
        self._seen = asyncio.Event()

    def content(self) -> Iterable[Widget]:
        yield Vertical(
            Grid(
                Plot("CPU", text.percent, floor=10.0, id="machine-cpu"),
                Plot("MEMORY", text.size, floor=1024.0**3, id="machine-memory"),
                id="machine-plots",
            ),
            VerticalScroll(Static("", id="machine-text"), id="machine-facts"),
            id="list",
        )

    def on_mount(self) -> None:
        self.query_one("#list").border_title = "Machine"
        self.query_one("#machine-facts").focus()
        self._follow()

    def on_screen_suspend(self) -> None:
        self._seen.clear()

    def on_screen_resume(self) -> None:
        self._seen.set()

    @work(group="machine", exclusive=True)
    async def _follow(self) -> None:
        while True:
            await self._seen.wait()
            await self._place_engine()
            self._look()
            await asyncio.sleep(EVERY)

    def action_now(self) -> None:
        self._look()

    async def _place_engine(self) -> None:
        """Whether the engine is on this machine; then its data root's disk is one of those that are shown."""
        if len(self._paths) > 1 or self._remote or not self.session.connection.up:
            return
        try:
            info = await self.session.client.system.info()
        except TROUBLE:
            return
        if info.name and info.name != os.uname().nodename:
            self._remote = text.clean(info.name)
        else:
            self._paths = ["/", info.docker_root_dir or "/"]

    def _look(self) -> None:
        machine = look(self._paths)
        share, each = busy(self._last.cores, machine.cores) if self._last else (0.0, [0.0] * len(machine.cores.each))
        first, self._last = self._last is None, machine
        if not first:
            self._cpu.append(share)
            self._memory.append(float(machine.memory_used))
            self._times.append(time.monotonic())
        load = " ".join(f"{one:.2f}" for one in machine.load)
        missing = "" if machine.memory else "this machine has no /proc to read"
        self.query_one("#machine-cpu", Plot).show(
            list(self._cpu), f"of {len(machine.cores.each)} cores · load {load}" if load else "", list(self._times), missing
        )
        self.query_one("#machine-memory", Plot).show(
            list(self._memory), f"of {text.size(machine.memory_total)}", list(self._times), missing
        )
        self.query_one("#machine-text", Static).update(self._facts(machine, each))
        where = (
            f"this dashboard's machine, {os.uname().nodename} · the engine is on {self._remote}"
            if self._remote
            else os.uname().nodename
        )
        panel = self.query_one("#list")
        panel.border_title = Text(f"Machine · {where}")
        panel.border_subtitle = f"up {text.age(machine.uptime)}"

    @property
    def _bar(self) -> int:
        """The cells of a bar: as many as leave room for the figures beside it."""
        return _BAR if self.size.width >= 70 else _SHORT_BAR

    def _facts(self, machine: Machine, each: list[float]) -> Text:
        facts = Text()
        columns = max((self.size.width - 6) // (self._bar + 16), 1)
        self._title(facts, "Cores")
        for number, share in enumerate(each):
            facts.append(f"{number:>3} ").append_text(_bar(share / 100, self._bar)).append(f" {text.percent(share):>6}")
            facts.append("\n" if number % columns == columns - 1 or number == len(each) - 1 else "    ")
        self._title(facts, "Memory")
        cached = machine.memory.get("Cached", 0) + machine.memory.get("SReclaimable", 0)
        swap = machine.memory.get("SwapTotal", 0)
        self._share(facts, "used", machine.memory_used, machine.memory_total)
        self._share(facts, "cache", cached, machine.memory_total)
        if swap:
            self._share(facts, "swap", machine.swap_used, swap)
        self._title(facts, "Disks")
        for disk in machine.disks:
            self._share(facts, disk.path, disk.used, disk.total)
        self._title(facts, "Pressure: share of time in which tasks waited, over 10 s, 1 min, 5 min")
        if not machine.pressure:
            facts.append("  this kernel does not tell (CONFIG_PSI, or psi=1 on its command line)\n", "dim")
        for name, pressure in machine.pressure.items():
            facts.append(f"  {_NAMES[name]:<10}").append_text(_pressed(pressure)).append("\n")
        return facts

    def _title(self, facts: Text, title: str) -> None:
        facts.append("\n" if len(facts) else "").append(f"{title}\n", "bold")

    def _share(self, facts: Text, name: str, used: float, total: float) -> None:
        share = used / total if total else 0.0
        facts.append(f"  {name:<10.30} ").append_text(_bar(share, self._bar))
        facts.append(f" {text.percent(share * 100):>6}  {text.size(used)} of {text.size(total)}\n")


def _bar(share: float, cells: int) -> Text:
    filled = round(min(max(share, 0.0), 1.0) * cells)
    colour = "red" if share >= 0.9 else "yellow" if share >= 0.75 else "green"
    return Text.assemble(("━" * filled, colour), ("━" * (cells - filled), "dim"))


def _pressed(pressure: Pressure) -> Text:
    description = Text()
    for kind, values in (("some", pressure.some), ("all", pressure.full)):
        if values is not None:
            description.append(f"{kind} ", "dim")
            for value in values:
                description.append(f"{value:6.2f}%", "red" if value >= 20 else "yellow" if value >= 5 else "")
            description.append("    ")
    return description
