"""A container's security profile: capabilities, seccomp, AppArmor, masked paths; resolved in the engine at creation and at each start."""

from __future__ import annotations

import fnmatch
import os
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from moby_tui.engine.policy import apparmor
from moby_tui.engine.protocol.defaults import MASKED_PATHS, READONLY_PATHS
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records.containers import HostConfig
from moby_tui.errors import InvalidArgument

_CPUS = "/sys/devices/system/cpu"


class SecurityProfile(Struct, frozen=True):
    """``seccomp`` is the OCI object and ``seccomp_program`` its compiled form, both None when unconfined; ``apparmor_profile``
    is empty when unconfined. ``missing_capabilities`` were asked for, but the engine itself does not have them."""

    capabilities: list[str]
    missing_capabilities: list[str]
    seccomp: dict[str, Any] | None
    seccomp_program: Path | None
    no_new_privileges: bool
    apparmor_profile: str
    masked_paths: list[str]
    readonly_paths: list[str]
    writable_cgroups: bool
    warnings: list[str]


class Options(Struct):
    """The values of ``--security-opt``; None where not given. ``mask`` and ``unmask`` (patterns, or ``ALL``) are Podman's."""

    no_new_privileges: bool = False
    seccomp: str | None = None
    apparmor: str | None = None
    system_paths: bool = False
    writable_cgroups: bool | None = None
    mask: list[str] = field(default_factory=list)
    unmask: list[str] = field(default_factory=list)


def resolve(host: HostConfig, paths: Paths) -> SecurityProfile:
    """The profile of this container. Compiles the seccomp filter unless it is cached.

    Raises ``InvalidArgument`` for a bad option, ``NotImplementedYet`` for a label on a kernel with SELinux.
    """
    from moby_tui.engine.policy import capabilities

    options = parse_options(host.security_opt)
    granted = capabilities.resolve(host.cap_add, host.cap_drop, privileged=host.privileged)
    seccomp, program = _seccomp(options, granted.granted, paths, privileged=host.privileged)
    confinement, warning = apparmor.resolve(options.apparmor, privileged=host.privileged)
    warnings = [warning] if warning else []
    if granted.missing:
        warnings.append(f"this engine does not hold {', '.join(granted.missing)}; the container runs without")
    masked, read_only = covered_paths(host, options)
    return SecurityProfile(
        capabilities=granted.granted,
        missing_capabilities=granted.missing,
        seccomp=seccomp,
        seccomp_program=program,
        no_new_privileges=options.no_new_privileges,
        apparmor_profile=confinement,
        masked_paths=masked,
        readonly_paths=read_only,
        writable_cgroups=host.privileged if options.writable_cgroups is None else options.writable_cgroups,
        warnings=warnings,
    )


def covered_paths(host: HostConfig, options: Options) -> tuple[list[str], list[str]]:
    """The masked and the read-only paths of /proc and /sys."""
    open_paths = host.privileged or options.system_paths
    masked = _covered(_paths(host.masked_paths, _masked_by_default(), none=open_paths), options) + options.mask
    return masked, _covered(_paths(host.readonly_paths, READONLY_PATHS, none=open_paths), options)


def parse_options(given: list[str] | None) -> Options:
    """Reads ``key=value`` (the older ``key:value`` too). Raises ``InvalidArgument`` and ``NotImplementedYet`` naming the option."""
    options = Options()
    for text in given or []:
        key, value = _split(text)
        match key:
            case "no-new-privileges":
                options.no_new_privileges = _switch(text, value)
            case "seccomp" if value:
                options.seccomp = value
            case "apparmor" if value:
                options.apparmor = value
            case "systempaths" if value == "unconfined":
                options.system_paths = True
            case "writable-cgroups" if value:
                options.writable_cgroups = _switch(text, value)
            case "label" if value:
                from moby_tui.engine.policy import selinux

                selinux.check(value)
            case "mask" if value:
                options.mask += _absolute(text, value)
            case "unmask" if value:
                options.unmask += ["/*"] if value.upper() == "ALL" else _absolute(text, value)
            case _:
                raise InvalidArgument(f'invalid --security-opt 2: "{text}"')
    return options


def _split(text: str) -> tuple[str, str]:
    """The value may itself hold ``=`` and ``:``: the CLI sends a seccomp profile's text in it."""
    at = min((place for place in (text.find("="), text.find(":")) if place >= 0), default=len(text))
    return text[:at], text[at + 1 :]


def _switch(text: str, value: str) -> bool:
    if value.lower() in ("", "true", "1", "t"):
        return True
    if value.lower() in ("false", "0", "f"):
        return False
    raise InvalidArgument(f'invalid --security-opt 2: "{text}"')


def _seccomp(
    options: Options, granted: list[str], paths: Paths, *, privileged: bool
) -> tuple[dict[str, Any] | None, Path | None]:
    requested = options.seccomp
    if requested == "unconfined" or (requested is None and privileged):
        return None, None
    from moby_tui.engine.policy.seccomp.cache import cached_program

    rules, program = _compiled(None if requested == "builtin" else requested, tuple(granted), paths)
    # usable only if the cached file is still there
    return rules, program if program.exists() else cached_program(paths, rules)


@lru_cache(maxsize=32)
def _compiled(asked: str | None, granted: tuple[str, ...], paths: Paths) -> tuple[dict[str, Any], Path]:
    """The rules and the compiled program, kept in memory: most containers of an engine have the same."""
    from moby_tui.engine.policy.seccomp import profile
    from moby_tui.engine.policy.seccomp.cache import cached_program

    # the profile's text, never a path: the client has read the file
    rules = profile.to_oci(profile.default() if asked is None else profile.parse(asked), list(granted))
    return rules, cached_program(paths, rules)


def _paths(asked: list[str] | None, default: tuple[str, ...], *, none: bool) -> list[str]:
    """The paths of a request: an empty list means none, null the default ones."""
    if asked is not None:
        return list(asked)
    return [] if none else list(default)


def _covered(paths: list[str], options: Options) -> list[str]:
    """The paths that ``unmask`` does not name."""
    unmask = options.unmask
    return [path for path in paths if not any(fnmatch.fnmatchcase(path, pattern) for pattern in unmask)] if unmask else paths


def _absolute(text: str, value: str) -> list[str]:
    paths = value.split(":")
    if not all(path.startswith("/") for path in paths):
        raise InvalidArgument(f"invalid --security-opt: {text!r}; give absolute paths, with ':' between them")
    return paths


@cache
def _masked_by_default() -> tuple[str, ...]:
    """Looked for once, as dockerd does."""
    with suppress(FileNotFoundError):
        cpus = sorted(name for name in os.listdir(_CPUS) if name.startswith("cpu") and name[3:].isdecimal())
        return (*MASKED_PATHS, *(path for cpu in cpus if os.path.isdir(path := f"{_CPUS}/{cpu}/thermal_throttle")))
    return MASKED_PATHS
