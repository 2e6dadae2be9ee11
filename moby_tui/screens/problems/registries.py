"""The digests that registries have for names of images: asked a few at a time, each with a bound, and kept for hours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moby_tui.screens import text
from moby_tui.screens.problems.finding import full_name
from moby_tui.screens.session.logins import login_for
from moby_tui.screens.session.trouble import TROUBLE

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

#: An answer holds for so long, and a failure; seconds.
HOLDS, FAILURE_HOLDS = 6 * 3600.0, 1800.0
#: Names that are asked for in one round, so many at a time, each for so long; seconds.
MOST, AT_ONCE, PATIENCE = 100, 4, 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``at`` is Unix seconds; ``error`` says in clean text why there is no ``digest``."""

    at: float
    digest: str = ""
    error: str = ""

    def holds(self, now: float) -> bool:
        return now - self.at < (FAILURE_HOLDS if self.error else HOLDS)


class RegistryDigests:
    """What is known of registries, by the names of images with their tags (``nginx:1.29``)."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    @property
    def digests(self) -> Mapping[str, str]:
        return {name: answer.digest for name, answer in self._answers.items() if answer.digest}

    @property
    def errors(self) -> Mapping[str, str]:
        return {name: answer.error for name, answer in self._answers.items() if answer.error}

    def forget_errors(self) -> None:
        """Another engine may reach what this one did not."""
        self._answers = {name: answer for name, answer in self._answers.items() if not answer.error}

    def forget(self, names: Iterable[str]) -> None:
        """Images of these names have come from their registries or gone to them just now."""
        for name in names:
            self._answers.pop(full_name(name), None)

    def keep(self, names: Iterable[str]) -> None:
        """Forgets all other names."""
        kept = set(names)
        self._answers = {name: answer for name, answer in self._answers.items() if name in kept}

    def due(self, names: Iterable[str], now: float) -> list[str]:
        """The names of which nothing is known that still holds."""
        return [name for name in names if not (answer := self._answers.get(name)) or not answer.holds(now)][:MOST]

    async def ask(self, client: Client, names: Iterable[str], now: float) -> None:
        """Asks the engine what the registries of these names have."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def ask_one(name: str) -> None:
            async with turns:
                self._answers[name] = await _answer(client, name, now)

        await asyncio.gather(*map(ask_one, names))


async def _answer(client: Client, name: str, now: float) -> Answer:
    try:
        async with asyncio.timeout(PATIENCE):
            there = await client.registry.inspect(name, auth=await login_for(name))
    except TimeoutError:
        return Answer(now, error=f"no answer within {PATIENCE:.0f} seconds")
    except TROUBLE as error:
        return Answer(now, error=text.clean(str(error)))
    return Answer(now, text.clean(there.descriptor.digest))
