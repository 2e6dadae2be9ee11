"""Which frontend a Dockerfile is for: its directive ``syntax``, as BuildKit looks for it also in files that are no Dockerfiles.

``# syntax=IMAGE``, ``// syntax=IMAGE``, or a JSON object with the key ``syntax``; a first line with ``#!`` does not count.
"""

from __future__ import annotations

import json
import re

from moby_tui.errors import OtherFrontend

_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?")
_DIRECTIVE = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*")
_NAME = "syntax"
#: Larger files are no JSON for a frontend.
_MOST_JSON = 16 << 20


def is_our_frontend(image: str) -> bool:
    """True for the images of Docker's own Dockerfile frontend, whose language this builder has."""
    return _FRONTEND.fullmatch(image) is not None


def check(data: bytes) -> None:
    """Raises ``OtherFrontend`` for a file that names another frontend than ours."""
    value, line = _find(data)
    image = value.partition(" ")[0]
    if image and not is_our_frontend(image):
        error = OtherFrontend(image, value, f" (Dockerfile line {line})" if line else "")
        error.line = line
        raise error


def _find(data: bytes) -> tuple[str, int]:
    """The value of the directive and its line; empty and 0 if there is none, and 0 for the line of JSON."""
    lines = data.decode("utf-8-sig", "surrogateescape").split("\n")
    first = 1 if lines[0].startswith("#!") else 0
    for comment in ("#", "//"):
        for number, line in enumerate(lines[first:], first + 1):
            text = line.strip()
            directive = _DIRECTIVE.fullmatch(text.removeprefix(comment)) if text.startswith(comment) else None
            if directive is None:
                break
            if directive[1].lower() == _NAME:
                return directive[2], number
    return _in_json("\n".join(lines[first:])), 0


def _in_json(text: str) -> str:
    if not text.lstrip().startswith("{") or len(text) > _MOST_JSON:
        return ""
    try:
        value = json.loads(text).get(_NAME, "")
    except (ValueError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""
