"""What a Dockerfile can be asked for: its targets, and the arguments, secrets and agents that one of them takes.

As ``docker build --call targets`` and ``--call outline`` tell it (moby/buildkit, frontend/subrequests).
"""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterable, Mapping

from moby_tui.engine.resources.dockerfile import shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction
from moby_tui.errors import InvalidArgument
from moby_tui.schema.build import Outline, Parameter, Target

_TRUE = ("true", "1", "t")


def targets(stages: list[list[Instruction]], names: list[str]) -> list[Target]:
    """All stages; the last is the default."""
    return [
        Target(
            name=name,
            description=_description(stage[0], name),
            base=stage[0].value.split()[0],
            default=number == len(stages) - 1,
            lines=(stage[0].line, stage[0].end),
        )
        for number, (stage, name) in enumerate(zip(stages, names, strict=True))
    ]


def outline(
    target: Target, stages: Iterable[list[Instruction]], given: Mapping[str, str], built_in: Container[str], escape: str
) -> Outline:
    """``stages`` are those that the target needs, ``given`` the caller's build arguments, ``built_in`` those that the builder sets."""
    parameters: dict[str, dict[str, Parameter]] = {"arg": {}, "secret": {}, "ssh": {}}
    for stage in stages:
        for instruction in stage:
            if instruction.name == "ARG":
                for word in shell_words.raw_words(instruction.value, escape):
                    name, _, default = word.partition("=")
                    if name in built_in and name not in given:
                        continue
                    value = given.get(name, _plain(default, escape))
                    parameters["arg"].setdefault(name, _parameter(instruction, name, value=value))
            for mount in instruction.repeated.get("mount", ()):
                _add_mount(parameters, instruction, mount)
    return Outline(
        target, list(parameters["arg"].values()), list(parameters["secret"].values()), list(parameters["ssh"].values())
    )


def _add_mount(found: dict[str, dict[str, Parameter]], instruction: Instruction, mount: str) -> None:
    options = dict(entry.partition("=")[::2] for entry in mount.split(","))
    kind = options.get("type", "bind")
    if kind not in ("secret", "ssh"):
        return
    name = options.get("id") or ("default" if kind == "ssh" else posixpath.basename(options.get("target", "")))
    required = options.get("required", "false" if "required" not in options else "true") in ("", *_TRUE)
    found[kind].setdefault(name, _parameter(instruction, name, required=required))


def _parameter(instruction: Instruction, name: str, *, value: str = "", required: bool = False) -> Parameter:
    lines = instruction.line, instruction.end
    return Parameter(name=name, description=_description(instruction, name), value=value, required=required, lines=lines)


def _description(instruction: Instruction, name: str) -> str:
    """What the comment above says of the name that it begins with."""
    first, _, rest = instruction.comment.partition(" ")
    return rest.strip() if name and first == name else ""


def _plain(text: str, escape: str) -> str:
    """A default as far as it can be told without the other arguments."""
    try:
        return shell_words.expand(text, {}, escape) if "$" not in text else text
    except InvalidArgument:
        return text
