"""A tree of files on the screen: only the lines that are seen are drawn, however many there are."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from moby_tui.screens import text
from moby_tui.screens.files.entry import ADDED, CHANGED, DELETED, Entry
from moby_tui.screens.files.tree import FileTree, Row
from moby_tui.screens.theme import row_ground

#: The columns after the name, with their widths, from the widest screens on which each is first shown.
_COLUMNS = (("SIZE", 7, 0), ("MODE", 10, 60), ("OWNER", 11, 78), ("MODIFIED", 19, 98))


class FileTreeView(ScrollView, can_focus=True):
    """The cursor opens and closes folders; what folders hold is asked for with ``FolderWanted``."""

    DEFAULT_CSS = """
    FileTreeView { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; padding: 0 1; background: transparent; }
    """
    COMPONENT_CLASSES = {  # noqa: RUF012
        "files--cursor",
        "files--folder",
        "files--link",
        "files--dim",
        "files--added",
        "files--changed",
        "files--deleted",
    }
    BINDINGS = [  # noqa: RUF012
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "end(False)", "Top", show=False),
        Binding("end,G", "end(True)", "Bottom", show=False),
        Binding("right,l", "open", "Open", show=False),
        Binding("left,h", "leave", "Close or go up", show=False),
        Binding("enter", "choose", "View", show=False),
    ]

    class FolderWanted(Message):
        """What is in this folder is wanted; ``show`` once it is there."""

        def __init__(self, view: FileTreeView, path: str) -> None:
            super().__init__()
            self.view, self.path = view, path

        @property
        def control(self) -> FileTreeView:
            return self.view

    class Highlighted(Message):
        """The cursor is on another entry, or on none."""

        def __init__(self, view: FileTreeView, entry: Entry | None) -> None:
            super().__init__()
            self.view, self.entry = view, entry

        @property
        def control(self) -> FileTreeView:
            return self.view

    class Chosen(Message):
        """Enter on a file."""

        def __init__(self, view: FileTreeView, entry: Entry) -> None:
            super().__init__()
            self.view, self.entry = view, entry

        @property
        def control(self) -> FileTreeView:
            return self.view

    def __init__(self, *, id: str, columns: int = len(_COLUMNS)) -> None:
        """``columns``: how many of size, mode, owner and time may be shown."""
        super().__init__(id=id)
        self.tree_model = FileTree()
        self._columns = _COLUMNS[:columns]
        self._told: Entry | None = None

    def show(self, tree: FileTree | None = None) -> None:
        """Draws the tree anew, or another one."""
        if tree is not None:
            self.tree_model = tree
            self.scroll_to(y=0, animate=False, immediate=True)
        rows = self.tree_model.rows()
        self.virtual_size = Size(self.scrollable_content_region.width, max(len(rows) + 1, 1))
        self.tree_model.go(self.tree_model.place)
        self._settle()

    def _settle(self) -> None:
        """Brings the cursor into view and tells where it is."""
        place = self.tree_model.place
        # the heading takes the first line
        top, seen = self.scroll_offset.y, max(self.size.height - 1, 1)
        if not top <= place < top + seen:
            self.scroll_to(y=place if place < top else place - seen + 1, animate=False, immediate=True, force=True)
        self.refresh()
        chosen = self.tree_model.chosen
        if chosen != self._told:
            self._told = chosen
            self.post_message(self.Highlighted(self, chosen))

    def on_resize(self) -> None:
        self.show()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # Drawing: the heading is the first line and stays there

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y == 0:
            return self._heading(width)
        rows = self.tree_model.rows()
        number = self.scroll_offset.y + y - 1
        if not rows and number == 0:
            dim = self.get_component_rich_style("files--dim", partial=True)
            return self._line([Segment(self.tree_model.root_note, self.rich_style + dim)], width, self.rich_style)
        if number >= len(rows):
            return Strip.blank(width, self.rich_style)
        return self._row(rows[number], width, cursor=number == self.tree_model.place)

    def _shown_columns(self, width: int) -> list[tuple[str, int]]:
        return [(title, room) for title, room, least in self._columns if width >= least]

    def _heading(self, width: int) -> Strip:
        style = self.rich_style + self.get_component_rich_style("files--dim", partial=True)
        columns = self._shown_columns(width)
        room = max(width - sum(size + 1 for _, size in columns), 0)
        parts = [Segment(f"{'NAME':<{room}}", style)]
        for title, size in columns:
            shown = f"{title}↓" if title.lower() == self.tree_model.order else title
            parts.append(Segment(f" {shown:>{size}}" if title == "SIZE" else f" {shown:<{size}}", style))
        return self._line(parts, width, style)

    @property
    def line_of_cursor(self) -> int:
        """The line of the row under the cursor, from the first line of the widget on."""
        return 1 + self.tree_model.place - self.scroll_offset.y

    def _row(self, row: Row, width: int, *, cursor: bool) -> Strip:
        entry = row.entry
        base = self.rich_style
        if cursor:
            # whole, since its colour lets some of what is below through
            base += row_ground(self.get_component_rich_style("files--cursor"))
            if self.has_focus:
                base += Style(bold=True)
        dim = base + self.get_component_rich_style("files--dim", partial=True)
        columns = self._shown_columns(width)
        room = max(width - sum(size + 1 for _, size in columns), 0)
        arrow = ("▾ " if row.opened else "▸ ") if entry.is_folder else "  "
        parts = [
            Segment(f"{entry.mark or ' '} ", base + self._mark_style(entry)),
            Segment("  " * min(row.depth, max(room // 4 - 4, 0)) + arrow, dim),
            Segment(entry.name, base + self._name_style(entry)),
        ]
        if entry.target:
            parts.append(Segment(f" → {entry.target}", dim))
        if row.note:
            parts.append(Segment(f"  {row.note}", dim))
        name = Strip(parts).adjust_cell_length(room, base)
        if name.cell_length > room - 1 and sum(part.cell_length for part in parts) > room:
            name = Strip([*name.crop(0, max(room - 1, 0)), Segment("…", dim)])
        cells = self._cells(entry)
        rest = [
            Segment(f" {cells[title]:>{size}}"[: size + 1] if title == "SIZE" else f" {cells[title]:<{size}}"[: size + 1], dim)
            for title, size in columns
        ]
        return self._line([*name, *rest], width, base)

    @staticmethod
    def _cells(entry: Entry) -> dict[str, str]:
        # a folder has no size of its own that anybody wants; one that is told of without its mode has that of what is in it
        sized = not entry.permissions if entry.is_folder else bool(entry.size or entry.permissions)
        size = text.size(entry.size) if (sized and entry.mark != DELETED) or (entry.size and not entry.permissions) else ""
        return {"SIZE": size, "MODE": entry.permissions, "OWNER": entry.owner, "MODIFIED": entry.modified}

    def _mark_style(self, entry: Entry) -> Style:
        names = {ADDED: "files--added", CHANGED: "files--changed", DELETED: "files--deleted"}
        return self.get_component_rich_style(names[entry.mark], partial=True) if entry.mark in names else Style.null()

    def _name_style(self, entry: Entry) -> Style:
        if entry.mark == DELETED:
            return self.get_component_rich_style("files--deleted", partial=True) + Style(strike=True)
        if entry.is_folder:
            return self.get_component_rich_style("files--folder", partial=True)
        if entry.kind == "link":
            return self.get_component_rich_style("files--link", partial=True)
        return self._mark_style(entry)

    @staticmethod
    def _line(parts: list[Segment], width: int, style: Style) -> Strip:
        return Strip(parts).adjust_cell_length(width, style)

    # Keys and mouse

    def action_move(self, step: int) -> None:
        self._go(self.tree_model.place + step)

    def action_page(self, step: int) -> None:
        self._go(self.tree_model.place + step * max(self.size.height - 2, 1))

    def action_end(self, last: bool) -> None:
        self._go(len(self.tree_model.rows()) if last else 0)

    def _go(self, number: int) -> None:
        self.tree_model.go(number)
        self._settle()

    def action_open(self) -> None:
        """Opens the folder under the cursor; from an open one goes to what is in it."""
        chosen = self.tree_model.chosen
        if chosen is None or not chosen.is_folder:
            return
        if self.tree_model.is_open(chosen.path):
            self.action_move(1)
            return
        self.tree_model.open(chosen.path)
        if not self.tree_model.knows(chosen.path):
            self.tree_model.note(chosen.path, "…")
            self.post_message(self.FolderWanted(self, chosen.path))
        self.show()

    def action_leave(self) -> None:
        self.tree_model.leave()
        self.show()

    def action_choose(self) -> None:
        chosen = self.tree_model.chosen
        if chosen is None:
            return
        if not chosen.is_folder:
            self.post_message(self.Chosen(self, chosen))
        elif self.tree_model.is_open(chosen.path):
            self.action_leave()
        else:
            self.action_open()

    def on_click(self, event: events.Click) -> None:
        number = self.scroll_offset.y + event.y - 1
        if event.y == 0:
            self.tree_model.sort()
            self.show()
        elif number < len(self.tree_model.rows()):
            again = number == self.tree_model.place
            self._go(number)
            if again or event.chain > 1:
                self.action_choose()
