"""What an instruction says without variables, checked before the first step of a build.

BuildKit evaluates all instructions of the stages that it needs before it runs one.
"""

from __future__ import annotations

from moby_tui.engine.resources.builder import entitlements
from moby_tui.engine.resources.builder.execution import mounts
from moby_tui.engine.resources.dockerfile import arguments, forms, modes, shell_words
from moby_tui.engine.resources.dockerfile.parser import Instruction


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


def require(instruction: Instruction, allowed: frozenset[str]) -> None:
    """Raises ``Forbidden`` if a flag of RUN needs an entitlement that is not allowed."""
    if forms.mode(instruction, "network") == "host":
        entitlements.require(allowed, entitlements.HOST_NETWORK, "RUN --network=host")
    if forms.mode(instruction, "security") == "insecure":
        entitlements.require(allowed, entitlements.INSECURE, "RUN --security=insecure")


def _fixed(text: str, escape: str) -> list[str]:
    """The text without quotes; none if it has variables, whose values are not known yet, or is empty."""
    return [shell_words.expand(text, {}, escape)] if text and "$" not in text else []
