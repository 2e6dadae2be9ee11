"""Docker's command line plug-ins: programs ``docker-NAME`` in docker's folders (docs.docker.com, "CLI plugins")."""

from __future__ import annotations

import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where docker looks, behind ``cli-plugins`` in its configuration folder.
_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)

_PATIENCE = 10


def find(name: str, folder: str) -> Path | None:
    """The plug-in of this name, if there is one. ``folder`` is docker's configuration folder, empty for the usual one."""
    from moby_tui import docker_folder

    if not _is_name(name):
        return None
    own = docker_folder.find(folder) / "cli-plugins"
    candidates = (Path(folder, f"docker-{name}") for folder in (own, *_FOLDERS))
    return next((path for path in candidates if _is_program(path)), None)


def described(folder: str) -> Iterator[tuple[str, str]]:
    """The plug-ins that are there, by name, with what each says of itself in a line; those that say nothing are left out."""
    import json
    import subprocess

    from moby_tui import docker_folder

    paths: dict[str, Path] = {}
    for place in (docker_folder.find(folder) / "cli-plugins", *map(Path, _FOLDERS)):
        for path in sorted(place.glob("docker-*")) if place.is_dir() else ():
            name = path.name.removeprefix("docker-")
            if _is_name(name) and _is_program(path):
                paths.setdefault(name, path)
    for name, path in sorted(paths.items()):
        try:
            answer = subprocess.run([path, "docker-cli-plugin-metadata"], capture_output=True, timeout=_PATIENCE)
            yield name, str(json.loads(answer.stdout)["ShortDescription"])
        except (OSError, ValueError, LookupError, TypeError, subprocess.TimeoutExpired):
            continue


def _is_name(name: str) -> bool:
    return name.isascii() and name.isalnum()


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
