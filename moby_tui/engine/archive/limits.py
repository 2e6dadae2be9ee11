"""Limits on what others send (registries, servers, archives): how much is accepted, and how long a pause is waited for.

Each limit can be set in the environment of the process that takes it in (docs/registries.md, "Limits"); the daemon, where that does.
"""

from __future__ import annotations

import os

from moby_tui.errors import InvalidArgument

#: Seconds of silence, in connecting or in the middle of an answer.
PATIENCE = ("MOBY_PATIENCE", 30)
#: Bytes a second, on average over the time of silence above: less than the slowest mobile network has.
LEAST_RATE = ("MOBY_LEAST_RATE", 256)
#: Bytes that one archive may be decompressed to; no registry takes a layer of that size.
MOST_UNPACKED = ("MOBY_MOST_UNPACKED", 256 << 30)
#: Directories of one archive: they are held in memory until the end. A whole distribution has 30,000.
MOST_DIRECTORIES = ("MOBY_MOST_DIRECTORIES", 500_000)

#: Files of a tree that a build client sends: all that have changed are held in memory until their contents have come.
MOST_FILES = ("MOBY_MOST_FILES", 2_000_000)


def value(limit: tuple[str, int]) -> int:
    """What a limit is set to. Raises ``InvalidArgument``."""
    name, usual = limit
    text = os.environ.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and int(text[:19]) > 0 and len(text) < 19):
        raise InvalidArgument(f"{name}={text[:40]!r} is no limit: it is a whole number greater than 0")
    return int(text)
