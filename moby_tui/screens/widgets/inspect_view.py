"""All that the engine knows of an object, as a tree."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.binding import Binding
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from moby_tui.screens import text

#: Opened from the start: what people look for.
_OPEN = {"State", "Config", "NetworkSettings", "Networks", "Mounts"}


class InspectView(Tree[str]):
    """``show`` fills it; what one had opened stays open for the same object."""

    DEFAULT_CSS = """
    InspectView { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; background: transparent; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("c", "copy", "Copy value", id="inspect.copy", tooltip="Copy the value under the cursor"),
        Binding("E", "expand_all", "Expand all", id="inspect.expand"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id)
        self.show_root = False
        self.guide_depth = 3

    def show(self, value: dict[str, Any]) -> None:
        """Shows an object as plain data; an empty one empties the tree."""
        opened = set(_paths(self.root)) or _OPEN
        self.clear()
        self._add(self.root, value, "", opened)
        self.root.expand()

    def _add(self, node: TreeNode[str], value: dict[str, Any] | list[Any], path: str, opened: set[str]) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            here = f"{path}/{key}"
            label = Text(text.clean(str(key)), self._tint("text-secondary"), no_wrap=True)
            if isinstance(item, dict | list) and item:
                note = f" {{{len(item)}}}" if isinstance(item, dict) else f" [{len(item)}]"
                branch = node.add(label.append(note, "dim"), data=here, expand=here in opened or here.lstrip("/") in opened)
                self._add(branch, item, here, opened)
            elif item not in (None, "", [], {}):
                node.add_leaf(label.append(": ", "dim").append(*self._value(item)), data=text.clean(str(item)))

    def _value(self, item: object) -> tuple[str, str]:
        if isinstance(item, bool):
            return str(item).lower(), self._tint("warning")
        if isinstance(item, int | float):
            return str(item), self._tint("accent")
        return text.clean(str(item)), ""

    def _tint(self, name: str) -> str:
        value = self.app.theme_variables.get(name, "")
        return value if value.startswith("#") else ""

    def action_copy(self) -> None:
        node = self.cursor_node
        if node is not None and node.data and not node.allow_expand:
            self.app.copy_to_clipboard(node.data)
            self.notify(node.data, title="Copied", markup=False)

    def action_expand_all(self) -> None:
        self.root.expand_all()


def _paths(node: TreeNode[str]) -> list[str]:
    """The branches that are open."""
    found: list[str] = []
    for child in node.children:
        if child.allow_expand and child.is_expanded and child.data:
            found.append(child.data)
            found += _paths(child)
    return found
