"""Types keys, and waits until what they do is done."""

from __future__ import annotations

from collections.abc import Callable

from textual.pilot import Pilot

from moby_tui.screens.app import Dashboard


async def typed(app: Dashboard, pilot: Pilot[None], *keys: str) -> None:
    """As ``pilot.press``; a busy machine may still hand on the last keys when that returns."""
    await pilot.press(*keys)
    for _ in range(400):
        if not app._keys.busy:
            break
        await pilot.pause(0.02)
    await pilot.pause()


async def until(pilot: Pilot[None], condition: Callable[[], object], tries: int = 300) -> None:
    """Waits for what must come; fails if it does not."""
    for _ in range(tries):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came true")
