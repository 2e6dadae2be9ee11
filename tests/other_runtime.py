"""Debian's OCI runtimes, as programs that work on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

_UNIFIED = Path("/sys/fs/cgroup/unified")


def program(name: str, folder: Path) -> str:
    """Its path. Debian's crun refuses a hybrid hierarchy, so it is wrapped, in ``folder``, and does not get to see this machine's."""
    found = shutil.which(name)
    assert found, f"{name} is not installed: make test installs it"
    if not _UNIFIED.is_mount():
        return found
    wrapper = folder / name
    script = f'umount {_UNIFIED}; exec {found} "$@"'
    wrapper.write_text(f"#!/bin/sh\nexec unshare -m sh -c '{script}' sh \"$@\"\n")
    wrapper.chmod(0o755)
    return str(wrapper)
