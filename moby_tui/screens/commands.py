"""What the prompt understands: pages, actions of pages, the application's own, and the person's; and how a line is carried out."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from moby_tui.screens import text
from moby_tui.screens.actions.action import On
from moby_tui.screens.actions.user_commands import UserCommand
from moby_tui.screens.actions.vocabulary import Command, Vocabulary
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.registry import PAGES
from moby_tui.screens.session.session import Session

#: What each page's rows are called, for the names that follow its actions' words.
KINDS = {"containers": "container", "images": "image", "volumes": "volume", "networks": "network", "logs": "container"}
#: Of a program's output at most this much is shown, bytes.
SHOWN = 16 * 1024


class Doer(Protocol):
    """Carries the commands out. What cannot be done raises ``ValueError`` with one line that says why."""

    def go(self, mode: str, words: Sequence[str]) -> None: ...
    def act(self, mode: str, action: str, names: Sequence[str]) -> None: ...
    def own(self, command: UserCommand) -> None: ...
    def mark(self, query: str) -> None: ...
    def use_context(self, name: str) -> None: ...
    def choose_context(self) -> None: ...
    def use_theme(self, name: str) -> None: ...
    def choose_theme(self) -> None: ...
    def show_help(self) -> None: ...
    def leave(self) -> None: ...


def vocabulary(
    doer: Doer,
    session: Session,
    here: type[Page],
    own: Iterable[UserCommand],
    lists: Mapping[str, Callable[[], Iterable[str]]],
) -> Vocabulary:
    """The commands as they are meant on a page: its own actions come before those of others.

    ``lists`` gives the names of what the session does not know: contexts, themes.
    """
    engine = partial(_perhaps_one, doer.use_context, doer.choose_context, "ctx NAME")
    theme = partial(_perhaps_one, doer.use_theme, doer.choose_theme, "theme NAME")
    commands = [
        Command("q", "Leave the dashboard", lambda _: doer.leave()),
        Command("quit", "Leave the dashboard", lambda _: doer.leave()),
        Command("help", "The keys of this page", lambda _: doer.show_help()),
        Command("ctx", "Another engine: a context, or a host as ssh://me@there", engine, "context"),
        Command("theme", "Other colours", theme, "theme"),
        Command("mark", "Mark the rows that match, as :mark exited", lambda given: doer.mark(" ".join(given))),
        *(
            Command(one.name, one.title or one.run, _without_arguments(partial(doer.own, one)))
            for one in own
            if one.page == here.mode
        ),
        *(Command(one.mode, one.about, partial(doer.go, one.mode), KINDS.get(one.mode, "")) for one in PAGES),
    ]
    for page in (here, *(entry.load() for entry in PAGES if entry.mode != here.mode)):
        for action in page.actions():
            if action.on is not On.PAGE or page is here:
                run = partial(doer.act, page.mode, action.id)
                kind = KINDS.get(page.mode, "") if action.on is not On.PAGE else ""
                commands += [Command(action.words, action.tooltip, run, kind), Command(action.id, action.tooltip, run, kind)]
        if page is here:  # one of a page's rows means the page, before what actions of other pages are called
            commands += [
                Command(one.mode.removesuffix("s"), one.about, partial(doer.go, one.mode), KINDS.get(one.mode, ""))
                for one in PAGES
                if one.mode.endswith("s")
            ]
    return Vocabulary(commands, partial(_names, session, lists))


def _without_arguments(run: Callable[[], None]) -> Callable[[list[str]], None]:
    return lambda _: run()


def _perhaps_one(use: Callable[[str], None], choose: Callable[[], None], form: str, given: list[str]) -> None:
    """A command that takes one word, or lists what there is."""
    if len(given) > 1:
        raise ValueError(f"it takes one word: {form}")
    if given:
        use(given[0])
    else:
        choose()


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
    fields = {name: value for name in names if isinstance(value := getattr(row, name), str)}
    if row is not None:
        fields |= {"id": row.id, "name": row.name}
    return fields


async def run_program(program: Sequence[str]) -> tuple[int, str]:
    """Runs a person's command without a terminal. Returns its exit code and the end of its output, clean.

    Raises ``OSError`` for a program that cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    lines = output[-SHOWN:].decode("utf-8", "replace").splitlines()
    return process.returncode or 0, "\n".join(text.clean(line) for line in lines)


def run_in_terminal(program: Sequence[str]) -> int:
    """Runs a person's command on the terminal, which is the program's meanwhile. Raises as ``run_program`` does."""
    return subprocess.run(program, check=False).returncode
