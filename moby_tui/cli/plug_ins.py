"""Docker's command line plug-ins: programs ``docker-NAME`` in docker's folders (docs.docker.com, "CLI plugins")."""

from __future__ import annotations

import os
from pathlib import Path

#: Where docker looks, behind ``cli-plugins`` in its configuration folder.
_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


def find(name: str, folder: str) -> Path | None:
    """The plug-in of this name, if there is one. ``folder`` is docker's configuration folder, empty for the usual one."""
    from moby_tui import docker_folder

    if not name.isascii() or not name.isalnum():
        return None
    own = docker_folder.find(folder) / "cli-plugins"
    candidates = (Path(folder, f"docker-{name}") for folder in (own, *_FOLDERS))
    return next((path for path in candidates if path.is_file() and os.access(path, os.X_OK)), None)
