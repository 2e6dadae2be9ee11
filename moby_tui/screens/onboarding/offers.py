"""The offers, and what is in the folder from which the dashboard was started."""

from __future__ import annotations

import os
from dataclasses import dataclass

from moby_tui.screens import text

#: As docker compose looks for them (compose-spec, 03-compose-file.md).
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
#: The image that moby's engine makes by itself.
HELLO = "moby/hello"


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder has; ``compose`` is the path of its compose file, empty without one."""

    folder: str
    has_dockerfile: bool = False
    compose: str = ""


def look(folder: str) -> Found:
    """Looks into a folder. Blocks."""
    files = (os.path.join(folder, name) for name in COMPOSE_FILES)
    compose = next((path for path in files if os.path.isfile(path)), "")
    return Found(folder, os.path.isfile(os.path.join(folder, "Dockerfile")), compose)


@dataclass(frozen=True, slots=True)
class Offer:
    """``id`` is the action's name, ``key`` its key; ``missing`` says why it cannot be taken; ``path`` is the file that it is about."""

    id: str
    key: str
    title: str
    about: str
    missing: str = ""
    path: str = ""


def offers(found: Found, *, engine: str, read_only: bool, compose_missing: str) -> list[Offer]:
    """``engine`` is the name of the engine with its version."""
    refused = "the dashboard is read-only" if read_only else ""
    no_hello = "" if engine.startswith("moby ") else f"it ships with moby, and this engine is {engine or 'another'}"
    made = [
        Offer(
            "hello", "h", f"Run {HELLO}", "a first container; the image ships with moby and needs no network", refused or no_hello
        ),
        Offer("pull", "p", "Pull an image", "from its registry, as nginx or ghcr.io/owner/name", refused),
        Offer("run", "n", "Run a container", "the form of moby run", refused),
    ]
    if found.has_dockerfile:
        about = text.clean(os.path.join(found.folder, "Dockerfile"))
        made.append(Offer("build", "b", "Build the Dockerfile here", about, refused))
    if found.compose:
        made.append(
            Offer("compose", "u", "docker compose up", text.clean(found.compose), refused or compose_missing, found.compose)
        )
    return made
