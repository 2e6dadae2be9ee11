"""All keys from the declarations: for the help of a page, for the table in the documentation, and to check a person's keymap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from textual.binding import Binding
from textual.widget import Widget

from moby_tui.screens.actions.action import Action
from moby_tui.screens.actions.application import APPLICATION
from moby_tui.screens.actions.user_commands import UserCommand
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.registry import PAGES, Entry, find

#: Keys as people write them.
_SIGNS = {
    "slash": "/", "question_mark": "?", "colon": ":", "asterisk": "*", "exclamation_mark": "!", "minus": "-", "plus": "+",
    "greater_than_sign": ">", "less_than_sign": "<", "equals_sign": "=", "left_square_bracket": "[", "right_square_bracket": "]",
    "ampersand": "&", "full_stop": ".", "comma": ",", "semicolon": ";", "at": "@", "number_sign": "#", "backslash": "\\",
}  # fmt: skip


#: The dialogs, and the line for searches and filters: what they are called, and their modules and classes.
_DIALOGS = (
    ("Form", "dialogs.form", "Form"), ("Question", "dialogs.confirm", "Confirm"), ("Notice", "dialogs.confirm", "Notice"),
    ("Preview", "dialogs.preview", "Preview"),
    ("List to choose one of", "dialogs.picker", "Picker"), ("List to choose several of", "dialogs.picker", "Chooser"),
    ("Settings as text", "dialogs.source", "Source"),
    ("Transfer", "dialogs.transfer", "TransferView"), ("Log line", "dialogs.log_line", "ShowLine"),
    ("Prompt", "dialogs.prompt", "Prompt"), ("Help", "dialogs.help", "Help"),
    ("Line of a search or filter", "widgets.filter_bar", "FilterBar"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """``keys`` as people write them."""

    id: str
    keys: str
    title: str
    tooltip: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    rows: tuple[Row, ...]


def sections(page: type[Page], keymap: Mapping[str, str] | None = None) -> list[Section]:
    """What can be done on a page: its own actions, those of its parts, and what is there on every page."""
    keymap = keymap or {}
    parts = {part.__name__: _of_part(part) for part in page.parts()}
    listed = [Section("This page", _rows(page.actions(), keymap))]
    listed += [Section(_spaced(name), _rows(actions, keymap)) for name, actions in parts.items()]
    listed += [
        Section("Everywhere", _rows(APPLICATION, keymap)),
        Section("Pages", tuple(Row(f"page.{one.mode}", one.key, one.title, one.about) for one in PAGES)),
    ]
    return [section for section in listed if section.rows]


def dialogs() -> list[Section]:
    """The keys with an id of dialogs, and of the line for searches and filters."""
    dialog_sections = []
    for title, module, name in _DIALOGS:
        dialog = getattr(import_module(f"moby_tui.screens.{module}"), name)
        dialog_sections.append(Section(title, _rows(_of_part(dialog), {})))
    return dialog_sections


def key_table() -> str:
    """All keys as Markdown, a table for each page and dialog, for docs/dashboard.md."""
    lines: list[str] = []
    known: set[str] = set()
    titled = [
        (entry.title if section.title == "This page" else section.title, section)
        for entry in PAGES
        for section in sections(entry.load())
    ]
    for title, section in [*titled, *((section.title, section) for section in dialogs())]:
        fresh = [row for row in section.rows if row.id not in known]
        known |= {row.id for row in fresh}
        if fresh:
            lines += ["", f"**{title}**", "", "| key | id | does |", "|---|---|---|"]
            lines += [
                f"| `{row.keys or ':' + row.id.rpartition('.')[2]}` | {row.id} | {row.tooltip or row.title} |" for row in fresh
            ]
    return "\n".join(lines).replace("`|`", "`\\|`").strip() + "\n"


def check_commands(own: Iterable[UserCommand], keymap: Mapping[str, str]) -> list[str]:
    """What is wrong with a person's own commands, a line each: pages that there are not, and keys that are taken there."""
    mistakes = []
    for command in own:
        entry = find(command.page)
        if entry is None:
            mistakes.append(f"the command {command.name} is for the page {command.page}, which there is not")
            continue
        for action in [*entry.load().actions(), *APPLICATION]:
            if command.key and command.key in keymap.get(action.id, action.keys).split(","):
                mistakes.append(f"the key {command.key} of the command {command.name} is that of {action.id}; give it another")
    return mistakes


def check_keymap(keymap: Mapping[str, str]) -> list[str]:
    """What is wrong with a person's keymap, a line each: ids that no action has, and keys that two actions of a page have then."""
    mistakes: dict[str, None] = {}
    known: set[str] = {*(action.id for action in APPLICATION), *(f"page.{entry.mode}" for entry in PAGES)}
    known |= {row.id for section in dialogs() for row in section.rows}
    for entry in PAGES:
        page = entry.load()
        actions = [*page.actions(), *(action for part in page.parts() for action in _of_part(part))]
        known |= {action.id for action in actions}
        mistakes |= dict.fromkeys(_clashes(entry, page.actions(), keymap))
    unknown = [f"no action has the id {identifier}; ? shows those of a page" for identifier in keymap if identifier not in known]
    return [*unknown, *mistakes]


def _clashes(entry: Entry, actions: Iterable[Action], keymap: Mapping[str, str]) -> list[str]:
    """Actions that may be offered at the same time and have the same key after the keymap, of which it changes one."""
    holders: dict[str, list[str]] = {}
    bound = [(action.id, action.keys) for action in [*actions, *APPLICATION] if not action.when or action.id in keymap]
    for identifier, keys in [*bound, *((f"page.{one.mode}", one.key) for one in PAGES)]:
        for key in keymap.get(identifier, keys).split(","):
            if key:
                holders.setdefault(key.strip(), []).append(identifier)
    return [
        f"the key {key} is for {' and '.join(sorted(set(ids)))} on the page {entry.title.lower()}; give one of them another"
        for key, ids in holders.items()
        if len(set(ids)) > 1 and any(identifier in keymap for identifier in ids)
    ]


def _of_part(part: type[Widget]) -> list[Action]:
    """The actions of a widget: declared, or else made of its bindings with an id."""
    declared: tuple[Action, ...] | None = getattr(part, "ACTIONS", None)
    if declared is not None:
        return list(declared)
    return [
        Action(id=one.id, title=one.description, keys=one.key, tooltip=one.tooltip, key_display=one.key_display)
        for one in part.__dict__.get("BINDINGS", ())
        if isinstance(one, Binding) and one.id
    ]


def _rows(actions: Iterable[Action], keymap: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(Row(one.id, _written(keymap.get(one.id, one.keys)), one.title, one.tooltip or one.title) for one in actions)


def _written(keys: str) -> str:
    """``slash,f1`` as ``/ f1``."""
    return " ".join(_SIGNS.get(key.strip(), key.strip()) for key in keys.split(",") if key)


def _spaced(name: str) -> str:
    """``LogView`` as ``Log view``."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return spaced[:1].upper() + spaced[1:]
