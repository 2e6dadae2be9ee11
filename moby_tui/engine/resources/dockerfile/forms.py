"""The forms of instructions, which are checked before a build carries out the first of them.

As in BuildKit there are two passes over the whole file: ``check_syntax`` by the text alone, then ``check``.
"""

from __future__ import annotations

from moby_tui.engine.resources.dockerfile import arguments, shell_words
from moby_tui.engine.resources.dockerfile.parser import INSTRUCTIONS, Instruction, nearest, parse_trigger
from moby_tui.errors import InvalidArgument

_WITH_LISTS = ("ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME")
#: The values of flags of RUN; the first is that of a RUN without the flag.
_MODES = {"network": ("default", "none", "host"), "security": ("sandbox", "insecure")}


def check_syntax(instruction: Instruction, escape: str) -> None:
    """Raises ``InvalidArgument`` for a list or for pairs that cannot be read, also of a trigger."""
    match instruction.name:
        case "ENV" | "LABEL":
            arguments.assignments(instruction.name, instruction.value, escape)
        case "HEALTHCHECK":
            arguments.listed(instruction.value.partition(" ")[2].strip())
        case "ONBUILD" if instruction.value.split(None, 1)[0].upper() in INSTRUCTIONS:
            # a build on this image finds one that is unknown
            check_syntax(parse_trigger(instruction.line, instruction.value, escape), escape)
        case name if name in _WITH_LISTS:
            arguments.listed(instruction.value)


def check(instruction: Instruction, escape: str) -> None:
    """Raises ``InvalidArgument`` for what is wrong whatever the values of variables are."""
    value = instruction.value
    match instruction.name:
        case "ADD" | "COPY":
            arguments.sources_and_destination(instruction.name, value)
        case "ARG":
            for word in shell_words.raw_words(value, escape):
                arguments.argument(word)
        case "ENV" | "LABEL":
            arguments.pairs(instruction.name, value, escape)
        case "HEALTHCHECK":
            arguments.health(value, health_flags(instruction, escape))
        case "RUN":
            for flag in _MODES:
                mode(instruction, flag)
        case "SHELL":
            arguments.shell(value)
        case "VOLUME":
            arguments.volumes(value)


def health_flags(instruction: Instruction, escape: str) -> dict[str, str]:
    """The flags of HEALTHCHECK without quotes; they have no variables."""
    return {name: shell_words.expand(value, {}, escape) for name, value in instruction.flags.items()}


def mode(instruction: Instruction, flag: str) -> str:
    """The value of RUN's ``--network`` or ``--security``. Raises ``InvalidArgument``."""
    known = _MODES[flag]
    value = instruction.flags.get(flag, known[0])
    if value not in known:
        raise InvalidArgument(f'invalid {flag} mode "{value[:40]}"{nearest(value, known)}; it is {", ".join(known)}')
    return value
