"""A Dockerfile's text as instructions: directives, comments, continued lines, flags.

Grammar: https://docs.docker.com/reference/dockerfile/. What an instruction's arguments mean is told in ``arguments``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from moby_tui.engine.resources.build import shell_words
from moby_tui.engine.resources.build.arguments import listed
from moby_tui.errors import InvalidArgument, NotImplementedYet

#: Instructions that are carried out.
INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_FLAGS: dict[str, tuple[str, ...]] = {
    "FROM": ("platform",),
    "COPY": ("from", "chown", "chmod", "link", "parents", "exclude"),
    "ADD": ("chown", "chmod", "checksum", "link", "exclude"),
    "RUN": ("mount", "network"),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
}
_REPEATED = ("mount", "exclude")
_SWITCHES = ("link", "parents")
_MISSING_FLAGS: dict[str, tuple[str, ...]] = {
    "RUN": ("security", "device"),
    "ADD": ("keep-git-dir", "unpack"),
}
#: How many lines before and after the one that is wrong are shown.
_AROUND = 2
_WITH_DOCUMENTS = ("RUN", "COPY", "ADD")
_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*")
_FLAG = re.compile(r"--([A-Za-z][A-Za-z0-9-]*)(?:=(\S*))?(?:\s+|$)")
_MARKER = re.compile(r"(\d*)<<(-?)(['\"]?)([A-Za-z_][\w.-]*)\3")
_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:[:@].*)?")


@dataclass(frozen=True)
class Document:
    """A here-document: ``text`` is what a shell would make of it, ``raw`` what stands in the file, with its end.

    ``expands``: its name is not in quotes, so that variables in it are replaced where no shell does that."""

    marker: str
    name: str
    text: str
    raw: str
    expands: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction. ``line`` is where it begins, ``text`` the whole of it in one line, ``value`` what follows its flags.

    ``repeated`` are the flags that may come several times."""

    line: int
    name: str
    value: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, list[str]] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)


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
    instructions = [_instruction(line, joined, documents) for line, joined, documents in _logical_lines(lines, escape)]
    return Dockerfile(escape, instructions)


def parse_trigger(line: int, text: str) -> Instruction:
    """What an ONBUILD says. Raises ``InvalidArgument``."""
    instruction = _instruction(line, text.strip(), [])
    if instruction.name in ("ONBUILD", "FROM", "MAINTAINER"):
        raise wrong(line, f"{instruction.name} isn't allowed as an ONBUILD trigger")
    return instruction


def wrong(line: int, message: str) -> InvalidArgument:
    """An error of the text itself, as Docker words it."""
    error = InvalidArgument(f"dockerfile parse error on line {line}: {message}")
    error.line = line
    return error


def excerpt(name: str, data: bytes, line: int) -> str:
    """A line of a Dockerfile with those around it, as BuildKit shows where something went wrong."""
    lines = data.decode("utf-8-sig", "replace").splitlines()
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    shown = [f"{number:4} | {'>>>' if number == line else '   '} {lines[number - 1]}" for number in range(first, last + 1)]
    rule = "-" * 20
    return "\n".join([f"{name}:{line}", rule, *shown, rule, ""])


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


def _logical_lines(lines: list[str], escape: str) -> list[tuple[int, str, list[Document]]]:
    """Joins continued lines. Comments and empty lines between them vanish; two escapes at the end are one, and no continuation.

    What a here-document holds is taken as it is."""
    continued = re.compile(rf"(?:^|[^{re.escape(escape)}])({re.escape(escape)}[ \t]*)$")
    joined: list[tuple[int, str, list[Document]]] = []
    start, parts = 0, list[str]()
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if not parts:
            start, line = number, line.lstrip()
        if found := continued.search(line):
            parts.append(line[: found.start(1)])
            continue
        whole = "".join([*parts, line]).strip()
        joined.append((start, whole, _documents(start, whole, escape, numbered)))
        parts = []
    if parts:
        joined.append((start, "".join(parts).strip(), []))
    return [(number, line, documents) for number, line, documents in joined if line]


def _documents(start: int, text: str, escape: str, following: Iterator[tuple[int, str]]) -> list[Document]:
    """The here-documents that an instruction announces, read from the lines that follow it."""
    name, _, rest = text.partition(" ")
    if name.upper() not in _WITH_DOCUMENTS or listed(rest.strip()) is not None:
        return []
    try:
        words = shell_words.raw_words(rest, escape)
    except InvalidArgument:
        # quotes that only the shell understands
        return []
    return [_document(start, found, following) for word in words if (found := _MARKER.fullmatch(word))]


def _document(start: int, found: re.Match[str], following: Iterator[tuple[int, str]]) -> Document:
    tabs, name = bool(found[2]), found[4]
    lines: list[str] = []
    for _, line in following:
        if (line.lstrip("\t") if tabs else line) == name:
            raw = "".join(f"{each}\n" for each in [*lines, line])
            text = "".join(f"{each.lstrip(chr(9)) if tabs else each}\n" for each in lines)
            return Document(found[0], name, text, raw, not found[3])
        lines.append(line)
    raise wrong(start, f"unterminated heredoc: no line {name}")


def _instruction(line: int, text: str, documents: list[Document]) -> Instruction:
    word = text.split(None, 1)[0]
    name = word.upper()
    rest = text[len(word) :].strip()
    if name not in INSTRUCTIONS:
        raise wrong(line, f"unknown instruction: {word[:40]}{nearest(name, INSTRUCTIONS)}")
    flags, repeated, value = _split_flags(line, name, rest)
    if not value and name not in ("CMD", "ENTRYPOINT"):
        raise wrong(line, f"{name} requires at least one argument")
    return Instruction(line, name, value, f"{name} {rest}", flags, repeated, documents)


def _split_flags(line: int, name: str, rest: str) -> tuple[dict[str, str], dict[str, list[str]], str]:
    flags: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    while found := _FLAG.match(rest):
        flag, rest = found[1], rest[found.end() :]
        if flag in _MISSING_FLAGS.get(name, ()):
            raise NotImplementedYet(f"{name} --{flag} (Dockerfile line {line})")
        known = _FLAGS.get(name, ())
        if flag not in known:
            raise wrong(line, f"unknown flag: {name} --{flag[:40]}{nearest(flag, known)}")
        if flag in flags:
            raise wrong(line, f"duplicate flag: {name} --{flag}")
        value = found[2] or ("true" if flag in _SWITCHES else "")
        if not value:
            raise wrong(line, f"missing a value on flag: {name} --{flag}")
        if flag in _SWITCHES and value not in ("true", "false"):
            raise wrong(line, f"expecting boolean value for flag {flag}, not: {value[:40]}")
        if flag in _REPEATED:
            repeated.setdefault(flag, []).append(value)
        else:
            flags[flag] = value
    return flags, repeated, rest
