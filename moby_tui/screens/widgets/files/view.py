"""The content of a file on the screen, as lines of text or as bytes: only the rows that are seen are read."""

from __future__ import annotations

from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from moby_tui.screens import text
from moby_tui.screens.files.content import LONGEST_LINE, Content


class FileView(ScrollView, can_focus=True):
    """``show`` a content, and again as more of it comes."""

    DEFAULT_CSS = """
    FileView { height: 1fr; scrollbar-size: 1 1; padding: 0 1; background: transparent; }
    """
    COMPONENT_CLASSES = {"files--dim", "files--found"}  # noqa: RUF012
    BINDINGS = [  # noqa: RUF012
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("left,h", "scroll_left", "Left", show=False),
        Binding("right,l", "scroll_right", "Right", show=False),
        Binding("pageup,b", "page_up", "Page up", show=False),
        Binding("pagedown,space", "page_down", "Page down", show=False),
        Binding("home,g", "scroll_home", "Top", show=False),
        Binding("end,G", "scroll_end", "Bottom", show=False),
        Binding("n", "again(False)", "Next hit", show=False),
        Binding("N", "again(True)", "Hit before", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.content: Content | None = None
        self._words = ""
        self._hit = self._begun = -1
        #: In place of a content: why there is none.
        self._note = ""

    def on_unmount(self) -> None:
        self._let_go()

    def show(self, content: Content) -> None:
        """Shows a content from its beginning, or what has come of it since."""
        if content is not self.content:
            self._let_go()
            self.content, self._words, self._hit = content, "", -1
            self.scroll_to(0, 0, animate=False, immediate=True)
        self._note = ""
        self._fit()

    def say(self, note: str) -> None:
        """Shows a line in place of a content."""
        self._let_go()
        self._note = note
        self._fit()

    def _let_go(self) -> None:
        if self.content is not None:
            self.content.close()
            self.content = None

    def _fit(self) -> None:
        content = self.content
        if content is None:
            self.virtual_size = Size(self.scrollable_content_region.width, 1)
        else:
            width = content.width + 2 + (70 if content.hexadecimal else LONGEST_LINE if self._is_wide() else 0)
            self.virtual_size = Size(max(width, self.scrollable_content_region.width), max(content.rows, 1))
        self.refresh()

    def _is_wide(self) -> bool:
        """True if the first rows do not fit: then one can go to the right."""
        content = self.content
        room = self.scrollable_content_region.width
        return content is not None and any(
            len(content.row(number)) + content.width + 2 > room for number in range(min(content.rows, 200))
        )

    def turn(self) -> None:
        """From text to bytes or back, at the same place in the file."""
        if content := self.content:
            share = self.scroll_offset.y / max(content.rows, 1)
            content.hexadecimal = not content.hexadecimal
            self._hit = -1
            self._fit()
            self.scroll_to(0, int(share * content.rows), animate=False, immediate=True)

    def begin_search(self) -> None:
        """The searches from now on begin with what is seen now."""
        self._begun = self.scroll_offset.y - 1

    def search(self, words: str) -> bool:
        """Goes to the first hit from where the search began; false if there is none."""
        self._words, self._hit = words, self._begun
        return self.action_again(False)

    def action_again(self, backward: bool) -> bool:
        content = self.content
        if content is None or not self._words:
            return False
        position = content.find(self._words, self._hit, backward=backward)
        if position is None:
            return False
        self._hit = position
        if not self.scroll_offset.y <= position < self.scroll_offset.y + self.size.height - 1:
            self.scroll_to(y=max(position - self.size.height // 3, 0), animate=False, immediate=True)
        self.refresh()
        return True

    @property
    def about(self) -> str:
        """What is shown, in a few words."""
        content = self.content
        if content is None:
            return ""
        kind = "bytes" if content.hexadecimal else f"{content.rows} lines"
        more = "" if content.whole and not content.cut else " · the rest is left out" if content.cut else " · reading"
        return f"{text.size(content.size)} · {kind}{more}"

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        content = self.content
        dim = self.rich_style + self.get_component_rich_style("files--dim", partial=True)
        number = self.scroll_offset.y + y
        if content is None or number >= content.rows:
            note = (
                self._note
                if content is None and y == 0
                else "empty"
                if content is not None and content.whole and number == 0
                else ""
            )
            return Strip([Segment(note, dim)]).adjust_cell_length(width, self.rich_style)
        style = self.rich_style
        if number == self._hit:
            style += self.get_component_rich_style("files--found", partial=True)
        line = Strip([Segment(f"{content.label(number)}  ", dim), Segment(content.row(number), style)])
        return line.crop(self.scroll_offset.x, self.scroll_offset.x + width).adjust_cell_length(width, self.rich_style)
