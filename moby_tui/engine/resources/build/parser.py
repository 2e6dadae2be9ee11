"""A Dockerfile's text as instructions: directives, comments, continued lines, flags.

Grammar: https://docs.docker.com/reference/dockerfile/. What an instruction's arguments mean is told in ``arguments``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from moby_tui.errors import InvalidArgument, NotImplementedYet

#: Instructions that are carried out.
INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM"),
    *("LABEL", "MAINTAINER", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_MISSING = ("HEALTHCHECK", "ONBUILD")
_FLAGS: dict[str, tuple[str, ...]] = {"FROM": ("platform",), "COPY": ("from", "chown", "chmod"), "ADD": ("chown", "chmod")}
_MISSING_FLAGS: dict[str, tuple[str, ...]] = {
    "RUN": ("mount", "network", "security", "device"),
    "COPY": ("link", "parents", "exclude"),
    "ADD": ("link", "exclude", "checksum", "keep-git-dir", "unpack"),
}
_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*")
_FLAG = re.compile(r"--([A-Za-z][A-Za-z0-9-]*)(?:=(\S*))?(?:\s+|$)")
_HERE_DOCUMENT = re.compile(r"(?:^|\s)\d*<<-?(?:[A-Za-z_]\w*|'[^']+'|\"[^\"]+\")(?=\s|$)")
_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:[:@].*)?")


@dataclass(frozen=True)
class Instruction:
    """One instruction. ``line`` is where it begins, ``text`` the whole of it in one line, ``value`` what follows its flags."""

    line: int
    name: str
    value: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dockerfile:
    """``escape`` is the character that continues lines and takes a dollar its meaning."""

    escape: str
    instructions: list[Instruction]


def parse(data: bytes) -> Dockerfile:
    """Raises ``InvalidArgument`` with the line that is wrong, ``NotImplementedYet`` for what this builder lacks."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidArgument(f"dockerfile parse error on line {line}: not UTF-8; save the file in that encoding") from None
    if "\0" in text:
        raise InvalidArgument(f"dockerfile parse error on line {text[: text.index(chr(0))].count(chr(10)) + 1}: a NUL character")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    escape = _escape(lines)
    instructions = [_instruction(line, joined) for line, joined in _logical_lines(lines, escape)]
    return Dockerfile(escape, instructions)


def wrong(line: int, message: str) -> InvalidArgument:
    """An error of the text itself, as Docker words it."""
    return InvalidArgument(f"dockerfile parse error on line {line}: {message}")


def nearest(word: str, known: Sequence[str]) -> str:
    """`` (did you mean X?)``, or nothing where nothing is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""


def _escape(lines: list[str]) -> str:
    """Reads the directives: lines at the very top, before any other comment, instruction or empty line."""
    escape, seen = "\\", set()
    for number, line in enumerate(lines, 1):
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None or (name := found[1].lower()) not in ("escape", "syntax", "check"):
            break
        if name in seen:
            raise wrong(number, f"only one {name} parser directive can be used")
        seen.add(name)
        if name == "escape":
            if found[2] not in ("\\", "`"):
                raise wrong(number, f"invalid escape token '{found[2][:20]}'; it must be \\ or `")
            escape = found[2]
        elif name == "syntax" and not _FRONTEND.fullmatch(found[2]):
            raise NotImplementedYet(f"syntax {found[2][:80]} (Dockerfile line {number})")
    return escape


def _logical_lines(lines: list[str], escape: str) -> list[tuple[int, str]]:
    """Joins continued lines. Comments and empty lines between them vanish; two escapes at the end are one, and no continuation."""
    continued = re.compile(rf"(?:^|[^{re.escape(escape)}])({re.escape(escape)}[ \t]*)$")
    joined: list[tuple[int, str]] = []
    start, parts = 0, list[str]()
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if not parts:
            start, line = number, line.lstrip()
        if found := continued.search(line):
            parts.append(line[: found.start(1)])
            continue
        joined.append((start, "".join([*parts, line]).strip()))
        parts = []
    if parts:
        joined.append((start, "".join(parts).strip()))
    return [(number, line) for number, line in joined if line]


def _instruction(line: int, text: str) -> Instruction:
    word = text.split(None, 1)[0]
    name = word.upper()
    rest = text[len(word) :].strip()
    if name in _MISSING:
        raise NotImplementedYet(f"instruction {name} (Dockerfile line {line})")
    if name not in INSTRUCTIONS:
        raise wrong(line, f"unknown instruction: {word[:40]}{nearest(name, INSTRUCTIONS)}")
    if name in ("RUN", "COPY", "ADD") and _HERE_DOCUMENT.search(rest):
        raise NotImplementedYet(f"here-document in {name} (Dockerfile line {line})")
    flags, value = _split_flags(line, name, rest)
    if not value and name not in ("CMD", "ENTRYPOINT"):
        raise wrong(line, f"{name} requires at least one argument")
    return Instruction(line, name, value, f"{name} {rest}", flags)


def _split_flags(line: int, name: str, rest: str) -> tuple[dict[str, str], str]:
    flags: dict[str, str] = {}
    while found := _FLAG.match(rest):
        flag, rest = found[1], rest[found.end() :]
        if flag in _MISSING_FLAGS.get(name, ()):
            raise NotImplementedYet(f"{name} --{flag} (Dockerfile line {line})")
        known = _FLAGS.get(name, ())
        if flag not in known:
            raise wrong(line, f"unknown flag: {name} --{flag[:40]}{nearest(flag, known)}")
        if flag in flags:
            raise wrong(line, f"duplicate flag: {name} --{flag}")
        if not found[2]:
            raise wrong(line, f"missing a value on flag: {name} --{flag}")
        flags[flag] = found[2]
    return flags, rest
