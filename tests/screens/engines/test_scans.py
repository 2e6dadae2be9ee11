"""A scan of an image by a scanner that is installed: the command of the documentation, over the real engine and command line.

The scanner of the test is a program that lists what is in the archive which it is handed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moby_tui.engine.engine import Engine
from moby_tui.screens.dialogs.confirm import Notice
from moby_tui.screens.preferences import Preferences
from screens.conftest import Eventually, Open
from screens.typing_keys import typed

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "dashboard.md"
SCANNER = f"""#!{sys.executable}
import json, sys, tarfile
assert sys.argv[1:3] == ["image", "--input"], sys.argv
with tarfile.open(sys.argv[3]) as archive:
    manifest = json.load(archive.extractfile("manifest.json"))
print("scanned", len(manifest), "image,", len(manifest[0]["Layers"]), "layer: CVE-2024-0001 \\x1b[31mHIGH")
sys.exit(1)
"""


def documented() -> Preferences:
    section = DOCUMENTATION.read_text().partition("## Commands of one's own")[2]
    example = section.partition("```json\n")[2].partition("```")[0]
    return msgspec.convert(json.loads(example), Preferences)


async def test_the_scanner_of_the_documentation_gets_the_image(
    roots: tuple[Path, Path],
    engine: Any,
    busybox: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    open_dashboard: Open,
    eventually: Eventually,
) -> None:
    scanner, moby = tmp_path / "trivy", tmp_path / "moby"
    scanner.write_text(SCANNER)
    moby.write_text(f'#!/bin/sh\nexec {sys.executable} -m moby_tui "$@"\n')
    for program in (scanner, moby):
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("MOBY_DATA_ROOT", str(roots[0]))
    monkeypatch.setenv("MOBY_EXEC_ROOT", str(roots[1]))
    chosen = documented()
    assert [one.page for one in chosen.commands] == ["images", "containers", "images"]
    async with open_dashboard(lambda: Engine.open(*roots), chosen) as (app, pilot):
        assert not app._notifications, "its keys are free"
        await typed(app, pilot, "2")
        await eventually(pilot, lambda: app.current_mode == "images" and app.screen.chosen)
        await typed(app, pilot, "f9")
        await eventually(pilot, lambda: isinstance(app.screen, Notice) and app.screen.query("#consequence"))
        told = str(app.screen.query_one("#consequence").render())
        assert "scanned 1 image, 1 layer: CVE-2024-0001 HIGH" in told and "\x1b" not in told, told
        assert (await engine.images.inspect(busybox)).id in next(iter(app.session.activity)).command
