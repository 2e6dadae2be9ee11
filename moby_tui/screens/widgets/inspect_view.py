"""All that the engine knows of an object, as a tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.text import Text
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, bindings

#: Opened from the start: what people look for.
_OPEN: set[tuple[str | int, ...]] = {("State",), ("Config",), ("NetworkSettings",), ("NetworkSettings", "Networks"), ("Mounts",)}


@dataclass(frozen=True, slots=True)
class Item:
    """What a node stands for: the keys and places in lists from the top on, clean, and of a leaf its value."""

    place: tuple[str | int, ...]
    value: str = ""

    @property
    def path(self) -> str:
        """As ``jq`` takes it: ``.Config.Env[0]``, ``.Config.Labels["a.b"]``."""
        path = ""
        for step in self.place:
            if isinstance(step, int):
                path += f"[{step}]"
            else:
                path += f".{step}" if step.isidentifier() and step.isascii() else f"{'' if path else '.'}[{json.dumps(step)}]"
        return path


class InspectView(Tree[Item]):
    """``show`` fills it; what one had opened stays open for the same object."""

    class SearchAsked(Message):
        """The person wants to look for a word; ``find`` does it."""

        def __init__(self, view: InspectView) -> None:
            super().__init__()
            self.view = view

    class SourceAsked(Message):
        """The person wants to see all of it as text."""

        def __init__(self, value: dict[str, Any]) -> None:
            super().__init__()
            self.value = value

    DEFAULT_CSS = """
    InspectView { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; background: transparent; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="inspect.down", title="Down", keys="j", call="cursor_down", footer=False, tooltip="Go down"),
        Action(id="inspect.up", title="Up", keys="k", call="cursor_up", footer=False, tooltip="Go up"),
        Action(
            id="inspect.copy",
            title="Copy value",
            keys="c",
            tooltip="Copy the value under the cursor, of a branch all that is in it",
        ),
        Action(id="inspect.path", title="Copy path", keys="y", call="copy_path", tooltip="Copy its path, as jq takes it"),
        Action(id="inspect.expand", title="Expand all", keys="E", call="expand_all", footer=False, tooltip="Open all branches"),
        Action(
            id="inspect.search",
            title="Search",
            keys="slash",
            key_display="/",
            call="ask",
            tooltip="Find a word in names and values",
        ),
        Action(
            id="inspect.next", title="Next", keys="n", call="find(1)", footer=False, tooltip="Go to the next that has the word"
        ),
        Action(id="inspect.previous", title="Previous", keys="N", call="find(-1)", footer=False, tooltip="Go to the one before"),
        Action(id="inspect.source", title="JSON, YAML", keys="J", call="source", tooltip="Show all of it as JSON or YAML"),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id)
        self.show_root = False
        self.guide_depth = 3
        self._value: dict[str, Any] = {}
        self._word = ""

    @property
    def line_of_cursor(self) -> int:
        """The line of the row under the cursor, from the first line of the widget on."""
        return max(self.cursor_line, 0) - self.scroll_offset.y

    def show(self, value: dict[str, Any]) -> None:
        """Shows an object as plain data; an empty one empties the tree."""
        opened = {node.data.place for node in _nodes(self.root) if node.data and node.allow_expand and node.is_expanded} or _OPEN
        self._value = value
        self.clear()
        self._add(self.root, value, (), opened)
        self.root.expand()

    def _add(
        self,
        node: TreeNode[Item],
        value: dict[str, Any] | list[Any],
        place: tuple[str | int, ...],
        opened: set[tuple[str | int, ...]],
    ) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            name = key if isinstance(key, int) else text.clean(str(key))
            here = (*place, name)
            label = Text(str(name), self._tint("text-secondary"), no_wrap=True)
            if isinstance(item, dict | list) and item:
                note = f" {{{len(item)}}}" if isinstance(item, dict) else f" [{len(item)}]"
                branch = node.add(label.append(note, "dim"), data=Item(here), expand=here in opened)
                self._add(branch, item, here, opened)
            elif item not in (None, "", [], {}):
                content, style = self._drawn(item)
                node.add_leaf(label.append(": ", "dim").append(content, style), data=Item(here, content))

    def _drawn(self, item: object) -> tuple[str, str]:
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
        if node is not None and node.data:
            self._copy(_as_text(node) if node.allow_expand else node.data.value)

    def action_copy_path(self) -> None:
        node = self.cursor_node
        if node is not None and node.data:
            self._copy(node.data.path)

    def _copy(self, copied: str) -> None:
        self.app.copy_to_clipboard(copied)
        self.notify(copied if len(copied) <= 200 else f"{copied[:200]} …", title="Copied", markup=False)

    def action_expand_all(self) -> None:
        self.root.expand_all()

    def action_source(self) -> None:
        self.post_message(self.SourceAsked(self._value))

    # Search

    @property
    def word(self) -> str:
        """What was looked for last."""
        return self._word

    def action_ask(self) -> None:
        self.post_message(self.SearchAsked(self))

    def search(self, word: str) -> None:
        """Goes to the first node from the cursor on that has the word."""
        self._word = word
        if word:
            self.action_find(1)

    def action_find(self, step: int) -> None:
        """Goes on to another node that has the word, round the end too, and opens the branches above it."""
        if not self._word:
            self.action_ask()
            return
        nodes = list(_nodes(self.root))
        here = nodes.index(self.cursor_node) if self.cursor_node in nodes else -1 if step > 0 else 0
        word = self._word.lower()
        for distance in range(1, len(nodes) + 1):
            node = nodes[(here + step * distance) % len(nodes)]
            if node.data and (word in str(node.data.place[-1]).lower() or word in node.data.value.lower()):
                parent = node.parent
                while parent is not None:
                    parent.expand()
                    parent = parent.parent
                self.call_after_refresh(self._go_to, node)
                return
        self.notify(f"{text.clean(self._word)} is not in it", severity="warning", markup=False)

    def _go_to(self, node: TreeNode[Item]) -> None:
        self.move_cursor(node)
        self.scroll_to_node(node, animate=False)


def _nodes(node: TreeNode[Item]) -> Iterator[TreeNode[Item]]:
    """All nodes below this one, in the order of the tree."""
    for child in node.children:
        yield child
        yield from _nodes(child)


def _as_text(node: TreeNode[Item]) -> str:
    """What is below a branch, a line for each value: ``.State.Pid: 42``."""
    return "\n".join(f"{one.data.path}: {one.data.value}" for one in _nodes(node) if one.data and not one.allow_expand)
