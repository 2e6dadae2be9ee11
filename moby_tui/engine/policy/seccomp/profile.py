"""Profiles in Docker's format, and the ``linux.seccomp`` of the OCI runtime specification that each gives for one container.

Docker's format is OCI's with conditions: a rule holds for some architectures, capabilities or kernels only
(docs.docker.com, "Seccomp security profiles for Docker").
"""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from moby_tui.errors import InvalidArgument

_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_SCMP_NAMES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


class Argument(Struct, rename="camel", omit_defaults=True):
    """A condition on one argument of the call. For ``SCMP_CMP_MASKED_EQ``: ``argument & value == value_two``."""

    index: int
    op: str
    value: int
    value_two: int = 0


class Condition(Struct, rename="camel"):
    """When a rule holds. ``arches`` in Go's names, ``min_kernel`` as ``4.8``."""

    caps: list[str] | None = None
    arches: list[str] | None = None
    min_kernel: str = ""


class Rule(Struct, rename="camel"):
    action: str
    names: list[str] | None = None
    name: str = ""
    errno_ret: int | None = None
    args: list[Argument] | None = None
    includes: Condition | None = None
    excludes: Condition | None = None


class Architecture(Struct, rename="camel"):
    """A machine architecture, and the others whose programs it also runs."""

    architecture: str
    sub_architectures: list[str] | None = None


class Profile(Struct, rename="camel"):
    default_action: str
    default_errno_ret: int | None = None
    architectures: list[str] | None = None
    arch_map: list[Architecture] | None = None
    flags: list[str] | None = None
    listener_path: str = ""
    syscalls: list[Rule] | None = field(default=None)


def parse(text: str | bytes) -> Profile:
    """Reads a profile. Raises ``InvalidArgument`` that says what is wrong with it."""
    try:
        profile = msgspec.json.decode(text, type=Profile)
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"decoding seccomp profile failed: {error}") from error
    if profile.architectures and profile.arch_map:
        raise InvalidArgument("seccomp profile: give either 'architectures' or 'archMap', not both")
    for rule in profile.syscalls or []:
        if bool(rule.names) == bool(rule.name):
            raise InvalidArgument("seccomp profile: each rule needs either 'names' or 'name'")
    return profile


@cache
def default() -> Profile:
    """The profile of a container that asks for none."""
    return parse(Path(__file__).with_name("default.json").read_bytes())


def to_oci(profile: Profile, capabilities: list[str], *, machine: str = "", kernel: str = "") -> dict[str, Any]:
    """The rules that hold for a container with these capabilities (``machine`` and ``kernel``: as uname(2), default this one).

    Raises ``InvalidArgument`` for a profile that wants to ask another process (``listenerPath``, ``SCMP_ACT_NOTIFY``).
    """
    machine, kernel = machine or os.uname().machine, kernel or os.uname().release
    granted = frozenset(capabilities)
    rules = [rule for rule in profile.syscalls or [] if _holds(rule, granted, _GO_NAMES.get(machine, machine), kernel)]
    if profile.listener_path or any("NOTIFY" in action for action in (profile.default_action, *(rule.action for rule in rules))):
        raise InvalidArgument(
            "seccomp profile: SCMP_ACT_NOTIFY needs a listener, which this engine does not have; use another action"
        )
    result: dict[str, Any] = {"defaultAction": profile.default_action, "architectures": _architectures(profile, machine)}
    if profile.default_errno_ret is not None:
        result["defaultErrnoRet"] = profile.default_errno_ret
    if profile.flags is not None:
        result["flags"] = profile.flags
    result["syscalls"] = [_oci_rule(rule) for rule in rules]
    return result


def _oci_rule(rule: Rule) -> dict[str, Any]:
    result: dict[str, Any] = {"names": rule.names or [rule.name], "action": rule.action}
    if rule.errno_ret is not None:
        result["errnoRet"] = rule.errno_ret
    if rule.args:
        result["args"] = msgspec.to_builtins(rule.args)
    return result


def _architectures(profile: Profile, machine: str) -> list[str]:
    if profile.arch_map is None:
        return list(profile.architectures or [])
    own = _SCMP_NAMES.get(machine, "")
    return [name for entry in profile.arch_map if entry.architecture == own for name in (own, *(entry.sub_architectures or []))]


def _holds(rule: Rule, granted: frozenset[str], architecture: str, kernel: str) -> bool:
    without, needed = rule.excludes, rule.includes
    if without is not None and (
        architecture in (without.arches or [])
        or not granted.isdisjoint(without.caps or [])
        or (without.min_kernel and _at_least(kernel, without.min_kernel))
    ):
        return False
    return needed is None or (
        (not needed.arches or architecture in needed.arches)
        and granted.issuperset(needed.caps or [])
        and (not needed.min_kernel or _at_least(kernel, needed.min_kernel))
    )


def _at_least(kernel: str, least: str) -> bool:
    return _version(kernel) >= _version(least)


def _version(text: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", text)
    if match is None:
        raise InvalidArgument(f"seccomp profile: bad kernel version {text!r}; write it as 5.4")
    return int(match[1]), int(match[2])
