"""Hooks for every container that they match: the files of ``--hooks-dir``, in the format of podman.

Specification: oci-hooks(5) of containers/common, schema 1.0.0. The files are root's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from moby_tui.engine.protocol.configuration import Configuration, Hook
from moby_tui.engine.runtime.birth.hooks import STAGES
from moby_tui.errors import MobyError
from moby_tui.expressions import compile_expression, finds

_VERSION = "1.0.0"


class _Hook(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None


class _When(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    always: bool | None = None
    annotations: dict[str, str] = {}
    commands: list[str] = []
    has_bind_mounts: bool | None = None


class HookFile(msgspec.Struct, forbid_unknown_fields=True):
    """One file: which hook, when, and at which stages."""

    version: str
    hook: _Hook
    when: _When
    stages: list[str]

    def matches(self, annotations: dict[str, str], command: str, *, has_binds: bool) -> bool:
        """All that is asked for must be so, and something must be asked for."""
        when = self.when
        held = [
            *([when.always] if when.always is not None else []),
            *([has_binds] if when.has_bind_mounts else []),
            *(_some(key, value, annotations) for key, value in when.annotations.items()),
            *([any(finds(pattern, command) for pattern in when.commands)] if when.commands else []),
        ]
        return bool(held) and all(held)


def _some(key: str, value: str, annotations: dict[str, str]) -> bool:
    return any(finds(key, name) and finds(value, text) for name, text in annotations.items())


def read(folders: Iterable[Path]) -> list[HookFile]:
    """The files of all folders, by their names; one in a later folder replaces that of the same name in an earlier.

    Raises ``MobyError`` for a folder or file that cannot be used, naming it: a hook that is silently left out may be what keeps a
    machine safe.
    """
    paths: dict[str, Path] = {}
    for folder in folders:
        try:
            paths |= {path.name: path for path in folder.iterdir() if path.suffix == ".json"}
        except OSError as error:
            raise MobyError(f"hooks folder {folder}: {os.strerror(error.errno or 0).lower()}") from error
    return [_read(paths[name]) for name in sorted(paths)]


def _read(path: Path) -> HookFile:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=HookFile)
        _check(file)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise MobyError(f"hook file {path}: {error}") from error
    return file


def _check(file: HookFile) -> None:
    if file.version != _VERSION:
        raise ValueError(f"version {file.version!r} is not known: it must be {_VERSION}")
    if not os.path.isabs(file.hook.path) or not os.access(file.hook.path, os.X_OK):
        raise ValueError(f"hook path {file.hook.path!r} is not the absolute path of a program")
    if file.hook.timeout is not None and file.hook.timeout <= 0:
        raise ValueError("the timeout must be a number of seconds above zero")
    unknown = set(file.stages) - set(STAGES)
    if unknown or not file.stages:
        raise ValueError(f"stages must be of {', '.join(STAGES)}; it has {', '.join(sorted(unknown)) or 'none'}")
    for pattern in (*file.when.commands, *file.when.annotations, *file.when.annotations.values()):
        compile_expression(pattern)


def add(configuration: Configuration, folders: Iterable[Path], *, has_binds: bool) -> None:
    """Gives a container's configuration the hooks that match it. Raises ``MobyError``."""
    command = configuration.process.args[0]
    for file in read(folders):
        if file.matches(configuration.annotations, command, has_binds=has_binds):
            for stage in file.stages:
                hook = Hook(path=file.hook.path, args=file.hook.args, env=file.hook.env, timeout=file.hook.timeout)
                configuration.hooks.of(stage).append(hook)
