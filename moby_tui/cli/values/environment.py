"""Key-value options: ``-e``, ``--env-file``, ``--label``, ``--label-file``, ``--sysctl``, ``--log-opt``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from moby_tui.cli import session
from moby_tui.cli.encoding import valid
from moby_tui.errors import InvalidArgument


def _file_entries(path: str) -> list[str]:
    """The lines that are neither empty nor comments. Raises ``InvalidArgument`` if the file cannot be read or a name is malformed."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidArgument(session.phrase(f"cannot read {path}: {reason}", f"open {path}: {reason}")) from None
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{path} is not valid UTF-8 at byte {error.start}") from None
    entries = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name = line.partition("=")[0]
        if not name:
            raise InvalidArgument(f"{path}, line {number}: no name before the equals sign")
        if name != name.rstrip() or any(c.isspace() for c in name):
            raise InvalidArgument(f"{path}, line {number}: the name {name!r} contains white space")
        entries.append(line)
    return entries


def environment(items: Iterable[str], files: Iterable[str], inherited: Mapping[str, str]) -> list[str]:
    """``KEY=value`` lines, those of the files first. A bare ``KEY`` takes the caller's value.

    Where the caller has none, one from a file is dropped, and one given by itself stays bare: it unsets what the image has set.
    Raises ``InvalidArgument``.
    """
    result = []
    for entry, from_file in (
        *((entry, True) for path in files for entry in _file_entries(path)),
        *((item, False) for item in items),
    ):
        name, separator, _ = entry.partition("=")
        if not name or "\0" in entry:
            raise InvalidArgument(f"invalid environment variable: {entry!r}")
        if separator or (name not in inherited and not from_file):
            result.append(entry)
        elif name in inherited:
            result.append(valid(f"{name}={inherited[name]}"))
    return result


def pairs(option: str, items: Iterable[str], files: Iterable[str] = ()) -> dict[str, str]:
    """``key=value`` options as a mapping, later ones winning. Raises ``InvalidArgument``.

    Without an equals sign, an option has an empty value, and a line of a file counts as none, as with docker.
    """
    result: dict[str, str] = {}
    for entry in (*(entry for path in files for entry in _file_entries(path) if "=" in entry), *items):
        key, _, value = entry.partition("=")
        if not key.strip():
            raise InvalidArgument(f"invalid value for {option}: {entry!r}; write it as key=value")
        result[key] = value
    return result
