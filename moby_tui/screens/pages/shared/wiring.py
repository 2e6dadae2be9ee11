"""What the pages of containers and of the topology share: the forms that put a container into a network, take it out, and change ports."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from textual import work

from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.containers import Container

if TYPE_CHECKING:
    from moby_tui.screens.pages.shared.wiring_forms import WiringForms


class WiringPage(Page):
    """A page that opens the forms of networks and ports; its actions say when."""

    @cached_property
    def _wiring_forms(self) -> WiringForms:
        from moby_tui.screens.pages.shared.wiring_forms import WiringForms

        return WiringForms(self)

    @work(group="form", exclusive=True)
    async def connect_form(self, one: Container | None, network: str = "") -> None:
        await self._wiring_forms.connect(one, network)

    def disconnect_form(self, one: Container, network: str = "") -> None:
        self._wiring_forms.disconnect(one, network)

    def ports_form(self, one: Container) -> None:
        self._wiring_forms.ports(one)
