"""The monitor's loop: no descriptor gets the events of another that had its number before."""

from __future__ import annotations

import os

import pytest

from moby_tui.engine.kernel.loop import READ, Loop


def _readable() -> int:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    os.close(writing)
    return reading


@pytest.mark.parametrize("nested", [False, True])
def test_a_number_that_is_given_anew(nested: bool) -> None:
    """Of two that are ready at once, whichever is called first closes the other, whose number a silent pipe then gets."""
    loop = Loop()
    both = [_readable(), _readable()]
    calls: list[str] = []
    silent: list[int] = []

    def ready(mine: int, other: int) -> None:
        calls.append("ready")
        for fd in (mine, other):
            loop.remove(fd)
        os.close(other)
        silent.extend(os.pipe())
        assert other in silent[:2]
        loop.watch(silent[0] if silent[0] == other else silent[1], READ, lambda _: calls.append("silent"))
        if nested:
            loop.run_until(lambda: False, 0.01)

    for mine, other in (both, both[::-1]):
        loop.watch(mine, READ, lambda _, mine=mine, other=other: ready(mine, other))  # type: ignore[misc]
    loop.run_until(lambda: bool(calls), 5)
    loop.run_until(lambda: False, 0.05)
    assert calls == ["ready"]
    for fd in (*silent, *({*both} - {*silent})):
        os.close(fd)


def test_what_is_ready_later_is_told() -> None:
    loop = Loop()
    reading, writing = os.pipe()
    calls: list[bytes] = []
    loop.watch(reading, READ, lambda _: calls.append(os.read(reading, 10)))
    assert not loop.run_until(lambda: bool(calls), 0.01)
    os.write(writing, b"late")
    assert loop.run_until(lambda: bool(calls), 5)
    assert calls == [b"late"]
    for fd in (reading, writing):
        os.close(fd)
