"""A process that is killed while it removes images: the next one leaves nothing of them, and nothing half-removed is used."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import images_data
from images_data import ImageData, Tar
from moby_tui.engine.kernel import fault

Cli = Callable[..., subprocess.CompletedProcess[str]]
POINTS = [
    ("database.before commit", 1),
    ("database.committed", 1),
    ("database.before commit", 2),
    ("database.committed", 2),
    ("database.before commit", 3),
    ("images.sweep layer", 1),
    ("images.sweep layer", 2),
    ("images.sweep blob", 1),
    ("images.sweep blob", 3),
]
REMOVALS = [("rmi", "-f", "a:1", "b:1"), ("system", "prune", "-af")]


def furnish(cli: Cli, folder: Path) -> None:
    base = Tar().add("base", data=b"base").bytes()
    images = [ImageData([base, Tar().add(name, data=name.encode()).bytes()]) for name in ("a", "b")]
    archive = folder / "images.tar"
    archive.write_bytes(images_data.docker_archive((images[0], ["a:1"]), (images[1], ["b:1"])))
    cli("load", "-i", str(archive))


def content(data_root: Path) -> list[str]:
    return [name for folder in ("layers", "blobs/sha256", "staging") for name in os.listdir(data_root / folder)]


@pytest.mark.parametrize("removal", REMOVALS, ids=" ".join)
@pytest.mark.parametrize(("point", "hit"), POINTS)
def test_the_next_process_ends_it(
    roots: tuple[Path, Path], cli: Cli, tmp_path: Path, removal: tuple[str, ...], point: str, hit: int
) -> None:
    furnish(cli, tmp_path)
    plan = tmp_path / "fault"
    plan.write_text(json.dumps({"point": point, "hit": hit, "action": "kill"}))
    killed = cli(*removal, check=False, env={fault.VARIABLE: str(plan)})
    assert killed.returncode == -9 and (tmp_path / "fault.fired").exists()
    for name in cli("images", "-q", "--no-trunc").stdout.split():
        cli("save", "-o", str(tmp_path / "whole.tar"), name)
    cli("image", "prune", "-af")
    assert content(roots[0]) == []


def test_after_rmi_alone_any_command_sweeps_what_is_left(roots: tuple[Path, Path], cli: Cli, tmp_path: Path) -> None:
    furnish(cli, tmp_path)
    plan = tmp_path / "fault"
    plan.write_text(json.dumps({"point": "images.sweep layer", "hit": 1, "action": "kill"}))
    cli("rmi", "a:1", check=False, env={fault.VARIABLE: str(plan)})
    cli("rmi", "b:1")
    cli("images")
    assert content(roots[0]) == []
