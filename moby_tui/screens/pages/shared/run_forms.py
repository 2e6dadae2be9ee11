"""The form of ``moby run``, also filled with what a container was made with, and what is done with what it was filled with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from moby_tui.errors import NotFound
from moby_tui.schema.container import ContainerConfig, ContainerInspect
from moby_tui.screens import text
from moby_tui.screens.dialogs.command_form import CommandForm
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.dialogs.form import Field
from moby_tui.screens.forms import running, writing
from moby_tui.screens.forms.draft import FIELDS, NAME, RESTARTS, differences, draft, live_changes, live_line, settings
from moby_tui.screens.forms.options import Settings, command_line, settings_of
from moby_tui.screens.forms.request import RunRequest
from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.trouble import TROUBLE


class RunForms:
    """Opens the forms over a page."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session

    async def run(self, image: str = "") -> None:
        """Asks what is to run, and runs it."""
        filled = draft(Settings(image))
        self._ask("Run a container", "Run", filled, await self._choices(), self._run)

    async def duplicate(self, identifier: str) -> None:
        """The form with what a container was made with; without its name, its addresses and its ports of the host."""
        if old := await self._looked_at(identifier):
            made = settings_of(old[0], old[1], name=False)
            title = f"Another one like {text.clean(old[0].name.removeprefix('/'))}"
            self._ask(title, "Run", draft(made), await self._choices(), self._run)

    async def edit(self, identifier: str) -> None:
        """The form with what a container was made with. The differences are shown before the container is changed or replaced."""
        if not (looked_at := await self._looked_at(identifier)):
            return
        old, before = looked_at[0], settings_of(looked_at[0], looked_at[1], keep_volumes=True)
        name = text.clean(old.name.removeprefix("/"))
        filled = draft(before)
        # as the form writes it, so that only what the person changes differs
        before = settings(filled)
        change = partial(self._change, old, before)
        self._ask(f"Edit {name}", "Compare", filled, await self._choices(), change)

    async def copy_command(self, identifier: str) -> None:
        """Copies the command line that makes such a container again."""
        if looked_at := await self._looked_at(identifier):
            line = text.clean(command_line(settings_of(looked_at[0], looked_at[1], keep_volumes=True).words()))
            self._page.app.copy_to_clipboard(line)
            self._page.notify(line, title="Copied", markup=False)

    async def _looked_at(self, identifier: str) -> tuple[ContainerInspect, ContainerConfig | None] | None:
        client = self._session.client
        try:
            old = await client.containers.inspect(identifier)
            try:
                return old, (await client.images.inspect(old.image)).config
            except NotFound:
                return old, None
        except TROUBLE as error:
            self._page.notify(text.clean(str(error)), severity="error", timeout=10, markup=False)
            return None

    async def _choices(self) -> dict[str, tuple[str, ...]]:
        """What the lines offer; nothing while the engine is lost."""
        choices = {"restarts": RESTARTS, "images": (), "networks": ()}
        try:
            images = await self._session.client.images.list()
            networks = await self._session.client.networks.list()
        except TROUBLE:
            return choices
        names = [tag for one in images for tag in one.repo_tags or [] if tag != "<none>:<none>"]
        return {
            **choices,
            "images": tuple(text.clean(name) for name in names),
            "networks": tuple(text.clean(one.name) for one in networks),
        }

    def _ask(
        self,
        title: str,
        verb: str,
        filled: dict[str, str],
        choices: dict[str, tuple[str, ...]],
        then: Callable[[dict[str, str]], object],
    ) -> None:
        fields = [Field(one.id, one.label, filled[one.id], one.hint, choices.get(one.choices, ())) for one in FIELDS]

        def answered(written: dict[str, str] | None) -> None:
            if written is not None:
                then(written)

        reading = partial(writing.tell, reader=self._page.workspace.command_line.read_run)
        self._page.app.push_screen(CommandForm(title, verb, fields, reading), answered)

    def _run(self, written: dict[str, str]) -> None:
        request = writing.read(written, self._page.workspace.command_line.read_run)
        self._do("Run", lambda: running.run(self._session.client, request), request, command_line(settings(written).words()))

    def _change(self, old: ContainerInspect, before: Settings, written: dict[str, str]) -> None:
        after = settings(written)
        request = writing.read(written, self._page.workspace.command_line.read_run)
        name, differing = text.clean(old.name.removeprefix("/")), differences(before, after)
        if not differing:
            self._page.notify(f"{name} stays as it is: nothing was changed", markup=False)
            return
        listed = "\n".join(differing)
        if changed := live_changes(before, after):
            only = "its name" if changed == {NAME} else "its name and limits" if NAME in changed else "limits"
            consequence = f"{listed}\n\nOnly {only} changed: the engine changes the container as it runs."
            action: Callable[[], Awaitable[object]] = lambda: running.change(self._session.client, old, request, changed)  # noqa: E731
            verb, line = "Rename" if changed == {NAME} else "Update", live_line(name, after, changed)
        else:
            consequence = (
                f"{listed}\n\nA new container takes its place: what {name} wrote outside volumes is lost, its log too. Volumes stay. "
                "The old one is removed once the new one has started; until then everything can go back."
            )
            action = lambda: running.replace(self._session.client, old, request)  # noqa: E731
            verb, line = "Replace", command_line(after.words())

        def answered(yes: bool | None) -> None:
            if yes:
                self._do(verb, action, request, line)

        self._page.app.push_screen(Confirm(f"{verb} {name}?", consequence, verb), answered)

    def _do(self, verb: str, action: Callable[[], Awaitable[object]], request: RunRequest, command: str) -> None:
        what = text.clean(request.name or request.config.image)
        self._page.attempt(verb, action, f"{what} runs" if verb == "Run" else f"{what} is changed", command=text.clean(command))
