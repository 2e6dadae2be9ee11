"""The layers of an image on the screen: the instructions that made them, and beside it the files that one of them changed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import DataTable, Static

from moby_tui.screens import text
from moby_tui.screens.files.layers import Step
from moby_tui.screens.files.tree import FileTree
from moby_tui.screens.widgets.facts_table import Cell, FactsTable
from moby_tui.screens.widgets.files.tree import FileTreeView

_COLUMNS = (("#", 3), ("SIZE", 6), ("ADDS", 6), ("CHG", 5), ("DEL", 5), ("WASTE", 6), ("INSTRUCTION", 40))


class LayersView(Vertical):
    """``show`` the steps; ``LayerWanted`` asks for the files of one."""

    class LayerWanted(Message):
        """The files of this layer are wanted; None: of none, since the instruction made no layer."""

        def __init__(self, layer: int | None) -> None:
            super().__init__()
            self.layer = layer

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._steps: Sequence[Step] = ()

    def compose(self) -> ComposeResult:
        yield Static("", id="layer-summary", markup=False)
        yield Horizontal(
            FactsTable(_COLUMNS, empty="no history", id="layer-table"), FileTreeView(id="layer-tree", columns=1), id="layer-parts"
        )

    @property
    def files(self) -> FileTreeView:
        return self.query_one(FileTreeView)

    @property
    def chosen(self) -> int | None:
        """The layer that the instruction under the cursor has made."""
        key = self.query_one("#layer-table", FactsTable).chosen
        return self._steps[int(key)].layer if key and int(key) < len(self._steps) else None

    def say(self, summary: str) -> None:
        self.query_one("#layer-summary", Static).update(summary)

    def show(self, steps: Sequence[Step], summary: str) -> None:
        """The steps, oldest first."""
        self._steps = steps
        self.say(summary)
        keys = [str(number) for number in range(len(steps))]
        self.query_one("#layer-table", FactsTable).show([_cells(step) for step in steps], keys)
        self._want()

    def show_files(self, tree: FileTree | None, note: str = "") -> None:
        """The files of the layer under the cursor, or why there are none."""
        if tree is None:
            tree = FileTree()
            tree.note("/", note)
        self.files.show(tree)

    @on(DataTable.RowHighlighted, "#layer-table")
    def _highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._want()

    @on(DataTable.RowSelected, "#layer-table")
    def _selected(self, event: DataTable.RowSelected) -> None:
        """Enter on an instruction goes to its files, which take the whole place where there is little."""
        event.stop()
        if self.files.tree_model.rows():
            self.add_class("-files")
            self.files.focus()

    def back(self) -> bool:
        """From the files to the instructions; false if one is there already."""
        if not self.has_class("-files"):
            return False
        self.remove_class("-files")
        self.query_one("#layer-table").focus()
        return True

    def _want(self) -> None:
        self.post_message(self.LayerWanted(self.chosen))


def _cells(step: Step) -> tuple[Cell, ...]:
    if step.layer is None:
        size = text.size(step.size, step=1000) if step.size else ""
        return ("", (f"{size:>6}", "faint"), "", "", "", "", (step.instruction, "faint" if not step.size else ""))
    return (
        f"{step.layer:>3}",
        f"{text.size(step.size, step=1000):>6}",
        _count(step.added, 6, "good"),
        _count(step.changed, 5, "warn"),
        _count(step.deleted, 5, "bad"),
        (f"{text.size(step.wasted, step=1000):>6}", "bad") if step.wasted else "",
        step.instruction,
    )


def _count(number: int | None, width: int, tone: str) -> Cell:
    return (f"{number:>{width}}", tone) if number else ""
