"""Completes paths of this machine as they are typed."""

from __future__ import annotations

import asyncio
import os

from textual.suggester import Suggester

#: Entries of a folder that are looked at.
MOST = 10_000


class PathSuggester(Suggester):
    """Suggests the first entry of the folder, in the order of names, that begins with what is typed; a folder with its slash."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(complete, value)


def complete(value: str) -> str | None:
    """The path that ``value`` begins. None if there is none."""
    folder, slash, begun = value.rpartition("/")
    names: list[tuple[str, bool]] = []
    try:
        with os.scandir(os.path.expanduser(folder + slash) or ".") as entries:
            for _, entry in zip(range(MOST), entries, strict=False):
                # hidden ones are offered to those who type the dot
                if entry.name.startswith(begun) and (begun or not entry.name.startswith(".")) and entry.name.isprintable():
                    names.append((entry.name, entry.is_dir()))
    except OSError:
        return None
    if not names or not value:
        return None
    name, is_folder = min(names)
    return f"{folder}{slash}{name}{'/' if is_folder else ''}"
