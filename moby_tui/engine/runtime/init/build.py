"""Builds the container's init for both processors: ``python -m moby_tui.engine.runtime.init.build [FOLDER]``.

Debian: gcc and gcc-aarch64-linux-gnu. The same compiler gives the same bytes; ``compiler.txt`` names the one that made those kept here.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MACHINES = ("x86_64", "aarch64")
_FLAGS = (
    *("-Os", "-std=c11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-fno-pic"),
    *(
        "-fno-stack-protector",
        "-fno-asynchronous-unwind-tables",
        "-fno-unwind-tables",
        "-fcf-protection=none",
        "-fno-ident",
        "-s",
    ),
    *("-Wl,--build-id=none", "-Wl,-z,noexecstack", "-Wl,-z,norelro", "-Wl,-z,max-page-size=4096", "-Wl,-z,noseparate-code"),
)


def compiler(machine: str) -> str:
    """The name of a compiler for the processor."""
    return "gcc" if machine == platform.machine() else f"{machine}-linux-gnu-gcc"


def version(machine: str) -> str:
    """What the compiler calls itself. Raises ``OSError`` if there is none."""
    return subprocess.run([compiler(machine), "-dumpfullversion"], capture_output=True, check=True, text=True).stdout.strip()


def build(machine: str, folder: Path) -> Path:
    """Compiles the program; returns its path. Raises ``subprocess.CalledProcessError``."""
    target = folder / f"{machine}.elf"
    flags = [flag for flag in _FLAGS if machine == "x86_64" or flag != "-fcf-protection=none"]
    subprocess.run([compiler(machine), *flags, "-o", str(target), str(HERE / "init.c")], check=True)
    return target


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name in MACHINES:
        print(build(name, where), version(name))
    (where / "compiler.txt").write_text(version(MACHINES[0]) + "\n")
