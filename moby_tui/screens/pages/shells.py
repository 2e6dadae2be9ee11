"""The page of the terminals: one tab for each; they live on while one looks at another page."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static, TabbedContent, TabPane

from moby_tui.errors import InvalidArgument
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.form import YES, Answers, Field
from moby_tui.screens.pages.page import Page
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.terminals.attached import TARGET_ROOT, TOOLS, Attached, Debug, DebugChoice, Run, RunChoice
from moby_tui.screens.terminals.program import Program, words
from moby_tui.screens.terminals.shell import Shell, ShellChoice
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.terminal import LEAVE_KEY, Terminal

_HINT = " ctrl+] then  d leave · n next · [ look back · / search · x close     shift+pgup scrolls"
_ASKED = " now  d leave · n p 1-9 other tab · [ look back · / search · x close · r run · c clipboard · ctrl+] send it · esc stay"
_LOOKS = " looking back  ↑↓←→ pgup g G move · / ? n N search · space V select · enter copy · esc leave  "
_ENDED = " it has ended  enter open it again · ctrl+] x close the tab · ctrl+] [ look back · ctrl+] d leave"
_NONE = (
    "No terminal is open.\n\nr runs an image here.\n"
    "On the containers (1): e opens a shell, E one of your choice, a attaches, D debugs one without a shell."
)
_SHELLS = ("/bin/bash", "/bin/sh", "/bin/ash", "/bin/zsh", "/usr/bin/fish")


class ShellsPage(Page):
    """Every key is the program's but the prefix ``ctrl+]``, which makes the next one ours."""

    mode = "shells"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="shell.next", title="Next", keys="n", call="next(1)", on=On.ROW, tooltip="Bring the next terminal to the front"
        ),
        Action(
            id="shell.previous",
            title="Previous",
            keys="p",
            call="next(-1)",
            on=On.ROW,
            tooltip="Bring the terminal before it to the front",
        ),
        Action(
            id="shell.run",
            title="Run",
            keys="r",
            tooltip="Run an image in a new terminal",
            changes=True,
            command="moby run -it --rm IMAGE",
        ),
        Action(
            id="shell.look_back",
            title="Look back",
            keys="left_square_bracket",
            key_display="[",
            on=On.ROW,
            tooltip="Move over the lines of the terminal, select and copy",
        ),
        Action(
            id="shell.search",
            title="Search",
            keys="slash",
            key_display="/",
            on=On.ROW,
            tooltip="Search the lines of the terminal",
        ),
        Action(
            id="shell.clipboard",
            title="Clipboard",
            keys="c",
            footer=False,
            tooltip="Let programs in terminals put text on the clipboard (OSC 52), or not",
        ),
        Action(id="shell.close", title="Close", keys="x", on=On.ROW, tooltip="Close the terminal"),
        Action(id="shell.enter", title="Type into it", keys="enter", on=On.ROW, tooltip="Give the terminal the keys"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._chosen = workspace.preferences.terminals
        self._numbers = itertools.count(1)
        self._asked = False
        #: The note of a terminal in which the person looks back.
        self._note = ""
        self._search_up = True

    def content(self) -> Iterable[Widget]:
        yield TabbedContent(id="shells")
        yield Static(_NONE, id="no-shell")
        yield FilterBar("search", "words in the lines", id="shell-search")
        yield Static(_HINT, id="shell-hint", markup=False)

    @property
    def terminal(self) -> Terminal | None:
        """The terminal in front."""
        pane = self.query_one(TabbedContent).active_pane
        return pane.query_one(Terminal) if pane else None

    def targets(self) -> Sequence[Terminal]:
        terminal = self.terminal if self.is_mounted else None
        return (terminal,) if terminal else ()

    # Opening

    async def arrive(self, words: Sequence[str]) -> None:
        """Opens a shell in each of the containers named; ``exec``, ``attach`` or ``debug`` before their names asks or does that."""
        verbs = {"exec": self._ask_shell, "attach": self._join, "debug": self._ask_debug}
        if words[0] == "run":
            await self._ask_run(*words[1:2])
            return
        opening = verbs.get(words[0]) if len(words) > 1 else None
        for name in words[1:] if opening else words:
            container = self._find(name)
            if container is None:
                self.notify(
                    f"there is no container {text.clean(name)}; look at the containers (1)", severity="error", markup=False
                )
            else:
                await (opening or self._open_shell)(container)

    def _find(self, name: str) -> Container | None:
        model = self.session.model
        return model.get(name) or next((one for one in model.sorted() if name == one.name), None)

    async def _open_shell(self, container: Container) -> None:
        await self._open(Shell(self.session, container, ShellChoice(self._chosen.shell, self._chosen.user)))

    async def _join(self, container: Container) -> None:
        await self._open(Attached(self.session, container))

    async def _ask_shell(self, container: Container) -> None:
        fields = (
            Field("command", "Command", self._chosen.shell, "the first there is of /bin/bash and /bin/sh", _SHELLS),
            Field("user", "User", self._chosen.user, "the container's; or name, uid, uid:gid", ("root", "1000")),
            Field("folder", "Folder", "", "the container's working directory"),
        )

        def answered(answers: Answers | None) -> None:
            if answers is None:
                self._leave_if_empty()
                return
            self._chosen.shell, self._chosen.user = answers["command"], answers["user"]
            self._remember()
            choice = ShellChoice(answers["command"], answers["user"], answers["folder"])
            self._open_soon(Shell(self.session, container, choice))

        explanation = "What e opens from now on. A command may have arguments."
        await self.app.push_screen(Ask(f"Open a terminal in {container.name}", explanation, fields, "Open", _wrong), answered)

    async def _ask_debug(self, container: Container) -> None:
        images = await self._images()
        known = [name for tool in TOOLS for name in images if name.split(":")[0] == tool]
        fields = (
            Field("image", "Tool image", self._chosen.tools or (known[0] if known else "busybox"), "pulled if needed", images),
            Field("command", "Command", "", "a shell among the container's files"),
            Field("user", "User", "", "root"),
        )
        explanation = (
            f"A new container of the tool image, its own files read-only, shares the processes and the network of {container.name}. "
            f"The files of {container.name} are at {TARGET_ROOT} there, where the shell begins. It is removed when the shell ends."
        )

        def answered(answers: Answers | None) -> None:
            if answers is None:
                self._leave_if_empty()
                return
            self._chosen.tools = answers["image"]
            self._remember()
            choice = DebugChoice(answers["image"], answers["command"], answers["user"])
            self._open_soon(Debug(self.session, container, choice))

        await self.app.push_screen(Ask(f"Debug {container.name}", explanation, fields, "Open", _wrong), answered)

    async def _ask_run(self, image: str = "") -> None:
        images = await self._images()
        fields = (
            Field("image", "Image", image or (images[0] if images else ""), "pulled if needed", images),
            Field("command", "Command", "", "the image's own", ("sh", "bash")),
            Field("name", "Name", "", "made up by the engine"),
            Field("keep", "Keep the container when it has ended", switch=True),
        )

        def answered(answers: Answers | None) -> None:
            if answers is None:
                self._leave_if_empty()
                return
            choice = RunChoice(answers["image"], answers["command"], answers["name"], answers["keep"] == YES)
            self._open_soon(Run(self.session, choice))

        explanation = "A new container on a terminal of its own."
        await self.app.push_screen(Ask("Run an image in a terminal", explanation, fields, "Run", _wrong), answered)

    def _remember(self) -> None:
        chosen = self._chosen

        def change(kept: Preferences) -> None:
            kept.terminals = chosen

        self.workspace.guide.remember(change)

    async def _images(self) -> list[str]:
        """The names of the images that are here; none while the engine is lost."""
        try:
            images = await self.session.client.images.list()
        except TROUBLE:
            return []
        names = (tag for image in images for tag in image.repo_tags or () if not tag.startswith("<none>") and tag.isprintable())
        return sorted(names)

    @work
    async def _open_soon(self, program: Program) -> None:
        await self._open(program)

    async def _open(self, program: Program) -> None:
        """Opens a program in a tab of its own, and gives it the keys."""
        number = next(self._numbers)
        terminal = Terminal(program, id=f"terminal-{number}", copies=self._chosen.copies)
        pane = TabPane(Content(f"{number} {program.title}"), terminal, id=f"shell-{number}")
        tabs = self.query_one(TabbedContent)
        await tabs.add_pane(pane)
        tabs.active = f"shell-{number}"
        self.set_class(True, "-some")
        terminal.focus()
        self._show_hint()

    # Keys

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.action_enter)

    @on(Terminal.Command)
    def _take_prefixed(self, event: Terminal.Command) -> None:
        self._ask(False)
        terminal = event.terminal
        if event.key in ("d", "q"):
            self.workspace.guide.go("containers")
            return
        if event.key == "slash":
            self.action_search()
            return
        if event.key == "r":
            self.action_run()
            return
        if event.key == LEAVE_KEY:
            terminal.send(b"\x1d")
        elif event.key in ("n", "tab", "right", "p", "left"):
            self.action_next(-1 if event.key in ("p", "left") else 1)
        elif event.key.isdigit():
            self._bring(int(event.key))
        elif event.key == "x":
            self.action_close()
        elif event.key == "c":
            self.action_clipboard()
        elif event.key == "left_square_bracket":
            self.action_look_back()
        self.action_enter()

    @on(Terminal.Prefix)
    def _prefix(self) -> None:
        self._ask(True)

    def _ask(self, asked: bool) -> None:
        self._asked = asked
        self._show_hint()

    def _show_hint(self) -> None:
        hint, terminal = self.query_one("#shell-hint", Static), self.terminal
        looks = terminal is not None and terminal.looks_back is not None
        ended = _ENDED if terminal is not None and terminal.ended else _HINT
        hint.update(_ASKED if self._asked else f"{_LOOKS}{self._note}" if looks else ended)
        hint.set_class(self._asked, "-asked")
        hint.set_class(looks and not self._asked, "-looks")

    @on(TabbedContent.TabActivated)
    def _activated(self) -> None:
        self._note = ""
        self._show_hint()

    # Looking back, and the clipboard

    @on(Terminal.LooksBack)
    def _looks(self, event: Terminal.LooksBack) -> None:
        self._note = event.note
        self.query_one(FilterBar).count(event.note.rpartition(" · ")[2] if " · " in event.note else "")
        self._show_hint()

    @on(Terminal.SearchWanted)
    def _search_wanted(self, event: Terminal.SearchWanted) -> None:
        self._ask_words(up=event.up)

    def _ask_words(self, *, up: bool) -> None:
        self._search_up = up
        self.query_one(FilterBar).open()

    @on(FilterBar.Changed, "#shell-search")
    def _searched(self, event: FilterBar.Changed) -> None:
        if (terminal := self.terminal) and event.value:
            terminal.search(event.value, up=self._search_up)

    @on(FilterBar.Left, "#shell-search")
    def _search_left(self) -> None:
        bar = self.query_one(FilterBar)
        if bar.filled:
            bar.remove_class("-open")
        self.action_enter()

    @on(Terminal.Copied)
    def _copied(self, event: Terminal.Copied) -> None:
        if not event.text:
            return
        self.app.copy_to_clipboard(event.text)
        who = "A program has put" if event.by_program else "Copied"
        self.notify(f"{who} {len(event.text)} characters{' on the clipboard' if event.by_program else ''}", timeout=3)

    def action_clipboard(self) -> None:
        """Programs may put text on the clipboard from now on, or no longer."""
        self._chosen.copies = not self._chosen.copies
        self._remember()
        for terminal in self.query(Terminal):
            terminal.let_copy(self._chosen.copies)
        may = "may put text on the clipboard" if self._chosen.copies else "cannot put text on the clipboard"
        self.notify(f"Programs in terminals {may} (OSC 52)", timeout=4)

    def action_look_back(self) -> None:
        if terminal := self.terminal:
            terminal.focus()
            terminal.look_back()

    def action_search(self) -> None:
        if terminal := self.terminal:
            terminal.look_back()
            self._ask_words(up=True)

    # Tabs

    @on(Terminal.Ended)
    def _ended(self, event: Terminal.Ended) -> None:
        pane = event.terminal.parent
        if not isinstance(pane, TabPane) or not pane.id:
            return
        if event.failed or not event.terminal.program.closes:
            if event.failed:
                self.notify(text.clean(event.reason), title="Terminal", severity="error", timeout=10, markup=False)
            self.query_one(TabbedContent).get_tab(pane).add_class("-ended")
            self._show_hint()
            return
        self._close(pane.id)

    @on(Terminal.KeyTooLate)
    def _key_too_late(self, event: Terminal.KeyTooLate) -> None:
        if self.is_current:
            self.workspace.guide.hold_keys(event.key)

    def action_run(self) -> None:
        self.run_worker(self._ask_run(), group="ask")

    def action_next(self, step: int) -> None:
        tabs = self.query_one(TabbedContent)
        order = [pane.id for pane in tabs.query(TabPane) if pane.id]
        if order:
            tabs.active = order[(order.index(tabs.active) + step) % len(order)]
            self.call_after_refresh(self.action_enter)

    def _bring(self, number: int) -> None:
        """Brings the tab of this place in the line to the front."""
        tabs = self.query_one(TabbedContent)
        order = [pane.id for pane in tabs.query(TabPane) if pane.id]
        if 1 <= number <= len(order):
            tabs.active = order[number - 1]
            self.call_after_refresh(self.action_enter)

    def action_close(self) -> None:
        if active := self.query_one(TabbedContent).active:
            self._close(active)

    @work
    async def _close(self, pane: str) -> None:
        """What is typed meanwhile goes to what is in front then."""
        tabs, guide = self.query_one(TabbedContent), self.workspace.guide
        if self.is_current:
            guide.hold_keys()
        await tabs.remove_pane(pane)
        if tabs.query(TabPane):
            self.action_enter()
            guide.release_keys()
            return
        self.remove_class("-some")
        if self.is_current:
            guide.go("containers", hold_keys=True)
        else:
            guide.release_keys()

    def _leave_if_empty(self) -> None:
        """Back to the containers if one came only to open a terminal, and has not."""
        if self.terminal is None:
            self.workspace.guide.go("containers")
        else:
            self.action_enter()

    def action_enter(self) -> None:
        if terminal := self.terminal:
            terminal.focus()


def _wrong(answers: Answers) -> str:
    if not answers.get("image", "any"):
        return "name an image"
    try:
        words(answers["command"])
    except InvalidArgument as error:
        return text.clean(str(error))
    return ""
