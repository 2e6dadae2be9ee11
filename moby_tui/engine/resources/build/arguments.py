"""The arguments of instructions in their forms: JSON lists, ``name=value`` pairs, ports, signals."""

from __future__ import annotations

import json
import re
import signal

from moby_tui.engine.resources.build import shell_words
from moby_tui.errors import InvalidArgument

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)
_MODE = re.compile(r"[0-7]{1,4}")


def listed(value: str) -> list[str] | None:
    """A JSON list of strings (the exec form), or None for anything else (the shell form)."""
    if not value.startswith("["):
        return None
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return items if isinstance(items, list) and all(isinstance(item, str) for item in items) else None


def command(value: str, shell: list[str]) -> list[str]:
    """The exec form as it is; the shell form for the shell to read."""
    items = listed(value)
    return [*shell, value] if items is None else items


def pairs(name: str, value: str, escape: str) -> list[tuple[str, str]]:
    """``a=1 b="2 3"``, or the older ``a 1 2``; quotes and variables are still in them. Raises ``InvalidArgument``."""
    words = shell_words.raw_words(value, escape)
    if "=" not in words[0]:
        key, _, rest = (value.split(None, 1)[0], "", value[len(words[0]) :].strip())
        if not rest:
            raise InvalidArgument(f"{name} must have two arguments: write {name} name=value")
        return [(key, rest)]
    found = []
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise InvalidArgument(f"Syntax error - can't find = in {word[:80]!r}. Must be of the form: name=value")
        if not key:
            raise InvalidArgument(f"{name} names can not be blank")
        found.append((key, text))
    return found


def ports(words: list[str]) -> list[str]:
    """``80``, ``53/udp``, ``8000-8003``, each as ``number/protocol``. Raises ``InvalidArgument``."""
    found: list[str] = []
    for word in words:
        match = _PORT.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if match is None or not 0 < first <= last < 65536:
            raise InvalidArgument(f"invalid containerPort: {word[:40]}; write it as 80, 53/udp or 8000-8003")
        found += [f"{port}/{(match[3] or 'tcp').lower()}" for port in range(first, last + 1)]
    return found


def check_signal(text: str) -> None:
    """Raises ``InvalidArgument`` for what is neither a signal's number nor its name."""
    name = text.upper().removeprefix("SIG")
    real_time = re.fullmatch(r"RT(MIN(\+\d{1,2})?|MAX(-\d{1,2})?)", name)
    known = f"SIG{name}" in signal.Signals.__members__ or (name.isdecimal() and 0 < int(name) < signal.NSIG)
    if not known and not real_time:
        raise InvalidArgument(f"Invalid signal: {text[:40]}; give a name such as SIGTERM, or a number")


def mode(text: str) -> int:
    """Raises ``InvalidArgument`` for what is not octal."""
    if not _MODE.fullmatch(text):
        raise InvalidArgument(f"invalid chmod parameter: '{text[:40]}'. it should be octal string and between 0 and 07777")
    return int(text, 8)
