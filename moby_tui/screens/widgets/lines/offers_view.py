"""What can be done on an engine without containers: one line and one key for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.message import Message

from moby_tui.screens.actions.action import Action, bindings
from moby_tui.screens.onboarding.offers import Offer
from moby_tui.screens.palette import ink
from moby_tui.screens.widgets.lines.lines_view import LinesView

_TITLE = 28


class OffersView(LinesView):
    """``tell`` says what is offered. Enter takes the one under the cursor."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="offer.hello", title="Hello", keys="h", call="take('hello')", tooltip="Run the image that ships with moby"),
        Action(id="offer.pull", title="Pull", keys="p", call="take('pull')", tooltip="Pull an image from its registry"),
        Action(id="offer.run", title="Run", keys="n", call="take('run')", tooltip="Fill in the form of moby run, and run it"),
        Action(id="offer.build", title="Build", keys="b", call="take('build')", tooltip="Build the Dockerfile of this folder"),
        Action(
            id="offer.compose",
            title="Compose",
            keys="u",
            call="take('compose')",
            tooltip="docker compose up for the file in this folder",
        ),
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(ACTIONS)

    class Taken(Message):
        """An offer was taken that can be."""

        def __init__(self, offer: Offer) -> None:
            super().__init__()
            self.offer = offer

    def __init__(self, *, id: str) -> None:
        super().__init__(self._line, id=id)
        self.offers: Sequence[Offer] = ()

    def tell(self, offers: Sequence[Offer]) -> None:
        if offers != self.offers:
            self.offers = offers
            self.show(len(offers))
            self.screen.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is not offered has no key; what cannot be taken is greyed."""
        if action != "take":
            return True
        offer = next((one for one in self.offers if one.id == parameters[0]), None)
        return False if offer is None else None if offer.missing else True

    def action_take(self, identifier: str) -> None:
        for offer in self.offers:
            if offer.id == identifier:
                self._take(offer)

    def action_enter(self) -> None:
        if 0 <= self.cursor < len(self.offers):
            self._take(self.offers[self.cursor])

    def _take(self, offer: Offer) -> None:
        if offer.missing:
            self.notify(offer.missing, title=offer.title, severity="warning", markup=False)
        else:
            self.post_message(self.Taken(offer))

    def _line(self, number: int) -> Text:
        offer, variables = self.offers[number], self.app.theme_variables
        muted = ink(variables, "text-muted")
        line = Text().append(f"  {offer.key}  ", muted if offer.missing else f"bold {ink(variables, 'primary')}")
        longest = max(len(one.title) for one in self.offers) + 2
        line.append(f"{offer.title:<{min(longest, _TITLE)}} ", muted if offer.missing else "bold")
        line.append(offer.missing or offer.about, muted)
        if width := self.size.width:
            line.truncate(max(width - 2, 1), overflow="ellipsis")
        return line
