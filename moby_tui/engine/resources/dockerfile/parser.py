"""A Dockerfile's text as instructions: directives, comments, continued lines, flags.

Grammar: https://docs.docker.com/reference/dockerfile/. ``arguments`` parses the arguments of instructions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from moby_tui.engine.resources.dockerfile import shell_words, syntax
from moby_tui.engine.resources.dockerfile.arguments import listed
from moby_tui.errors import InvalidArgument, NotImplementedYet

#: Instructions that are carried out.
INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
#: What ``--change`` takes: instructions that alter the configuration only.
_CHANGES = frozenset(
    ("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
)
_FLAGS: dict[str, tuple[str, ...]] = {
    "FROM": ("platform",),
    "COPY": ("from", "chown", "chmod", "link", "parents", "exclude"),
    "ADD": ("chown", "chmod", "checksum", "link", "exclude", "keep-git-dir", "unpack"),
    "RUN": ("mount", "network", "security"),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
}
_REPEATED = ("mount", "exclude")
_SWITCHES = ("link", "parents", "keep-git-dir", "unpack")
#: Flags that say nothing if they have an empty value.
_MAY_BE_EMPTY = ("chown", "chmod", "from")
_MISSING_FLAGS: dict[str, tuple[str, ...]] = {"RUN": ("device",)}
#: The most instructions, far more than an image can have layers: a longer file is an attack on the builder's time.
_MOST_INSTRUCTIONS = 5000
#: With more names than this no similar one is searched.
_MOST_NAMES = 500
#: Letters of a word that a similar name is looked for, and changes of letters between them.
_LONGEST_NAME, _MOST_CHANGES = 80, 2
#: How many lines before and after the wrong one an error shows.
_AROUND = 2
_WITH_ONE_ARGUMENT = ("USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER")
#: Flags that BuildKit knows only in the frontends whose names say that they are experimental.
_EXPERIMENTAL = {"COPY": ("parents",), "RUN": ("security", "device")}
_WITH_DOCUMENTS = ("RUN", "COPY", "ADD")
_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*")
_SOMETHING = re.compile(r"\S")
_MARKER = re.compile(r"\d*<<(-?)([^<]+)")


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

    ``repeated`` are the flags that may come several times; flags are as they are written, with quotes and variables. ``written`` is
    the name in the case it has in the file, ``comment`` the line above it, ``empty`` the first empty line within it, or 0,
    and ``end`` its last line."""

    line: int
    name: str
    value: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, list[str]] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    written: str = ""
    comment: str = ""
    empty: int = 0
    end: int = 0


@dataclass(frozen=True)
class Dockerfile:
    """``escape`` is the character that continues lines and takes a dollar its meaning; ``check`` what is asked of the checks,
    ``syntax`` the frontend that it names."""

    escape: str
    instructions: list[Instruction]
    check: str = ""
    syntax: str = ""


@dataclass(frozen=True)
class _Line:
    """A logical line: continued lines joined."""

    start: int
    text: str
    documents: list[Document]
    comment: str
    empty: int
    end: int


def parse(data: bytes, *, any_syntax: bool = False) -> Dockerfile:
    """Raises ``InvalidArgument`` with the line that is wrong, ``NotImplementedYet`` for what this builder lacks, and unless it may have
    ``any_syntax``, ``OtherFrontend``."""
    if not any_syntax:
        syntax.check(data)
    text = data.decode("utf-8-sig", "surrogateescape")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    directives = _directives(lines)
    escape = directives.get("escape", "\\")
    logical = _logical_lines(lines, escape)
    for line in logical:
        _check_characters(line)
    if len(logical) > _MOST_INSTRUCTIONS:
        raise wrong(logical[_MOST_INSTRUCTIONS].start, f"more than {_MOST_INSTRUCTIONS} instructions; no image has room for them")
    instructions = [_instruction(line, escape) for line in logical]
    return Dockerfile(escape, instructions, directives.get("check", ""), directives.get("syntax", ""))


def _check_characters(line: _Line) -> None:
    """Raises ``InvalidArgument`` for an instruction that is no UTF-8: a configuration cannot hold it. Comments may have any bytes."""
    text = "\n".join([line.text, *(document.raw for document in line.documents)])
    if "\0" in text:
        raise wrong(line.start, "a NUL character; save the file as UTF-8")
    if any("\udc80" <= character <= "\udcff" for character in text):
        raise wrong(line.start, "not UTF-8; save the file in that encoding")


def parse_trigger(line: int, text: str, escape: str = "\\") -> Instruction:
    """Parses the instruction of an ONBUILD. Raises ``InvalidArgument``."""
    lines = _logical_lines(text.strip().split("\n"), escape)
    if len(lines) != 1:
        raise wrong(line, "ONBUILD requires one instruction")
    instruction = replace(_instruction(replace(lines[0], start=line), escape), line=line)
    if instruction.name == "ONBUILD":
        raise wrong(line, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if instruction.name in ("FROM", "MAINTAINER"):
        raise wrong(line, f"{instruction.name} isn't allowed as an ONBUILD trigger")
    return instruction


def parse_changes(changes: Sequence[str]) -> tuple[list[Instruction], str]:
    """The instructions of ``--change``, which are read as one Dockerfile, and their escape character. Raises ``InvalidArgument``."""
    lines = "\n".join(changes).split("\n")
    escape = _directives(lines).get("escape", "\\")
    logical = _logical_lines(lines, escape)
    if not logical:
        raise InvalidArgument("file with no instructions: a change is an instruction of a Dockerfile, such as CMD or ENV")
    for line in logical:
        _check_characters(line)
        word = line.text.split(None, 1)[0]
        if word.upper() not in _CHANGES:
            raise InvalidArgument(f"{word[:40]} is not a valid change command")
    return [_instruction(line, escape) for line in logical], escape


def wrong(line: int, message: str) -> InvalidArgument:
    """An error of the text itself, as Docker words it."""
    error = InvalidArgument(f"dockerfile parse error on line {line}: {message}")
    error.line = line
    return error


def check_experimental(dockerfile: Dockerfile) -> None:
    """Raises ``InvalidArgument`` for a flag that BuildKit does not know unless the directive ``syntax`` names its experimental frontend."""
    if "labs" in dockerfile.syntax:
        return
    for instruction in dockerfile.instructions:
        for flag in _EXPERIMENTAL.get(instruction.name, ()):
            if flag in instruction.flags:
                raise wrong(instruction.line, f"unknown flag: --{flag}; begin the file with # syntax=docker/dockerfile:1-labs")


def excerpt(name: str, data: bytes, line: int) -> str:
    """A line of a Dockerfile with those around it, as BuildKit shows where something went wrong."""
    lines = data.decode("utf-8-sig", "replace").splitlines()
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    shown = [f"{number:4} | {'>>>' if number == line else '   '} {lines[number - 1]}" for number in range(first, last + 1)]
    rule = "-" * 20
    return "\n".join([f"{name}:{line}", rule, *shown, rule, ""])


def nearest(word: str, known: Sequence[str]) -> str:
    """`` (did you mean X?)``, as BuildKit says it: the first of the names that fewest changes of a letter, at most two, lead to.

    Empty if no name is that near, or one is equal but for upper and lower case."""
    if len(known) > _MOST_NAMES or len(word) > _LONGEST_NAME:
        return ""
    distances = {name: _distance(word.lower(), name.lower()) for name in known}
    if 0 in distances.values():
        return ""
    # of equally near names one with the same letters goes first
    letters = sorted(word.lower())
    near = min(distances, key=lambda name: (distances[name], sorted(name.lower()) != letters), default="")
    if not near or distances[near] > _MOST_CHANGES:
        return ""
    return f" (did you mean {near.lower() if word.islower() else near.upper() if word.isupper() else near}?)"


def _distance(first: str, second: str) -> int:
    """The letters to insert, delete or replace until one word is the other (Levenshtein)."""
    row = list(range(len(second) + 1))
    for number, letter in enumerate(first, 1):
        above, row = row, [number]
        for column, other in enumerate(second):
            row.append(min(above[column] + (letter != other), above[column + 1] + 1, row[column] + 1))
    return row[-1]


def _directives(lines: list[str]) -> dict[str, str]:
    """Reads the directives: lines at the very top, before any other comment, instruction or empty line."""
    directives: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None or (name := directive[1].lower()) not in ("escape", "syntax", "check"):
            break
        if name in directives:
            raise _wrong_directive(number, f"only one {name} parser directive can be used")
        directives[name] = directive[2]
        if name == "escape" and directive[2] not in ("\\", "`"):
            raise _wrong_directive(number, f"invalid escape token '{directive[2][:20]}' does not match ` or \\")
    return directives


def _wrong_directive(line: int, message: str) -> InvalidArgument:
    """An error of a directive, which Docker gives without the words "parse error"."""
    error = InvalidArgument(f"{message} (Dockerfile line {line})")
    error.line, error.buildkit = line, message
    return error


def _logical_lines(lines: list[str], escape: str) -> list[_Line]:
    """Joins continued lines. Comments and empty lines between them vanish; two escapes at the end are one, and no continuation.

    The lines of a here-document are not changed."""
    continued = re.compile(rf"(?:^|[^{re.escape(escape)}])({re.escape(escape)}[ \t]*)$")
    joined: list[_Line] = []
    start, parts, comment, empty = 0, list[str](), "", 0
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        bare = line.strip()
        if not bare or bare.startswith("#"):
            if not parts:
                comment = bare[1:].strip().encode("utf-8", "replace").decode()
            elif not bare:
                empty = empty or number
            continue
        if not parts:
            start, line = number, line.lstrip()
        if continuation := continued.search(line):
            parts.append(line[: continuation.start(1)])
            continue
        whole = "".join([*parts, line]).strip()
        documents = _documents(start, whole, escape, numbered)
        end = number + sum(document.raw.count("\n") for document in documents)
        joined.append(_Line(start, whole, documents, comment, empty, end))
        parts, comment, empty = [], "", 0
    if parts:
        joined.append(_Line(start, "".join(parts).strip(), [], comment, 0, len(lines)))
    return [line for line in joined if line.text]


def _documents(start: int, text: str, escape: str, following: Iterator[tuple[int, str]]) -> list[Document]:
    """The here-documents that an instruction announces, read from the lines that follow it."""
    name, *rests = text.split(None, 1)
    if name.upper() == "ONBUILD" and rests:
        name, *rests = rests[0].split(None, 1)
    if name.upper() not in _WITH_DOCUMENTS or not rests or _is_list(rests[0]):
        return []
    documents: list[Document] = []
    for word in shell_words.raw_words(rests[0], escape):
        if (marker := _MARKER.fullmatch(word)) and not marker[2].isdecimal():
            documents.append(_document(start, marker, escape, following))
    return documents


def _is_list(text: str) -> bool:
    try:
        return listed(text) is not None
    except InvalidArgument:
        # the build reports it when it carries the instruction out
        return True


def _document(start: int, marker: re.Match[str], escape: str, following: Iterator[tuple[int, str]]) -> Document:
    tabs, quoted = bool(marker[1]), marker[2]
    try:
        name = shell_words.expand(quoted.replace("$", f"{escape}$"), {}, escape)
    except InvalidArgument as error:
        raise wrong(start, error.message) from None
    lines = list[str]()
    for _, line in following:
        if (line.lstrip("\t") if tabs else line) == name:
            raw = "".join(f"{each}\n" for each in [*lines, line])
            text = "".join(f"{each.lstrip(chr(9)) if tabs else each}\n" for each in lines)
            return Document(marker[0], name, text, raw, name == quoted)
        lines.append(line)
    raise wrong(start, f"unterminated heredoc: no line {name[:80]}")


def _instruction(line: _Line, escape: str) -> Instruction:
    word = line.text.split(None, 1)[0]
    name = word.upper()
    rest = line.text[len(word) :].strip()
    if name not in INSTRUCTIONS:
        raise wrong(line.start, f"unknown instruction: {word[:40]}{nearest(name, INSTRUCTIONS)}")
    flags, repeated, value = _split_flags(line.start, name, rest, escape)
    if not value and name not in ("CMD", "ENTRYPOINT", "RUN"):
        least = "exactly" if name in _WITH_ONE_ARGUMENT else "at least"
        raise wrong(line.start, f"{name} requires {least} one argument")
    documents = line.documents
    if name == "ONBUILD" and documents:
        # the flags belong to the trigger
        value = "\n".join([value, *(document.raw.removesuffix("\n") for document in documents)])
        documents = []
    text = f"{name}{line.text[len(word) :]}"
    return Instruction(line.start, name, value, text, flags, repeated, documents, word, line.comment, line.empty, line.end)


def _split_flags(line: int, name: str, rest: str, escape: str) -> tuple[dict[str, str], dict[str, list[str]], str]:
    flags: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    start = 0
    while rest.startswith("--", start):
        end = shell_words.word_end(rest, start, escape)
        word = rest[start:end]
        start = match.start() if (match := _SOMETHING.search(rest, end)) else len(rest)
        if word == "--":
            break
        flag, _, value = word[2:].partition("=")
        if flag in _MISSING_FLAGS.get(name, ()):
            raise NotImplementedYet(f"{name} --{flag} (Dockerfile line {line})")
        known = _FLAGS.get(name, ())
        if flag not in known:
            raise wrong(line, f"unknown flag: --{flag[:40]}{nearest(flag, known)}")
        if flag in flags:
            raise wrong(line, f"duplicate flag specified: --{flag}")
        value = value or ("true" if flag in _SWITCHES and "=" not in word else "")
        if not value and flag in _MAY_BE_EMPTY and "=" in word:
            continue
        if not value:
            raise wrong(line, f"missing a value on flag: --{flag}")
        if flag in _SWITCHES and value not in ("true", "false"):
            raise wrong(line, f"expecting boolean value for flag --{flag}, not: {value[:40]}")
        if flag in _REPEATED:
            repeated.setdefault(flag, []).append(value)
        else:
            flags[flag] = value
    return flags, repeated, rest[start:]
