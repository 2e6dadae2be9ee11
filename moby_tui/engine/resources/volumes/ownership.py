"""The options ``uid``, ``gid`` and ``mode`` of the driver ``local``: owner and mode of a new volume's own folder (podman-volume-create(1)).

They are written by themselves, or as words of ``o``, as podman has them: ``o=uid=1000,gid=1000``.
"""

from __future__ import annotations

import os
import re

import msgspec

from moby_tui.errors import InvalidArgument

KEYS = ("uid", "gid", "mode")
#: One less than the highest: that means "leave as it is" to chown(2).
_HIGHEST = 2**32 - 2
_MODE = re.compile(r"[0-7]{1,5}", re.ASCII)
_MODE_BITS = 0o7777


class Ownership(msgspec.Struct, frozen=True):
    """Owner and mode as they are on disk; what is None is as the volume has it in any case."""

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None

    def apply(self, folder: int) -> None:
        """Gives them to an open folder. Raises ``OSError``."""
        if self.uid is not None or self.gid is not None:
            os.fchown(folder, -1 if self.uid is None else self.uid, -1 if self.gid is None else self.gid)
        if self.mode is not None:
            os.fchmod(folder, self.mode)


#: A new volume's for which nothing is asked.
PLAIN = Ownership(0, 0, 0o755)


def of(options: dict[str, str] | None) -> Ownership | None:
    """What a volume's options ask for; None for nothing. Raises ``InvalidArgument``."""
    chosen = {name: value for name, value in (options or {}).items() if name in KEYS}
    if options and is_of_podman(options):
        for word in options["o"].split(","):
            name, _, value = word.partition("=")
            if name in chosen:
                raise InvalidArgument(f"the volume option {name} is given twice: leave one out")
            chosen[name] = value
    if not chosen:
        return None
    if "type" in (options or {}):
        raise InvalidArgument(
            f"the volume option {next(iter(chosen))} does not go with type: tell the file system in o, as o=uid=1000"
        )
    return Ownership(_id("uid", chosen), _id("gid", chosen), _mode(chosen))


def is_of_podman(options: dict[str, str]) -> bool:
    """True if ``o`` stands alone and has nothing but these words: no file system is mounted."""
    words = options.get("o", "").split(",")
    return not {"type", "device"} & options.keys() and all(word.partition("=")[0] in KEYS for word in words)


def _id(name: str, asked: dict[str, str]) -> int | None:
    if name not in asked:
        return None
    value = asked[name]
    if not (value.isascii() and value.isdecimal() and int(value[:11]) <= _HIGHEST):
        raise InvalidArgument(f"invalid value for the volume option {name}: {value!r}; it is a number, as {name}=1000")
    return int(value)


def _mode(asked: dict[str, str]) -> int | None:
    if "mode" not in asked:
        return None
    value = asked["mode"]
    if _MODE.fullmatch(value) is None or int(value, 8) > _MODE_BITS:
        raise InvalidArgument(f"invalid value for the volume option mode: {value!r}; it is octal, as mode=0750")
    return int(value, 8)
