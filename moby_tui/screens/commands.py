"""What the prompt understands: pages, actions of pages, the application's own, and the person's; and how a line is carried out."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from moby_tui.screens import text
from moby_tui.screens.actions.action import On
from moby_tui.screens.actions.user_commands import UserCommand, words
from moby_tui.screens.actions.vocabulary import Command, Vocabulary
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.registry import PAGES
from moby_tui.screens.session.session import Session

#: What each page's rows are called, for the names that follow its actions' words.
KINDS = {"containers": "container", "images": "image", "volumes": "volume", "networks": "network", "logs": "container"}
#: Of a program's output at most this much is shown, bytes.
SHOWN = 16 * 1024


class Commanded(Protocol):
    """What carries the commands out: the application."""

    session: Session

    def go(self, mode: str, *words: str) -> None: ...
    def act(self, mode: str, action: str, names: Sequence[str]) -> object: ...
    def own(self, command: UserCommand) -> None: ...
    def use_context(self, name: str) -> None: ...
    def choose_context(self) -> None: ...
    def use_theme(self, name: str) -> None: ...
    def mark(self, query: str) -> None: ...
    async def action_quit(self) -> None: ...
    def action_help(self) -> None: ...


def vocabulary(
    app: Commanded, here: type[Page], own: Iterable[UserCommand], lists: Mapping[str, Callable[[], Iterable[str]]]
) -> Vocabulary:
    """The commands as they are meant on a page: its own actions come before those of others.

    ``lists`` gives the names of what the session does not know: contexts, themes.
    """
    commands = [
        Command("q", "Leave the dashboard", lambda _: _later(app.action_quit())),
        Command("quit", "Leave the dashboard", lambda _: _later(app.action_quit())),
        Command("help", "The keys of this page", lambda _: app.action_help()),
        Command("ctx", "Another engine: a context, or a host as ssh://me@there", partial(_context, app), "context"),
        Command("theme", "Other colours", partial(_one, app.use_theme, "theme NAME"), "theme"),
        Command("mark", "Mark the rows that match, as :mark exited", lambda given: app.mark(" ".join(given))),
        *(Command(one.name, one.title or one.run, lambda _, one=one: app.own(one)) for one in own if one.page == here.mode),  # type: ignore[misc]
        *(
            Command(one.mode, one.about, partial(_go, app, one.mode), KINDS.get(one.mode, ""))
            for one in PAGES
        ),
    ]  # fmt: skip
    for page in (here, *(entry.load() for entry in PAGES if entry.mode != here.mode)):
        for action in page.actions():
            if action.on is not On.PAGE or page is here:
                run = partial(app.act, page.mode, action.id)
                kind = KINDS.get(page.mode, "") if action.on is not On.PAGE else ""
                commands += [Command(action.words, action.tooltip, run, kind), Command(action.id, action.tooltip, run, kind)]
    return Vocabulary(commands, partial(_names, app.session, lists))


def _later(work: Any) -> None:
    asyncio.get_running_loop().create_task(work)


def _go(app: Commanded, mode: str, given: list[str]) -> None:
    app.go(mode, *given)


def _one(use: Callable[[str], None], form: str, given: list[str]) -> None:
    """A command that takes exactly one word."""
    if len(given) != 1:
        raise ValueError(f"it wants one word: {form}")
    use(given[0])


def _context(app: Commanded, given: list[str]) -> None:
    if given:
        _one(app.use_context, "ctx NAME", given)
    else:
        app.choose_context()


def _names(session: Session, lists: Mapping[str, Callable[[], Iterable[str]]], kind: str) -> Iterable[str]:
    """What may be named, by kind. A list that was not wanted before is fetched now, for the next key."""
    if kind in lists:
        return lists[kind]()
    if kind == "container":
        return [row.name for row in session.model.rows()]
    feed: Any = {"image": session.images, "volume": session.volumes, "network": session.networks}.get(kind)
    if feed is None:
        return []
    feed.want()
    return [name for row in feed.model.rows() for name in (getattr(row, "tags", None) or (row.name,))]


def fields_of(row: Any) -> dict[str, str]:
    """The fields of a row that a person's command may name; texts alone."""
    names = getattr(row, "__dataclass_fields__", {})
    found = {name: value for name in names if isinstance(value := getattr(row, name), str)}
    if row is not None:
        found |= {"id": row.id, "name": row.name}
    return found


async def run_program(command: UserCommand, fields: Mapping[str, str], answers: Mapping[str, str]) -> tuple[int, str]:
    """Runs a person's command without a terminal. Returns its exit code and the end of its output, clean.

    Raises ``ValueError`` for a faulty command and ``OSError`` for a program that cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *words(command, fields, answers), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    lines = output[-SHOWN:].decode("utf-8", "replace").splitlines()
    return process.returncode or 0, "\n".join(text.clean(line) for line in lines)


def run_in_terminal(command: UserCommand, fields: Mapping[str, str], answers: Mapping[str, str]) -> int:
    """Runs a person's command on the terminal, which is the program's meanwhile. Raises as ``run_program`` does."""
    os.write(1, b"\n")
    return subprocess.run(words(command, fields, answers), check=False).returncode
