"""Programs that the tests call, and that `make test` installs."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def require(program: str) -> str:
    """The program's path. Debian's own suite has it, so a machine without it fails the test."""
    return shutil.which(program) or pytest.fail(f"{program} is missing: `make test` installs it")


def require_plug_ins(*names: str) -> None:
    """docker's plug-ins, which come from a newer suite of Debian. Where that could not be fetched, the test is skipped."""
    for name in names:
        if subprocess.run([require("docker"), name, "version"], capture_output=True).returncode != 0:
            pytest.skip(f"packaging/debian-plug-ins could not fetch docker's {name} from the newer Debian suite, and says why")
