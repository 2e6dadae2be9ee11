"""What stands in the fields of the form of ``moby build``, and the line that it makes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from moby_tui.errors import MobyError
from moby_tui.screens import text
from moby_tui.screens.building.request import BuildRequest, ReadBuild

#: The fields' texts, by id; of a switch ``yes`` or nothing.
Draft = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One field. Of an option that may come ``many`` times it has all values, as words of a shell. ``path``: its value is one."""

    id: str
    label: str
    option: str = ""
    many: bool = False
    hint: str = ""
    path: bool = False
    switch: bool = False


FIELDS = (
    Field("folder", "Folder", hint="the build context: a folder, or an address of git or https", path=True),
    Field("dockerfile", "Dockerfile", "--file", hint="Dockerfile in the folder", path=True),
    Field("tags", "Tags", "--tag", many=True, hint="app:1.0 registry.example.com/team/app"),
    Field("target", "Target", "--target", hint="the last stage"),
    Field("arguments", "Arguments", "--build-arg", many=True, hint="VERSION=1.2 'FLAGS=-O2 -g'"),
    Field("platforms", "Platforms", "--platform", many=True, hint="this machine's: linux/amd64 linux/arm64"),
    Field("no_cache", "Without cache", "--no-cache", switch=True),
    Field("more", "More options", hint="any option of moby build: --pull --secret id=token,src=FILE"),
)
_BY_OPTION = {one.option: one for one in FIELDS if one.option} | {
    "-f": FIELDS[1],
    "-t": FIELDS[2],
}


def words(written: Draft) -> list[str]:
    """What follows ``moby build``. Raises ``ValueError`` for a quotation mark without its other, and without a folder."""
    folder = os.path.expanduser(written.get("folder", "").strip())
    if not folder:
        raise ValueError("a folder is needed: the build context")
    if folder.startswith("-"):
        raise ValueError(f"{folder} is no folder: options stand in the line of further options")
    made: list[str] = []
    for field in FIELDS:
        text = written.get(field.id, "").strip()
        if field.path:
            text = os.path.expanduser(text)
        if field.switch:
            made += [field.option] if text else []
        elif field.option:
            for value in _split(field, text) if field.many else [text] if text else []:
                made += [f"{field.option}={value}"] if value.startswith("-") else [field.option, value]
    return [*made, *_split(FIELDS[-1], written.get("more", "")), folder]


def _split(field: Field, said: str) -> list[str]:
    try:
        return shlex.split(said)
    except ValueError as error:
        raise ValueError(f"{field.label}: {str(error).lower()}; quote as in a shell") from None


def draft(made: list[str]) -> dict[str, str]:
    """The fields of a line that the form has made."""
    values: dict[str, list[str]] = {one.id: [] for one in FIELDS}
    *rest, folder = made
    position = 0
    while position < len(rest):
        name, equals, value = rest[position].partition("=")
        field = _BY_OPTION.get(name)
        if field is None or (equals and field.switch):
            values["more"].append(rest[position])
        elif field.switch:
            values[field.id].append("yes")
        elif equals:
            values[field.id].append(value)
        else:
            position += 1
            values[field.id].append(rest[position] if position < len(rest) else "")
        position += 1
    many = {one.id for one in FIELDS if one.many} | {"more"}
    return {
        key: shlex.join(values_given) if key in many else "".join(values_given[-1:]) for key, values_given in values.items()
    } | {"folder": folder}


def line(made: list[str]) -> str:
    """The command line, without control characters."""
    return text.clean(f"moby build {shlex.join(made)}")


def read(written: Draft, reader: ReadBuild) -> BuildRequest:
    """Raises ``MobyError`` or ``ValueError`` that says what is wrong."""
    made = words(written)
    request = reader(made)
    if request.where != made[-1]:
        raise ValueError("an option lacks its value, or a word among the options belongs to none")
    return request


def tell(written: Draft, reader: ReadBuild) -> tuple[str, str]:
    """The command line that the fields make, and what is wrong with it, or nothing; clean, one line each."""
    try:
        made = line(words(written))
    except ValueError as error:
        return "", text.clean(str(error))
    try:
        read(written, reader).open()
    except (MobyError, ValueError) as error:
        return made, text.clean(str(error))
    return made, ""
