"""What the page of the containers shows in place of an empty list: what can be done with this folder and this engine."""

from __future__ import annotations

import asyncio
import os
import shlex

from textual import on, work
from textual.widget import Widget

from moby_tui.errors import MobyError
from moby_tui.screens import text
from moby_tui.screens.pages.shared.running import RunningPage
from moby_tui.screens.widgets.lines.offers_view import OffersView

#: Lines that are shown of what a failed ``docker compose`` has written.
MOST_LINES = 20


class OffersPage(RunningPage):
    """The page's content has an ``OffersView``; the class ``-offers`` shows it, and hides the list."""

    def offer(self, listing: type[Widget], *, empty: bool) -> None:
        """Shows the offers while the list is empty, once the engine has answered. ``listing`` is the list's widget."""
        shown = empty and self.session.connection.up
        if shown == self.has_class("-offers"):
            return
        self.set_class(shown, "-offers")
        view, table = self.query_one(OffersView), self.query_one(listing)
        if shown:
            self._look_for_offers()
            if table.has_focus:
                view.focus()
        elif view.has_focus:
            table.focus()

    @work(group="offers", exclusive=True)
    async def _look_for_offers(self) -> None:
        from moby_tui.screens.onboarding.offers import look, offers

        seen = await asyncio.to_thread(look, os.getcwd())
        missing = "compose goes to the engine of the start: start the dashboard on this one" if self.session.engine_name else ""
        if seen.compose and not missing:
            missing = self.workspace.command_line.compose.missing()
        engine, read_only = self.session.connection.engine, self.session.read_only
        self.query_one(OffersView).tell(offers(seen, engine=engine, read_only=read_only, compose_missing=missing))

    @on(OffersView.Taken)
    def _taken(self, event: OffersView.Taken) -> None:
        if event.offer.id == "hello":
            from moby_tui.schema.container import ContainerCreate
            from moby_tui.screens.forms import running
            from moby_tui.screens.forms.request import RunRequest
            from moby_tui.screens.onboarding.offers import HELLO

            request = RunRequest("", ContainerCreate(image=HELLO))
            run = lambda: running.run(self.session.client, request)  # noqa: E731
            self.attempt("Run", run, f"{HELLO} has run: its log is below", command=f"moby run -d {HELLO}")
        elif event.offer.id == "pull":
            self.workspace.guide.act("images", "image.pull")
        elif event.offer.id == "run":
            self.run_form()
        elif event.offer.id == "build":
            self.workspace.guide.go("build", os.getcwd())
        else:
            self._compose_up(event.offer.path)

    def _compose_up(self, file: str) -> None:
        async def up() -> None:
            code, output = await self.workspace.command_line.compose.up(self.session.client, file)
            if code:
                from moby_tui.screens.dialogs.confirm import Notice

                lines = [text.clean(line) for line in output.splitlines()[-MOST_LINES:]]
                self.app.push_screen(Notice(f"docker compose up: exit code {code}", "\n".join(lines)))
                raise MobyError(f"docker compose up has ended with exit code {code}")

        self.notify("docker compose up: it goes on in the background", markup=False)
        self.attempt("Compose", up, "docker compose up: done", command=shlex.join(["moby", "compose", "-f", file, "up", "-d"]))
