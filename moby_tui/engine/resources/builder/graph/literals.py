"""What an instruction says without variables, checked before the first step of a build.

BuildKit evaluates all instructions of the stages that it needs before it runs one.
"""

from __future__ import annotations

from moby_tui.engine.resources.builder import entitlements
from moby_tui.engine.resources.builder.execution import mounts
from moby_tui.engine.resources.dockerfile import arguments, forms, modes, shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction
from moby_tui.errors import InvalidArgument


def check(instruction: Instruction, escape: str, allowed: frozenset[str]) -> None:
    """Raises ``InvalidArgument`` for a wrong value, ``Forbidden`` for a RUN that needs an entitlement which is not ``allowed``."""
    value = instruction.value
    for mode in _fixed(instruction.flags.get("chmod", ""), escape):
        modes.read(mode)
    match instruction.name:
        case "RUN":
            for text in instruction.repeated.get("mount", ()):
                for mount in _fixed(text, escape):
                    mounts.read(mount, None)
            require(instruction, allowed)
        case "EXPOSE" if "$" not in value:
            arguments.ports(shell_words.split(value, {}, escape))
        case "STOPSIGNAL":
            for signal in _fixed(value, escape):
                arguments.check_signal(signal)
        case "VOLUME":
            for item in arguments.volumes(value):
                for path in _fixed(item, escape):
                    arguments.check_volume(path)


def check_stages(instruction: Instruction, names: list[str], position: int) -> None:
    """Raises ``InvalidArgument`` for a ``--from`` with a variable, or one that names a stage which is none of those before ``position``."""
    if instruction.name == "FROM":
        return
    origin = instruction.flags.get("from", "")
    if "$" in origin:
        raise InvalidArgument(
            "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround"
        )
    if _comes_later(origin, names, position):
        raise InvalidArgument(
            f'cannot copy from stage "{origin}", it needs to be defined before current stage "{names[position]}"'
        )
    for text in instruction.repeated.get("mount", ()):
        fields = dict(entry.partition("=")[::2] for entry in text.split(","))
        origin = fields.get("from", "")
        if "$" in origin:
            raise InvalidArgument("'from' doesn't support variable expansion, define alias stage instead")
        if _comes_later(origin, names, position):
            target = next((fields[name] for name in ("target", "dst", "destination") if name in fields), "")
            raise InvalidArgument(
                f'cannot mount from stage "{origin}" to "{target}", stage needs to be defined before current command'
            )


def _comes_later(name: str, names: list[str], position: int) -> bool:
    return bool(name) and name.lower() in names[position:] and name.lower() not in names[:position]


def require(instruction: Instruction, allowed: frozenset[str]) -> None:
    """Raises ``Forbidden`` if a flag of RUN needs an entitlement that is not allowed."""
    if forms.mode(instruction, "network") == "host":
        entitlements.require(allowed, entitlements.HOST_NETWORK, "RUN --network=host")
    if forms.mode(instruction, "security") == "insecure":
        entitlements.require(allowed, entitlements.INSECURE, "RUN --security=insecure")


def _fixed(text: str, escape: str) -> list[str]:
    """The text without quotes; none if it has variables, whose values are not known yet, or is empty."""
    return [shell_words.expand(text, {}, escape)] if text and "$" not in text else []
