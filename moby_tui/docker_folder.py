"""The folder in which docker's command line keeps its choices, and its ``config.json``, which holds logins and the context in use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from moby_tui.errors import MobyError

Json = dict[str, Any]


def find(given: str | Path | None = None) -> Path:
    """``given``, or ``DOCKER_CONFIG``, or ``~/.docker``."""
    folder = given or os.environ.get("DOCKER_CONFIG")
    return Path(folder) if folder else Path("~/.docker").expanduser()


def read_configuration(file: Path) -> Json:
    """``config.json``; empty if there is none. Raises ``MobyError`` for one that is damaged."""
    try:
        configuration = json.loads(file.read_text())
    except (FileNotFoundError, PermissionError, RuntimeError, NotADirectoryError):
        return {}
    except (ValueError, RecursionError) as error:
        raise MobyError(f"{file} is not readable as JSON ({error}); repair or remove it") from error
    if not isinstance(configuration, dict) or not isinstance(configuration.get("auths") or {}, dict):
        raise MobyError(f"{file} is not a configuration of docker; repair or remove it")
    return configuration


def write_configuration(file: Path, configuration: Json) -> None:
    """For its owner only. Raises ``MobyError``."""
    try:
        write_whole(file, json.dumps(configuration, indent="\t").encode(), secret=True)
    except OSError as error:
        raise MobyError(f"cannot write {file}: {error.strerror}") from error


def write_whole(file: Path, data: bytes, *, secret: bool) -> None:
    """Whole or not at all; a link in the file's place is kept. ``secret``: for its owner only. Raises ``OSError``."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700 if secret else 0o755, parents=True, exist_ok=True)
        mode = 0o600 if secret else 0o644
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as out:
            out.write(data)
        os.replace(new, file.resolve())
    except OSError:
        new.unlink(missing_ok=True)
        raise
