"""What pages that run containers share: the form of ``moby run``, also filled with what a container was made with."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from textual import work

from moby_tui.screens.pages.page import Page

if TYPE_CHECKING:
    from moby_tui.screens.pages.shared.run_forms import RunForms


class RunningPage(Page):
    """The page's own actions say when the form is opened."""

    @cached_property
    def _run_forms(self) -> RunForms:
        from moby_tui.screens.pages.shared.run_forms import RunForms

        return RunForms(self)

    @work(group="form", exclusive=True)
    async def run_form(self, image: str = "") -> None:
        await self._run_forms.run(image)

    @work(group="form", exclusive=True)
    async def duplicate_form(self, identifier: str) -> None:
        await self._run_forms.duplicate(identifier)

    @work(group="form", exclusive=True)
    async def edit_form(self, identifier: str) -> None:
        await self._run_forms.edit(identifier)

    @work(group="form", exclusive=True)
    async def copy_command(self, identifier: str) -> None:
        await self._run_forms.copy_command(identifier)
