"""Every step of a container's life, and a process killed just there: the next engine puts it right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from fault_stage import Stage, points

#: Those of images have tests of their own (``tests/images/test_removal_cut_short.py``).
POINTS = [name for name in points() if not name.startswith(("images.", "layer."))]
#: A creation or a removal that is killed may leave anonymous volumes, which belong to nobody: ``volume prune`` removes them, as with dockerd.
LEAVES_VOLUMES = ("create.", "database.", "kill.")
_passed: Counter[str] = Counter()


def _passes(stage: Stage, name: str) -> int:
    """How often an undisturbed life, or what follows one that was cut short, passes a point."""
    if not _passed:
        _passed.update(stage.play("life")["hits"])
        stage.play("orphans")
        _passed.update({hit: 1 for hit in stage.play("reconcile", start=False)["hits"] if hit.startswith("settle.")})
    return _passed[name]


def _scenario(stage: Stage, name: str) -> tuple[str, dict[str, Any]]:
    """The scenario that passes the point."""
    if name.startswith("settle."):
        stage.play("orphans")
        return "reconcile", {"start": False}
    return "life", {}


def _disturb(stage: Stage, name: str, hit: int, *, start: bool, **action: object) -> None:
    scenario, options = _scenario(stage, name)
    try:
        first = stage.play(scenario, {"point": name, "hit": hit, **action}, **options)
        next_engine = stage.play("reconcile", start=start)
        pruned = stage.play("prune") if name.startswith(LEAVES_VOLUMES) else {"wrong": []}
        left = stage.left_behind()
        again = stage.play("again")
        assert first["fired"]
        assert (first["wrong"], next_engine["wrong"], next_engine["said"]) == ([], [], []), first
        assert (pruned["wrong"], left) == ([], []), first
        assert again["wrong"] == []
    except AssertionError:
        # the next test shall not fail for what this one found
        stage.furnish()
        raise


def test_every_point_is_passed(stage: Stage) -> None:
    assert [name for name in POINTS if _passes(stage, name) == 0] == []


@pytest.mark.parametrize("name", POINTS)
def test_whoever_passes_it_is_killed(stage: Stage, name: str) -> None:
    # how often a monitor prepares a restart depends on how soon its container is removed
    for hit in (1,) if name.startswith("restart.") else sorted({1, min(2, _passes(stage, name))}):
        _disturb(stage, name, hit, start=hit == 2, action="kill")


@pytest.mark.parametrize("name", POINTS)
def test_the_engine_is_killed_meanwhile(stage: Stage, name: str) -> None:
    _disturb(stage, name, 1, start=False, action="kill", victim="moby-engine")
