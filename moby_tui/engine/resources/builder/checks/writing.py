"""Checks of a Dockerfile's text alone, which depend on nothing outside it."""

from __future__ import annotations

import re

from moby_tui.engine.resources.builder.checks.finding import Finding, Findings
from moby_tui.engine.resources.dockerfile import arguments, shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction
from moby_tui.errors import InvalidArgument

_RESERVED = ("context", "scratch")
_ONCE = ("CMD", "ENTRYPOINT", "HEALTHCHECK")
_SECRET = re.compile(
    r"(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE
)
_NO_SECRET = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)


def findings(before: list[Instruction], stages: list[list[Instruction]], escape: str) -> Findings:
    """``before`` are the ARGs before the first stage."""
    everything = [*before, *(instruction for stage in stages for instruction in stage)]
    yield from _casing([instruction for stage in stages for instruction in stage])
    yield from _stage_names([stage[0] for stage in stages])
    for instruction in everything:
        if instruction.empty:
            yield Finding(instruction.end, "NoEmptyContinuation", "Empty continuation line")
        yield from _descriptions(instruction, escape)
    shells = set[str]()
    for number, stage in enumerate(stages):
        yield from _repetitions(stage)
        words = stage[0].value.split()
        has_shell = words[0].lower() in shells
        if not has_shell:
            yield from _signals(stage)
        if has_shell or any(instruction.name == "SHELL" for instruction in stage):
            shells |= {str(number), *(name.lower() for name in words[2:3])}
        for instruction in stage:
            yield from _forms(instruction, escape)


def _casing(instructions: list[Instruction]) -> Findings:
    """Instructions in mixed case count neither as upper nor as lower."""
    lower = sum(instruction.written.islower() for instruction in instructions)
    upper = sum(instruction.written.isupper() for instruction in instructions)
    right = "lowercase" if lower > upper else "uppercase"
    for instruction in instructions:
        name = instruction.written
        if not (name.islower() if right == "lowercase" else name.isupper()):
            text = f"Command '{name}' should match the case of the command majority ({right})"
            yield Finding(instruction.line, "ConsistentInstructionCasing", text)


def _stage_names(beginnings: list[Instruction]) -> Findings:
    seen = set[str]()
    for instruction in beginnings:
        words = instruction.value.split()
        if len(words) < 3:
            continue
        line, (_, keyword, name, *_) = instruction.line, words
        if name != name.lower():
            yield Finding(line, "StageNameCasing", f"Stage name '{name}' should be lowercase")
        mine = instruction.written
        if (mine.islower() and not keyword.islower()) or (mine.isupper() and not keyword.isupper()):
            yield Finding(line, "FromAsCasing", f"'{keyword}' and '{mine}' keywords' casing do not match")
        name = name.lower()
        if name in _RESERVED:
            yield Finding(line, "ReservedStageName", f'Stage name should not use the same name as reserved stage "{name}"')
        if name in seen:
            yield Finding(line, "DuplicateStageName", f'Duplicate stage name "{name}", stage names should be unique')
        seen.add(name)


def _descriptions(instruction: Instruction, escape: str) -> Findings:
    """The comment above a stage or an argument is its description, and begins with its name."""
    if not instruction.comment:
        return
    if instruction.name == "FROM":
        names = instruction.value.split()[2:3]
    elif instruction.name == "ARG":
        names = [word.partition("=")[0] for word in shell_words.raw_words(instruction.value, escape)]
    else:
        return
    if names and instruction.comment.split()[0] not in names:
        example = names[0] if len(names) == 1 else "<arg_key>"
        text = f"Comment for {instruction.name} should follow the format: `# {example} <description>`"
        yield Finding(instruction.line, "InvalidDefinitionDescription", text)


def _repetitions(stage: list[Instruction]) -> Findings:
    """Of repeated CMDs, ENTRYPOINTs and the like, reports those without effect."""
    for name in _ONCE:
        for instruction in [instruction for instruction in stage if instruction.name == name][:-1]:
            text = f"Multiple {name} instructions should not be used in the same stage because only the last one will be used"
            yield Finding(instruction.line, "MultipleInstructionsDisallowed", text)


def _signals(stage: list[Instruction]) -> Findings:
    """The shell form of CMD and ENTRYPOINT, unless the stage, or one that it begins from, has a SHELL, by which the author chose it."""
    for instruction in stage:
        if instruction.name == "SHELL":
            return
        if instruction.name in ("CMD", "ENTRYPOINT") and instruction.value and not _is_list(instruction.value):
            text = f"JSON arguments recommended for {instruction.name} to prevent unintended behavior related to OS signals"
            yield Finding(instruction.line, "JSONArgsRecommended", text)


def _is_list(value: str) -> bool:
    try:
        return arguments.listed(value) is not None
    except InvalidArgument:
        return False


def _forms(instruction: Instruction, escape: str) -> Findings:
    line, name = instruction.line, instruction.name
    if name == "MAINTAINER":
        yield Finding(line, "MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label")
    if name in ("ENV", "LABEL") and "=" not in _first_word(instruction.value, escape):
        text = f'"{name} key=value" should be used instead of legacy "{name} key value" format'
        yield Finding(line, "LegacyKeyValueFormat", text)
    if name in ("ARG", "ENV"):
        for key in _keys(instruction, escape):
            if _SECRET.search(key) and not _NO_SECRET.search(key):
                text = f'Do not use ARG or ENV instructions for sensitive data ({name} "{key}")'
                yield Finding(line, "SecretsUsedInArgOrEnv", text)
    if name == "EXPOSE":
        for port in instruction.value.split():
            yield from _port(line, port)


def _first_word(text: str, escape: str) -> str:
    return text[: shell_words.word_end(text, 0, escape)]


def _keys(instruction: Instruction, escape: str) -> list[str]:
    words = shell_words.raw_words(instruction.value, escape)
    if instruction.name == "ENV" and "=" not in words[0]:
        return words[:1]
    return [word.partition("=")[0] for word in words]


def _port(line: int, port: str) -> Findings:
    protocol = port.partition("/")[2]
    if "$" not in protocol and protocol != protocol.lower():
        yield Finding(line, "ExposeProtoCasing", f"Defined protocol '{port}' in EXPOSE instruction should be lowercase")
    if ":" in port and "$" not in port:
        text = f"EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
        yield Finding(line, "ExposeInvalidFormat", text)
