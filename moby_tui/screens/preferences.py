"""What a person has chosen and the dashboard remembers: the theme, keys other than ours, the shell.

``dashboard.json`` in the user's configuration folder (``~/.config/moby``), for example
``{"theme": "nord", "keymap": {"app.quit": "x"}}``. The ids of the keys are those that the help (``?``) shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from platformdirs import user_config_path, user_state_path

from moby_tui.screens.actions.alert_rules import AlertRule
from moby_tui.screens.actions.user_commands import UserCommand


class LogPreferences(msgspec.Struct):
    """``times``: local, utc, relative or off. ``columns``: fields that the log page shows in columns. ``megabytes``: what it keeps."""

    times: str = "local"
    columns: list[str] = []
    megabytes: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 64


class TerminalPreferences(msgspec.Struct):
    """What was chosen last for a shell; ``copies``: programs in terminals may put text on the clipboard (OSC 52)."""

    shell: str = ""
    user: str = ""
    tools: str = ""
    copies: bool = False


class ListView(msgspec.Struct, omit_defaults=True):
    """How a page's list is shown: the key of the column it is sorted by, and those of the columns that are not shown.

    ``share`` is the list's part of the page in percent, ``beside`` whether its details stand beside it; 0 and None: as there is room.
    """

    sort: str = ""
    reverse: bool = False
    hidden: list[str] = []
    share: Annotated[int, msgspec.Meta(ge=0, le=90)] = 0
    beside: bool | None = None


class Preferences(msgspec.Struct, omit_defaults=True):
    """``keymap`` maps the id of a binding to its keys, with commas between them; ``lists`` is by the name of the page.
    ``searches`` are saved texts of searches and filters: of ``logs``, and of ``lists``.

    With ``read_only`` the dashboard changes nothing in the engine; with ``asks_registries`` it has registries asked whether they have newer
    images for running containers. ``commands`` are the person's own, ``alerts`` their rules.
    """

    theme: str = ""
    keymap: dict[str, str] = {}
    lists: dict[str, ListView] = {}
    searches: dict[str, list[str]] = {}
    read_only: bool = False
    asks_registries: bool = False
    commands: list[UserCommand] = []
    alerts: list[AlertRule] = []
    logs: LogPreferences = msgspec.field(default_factory=LogPreferences)
    terminals: TerminalPreferences = msgspec.field(default_factory=TerminalPreferences)


def preferences_path() -> Path:
    return user_config_path("moby") / "dashboard.json"


def load() -> Preferences:
    """What is remembered; the defaults if there is nothing. Raises ``ValueError`` on a file that does not say what it should."""
    try:
        return msgspec.json.decode(preferences_path().read_bytes(), type=Preferences)
    except FileNotFoundError:
        return Preferences()
    except msgspec.DecodeError as error:
        raise ValueError(f"{preferences_path()}: {error}; mend or remove it") from error


def save(preferences: Preferences) -> None:
    """Remembers. A folder that cannot be written costs only the memory."""
    path = preferences_path()
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(msgspec.json.format(msgspec.json.encode(preferences)) + b"\n")
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()


def change(make: Callable[[Preferences], None]) -> None:
    """Makes a change to what is remembered by now, perhaps by another dashboard or by hand. A file with an error stays as it is."""
    try:
        preferences = load()
    except ValueError:
        return
    make(preferences)
    save(preferences)


def history_path() -> Path:
    """The lines that were typed into the prompt."""
    return user_state_path("moby") / "dashboard-history"


def removals_folder() -> Path:
    """Where each dashboard writes down what waits for its removal."""
    return user_state_path("moby") / "dashboard-removals"


def load_history() -> list[str]:
    """The lines that are remembered, oldest first; none if the file cannot be read."""
    try:
        return [line for line in history_path().read_text("utf-8", "replace").splitlines() if line.isprintable()]
    except OSError:
        return []


def save_history(lines: Iterable[str]) -> None:
    """Remembers lines, for this person alone. A folder that cannot be written costs only the memory."""
    path = history_path()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
