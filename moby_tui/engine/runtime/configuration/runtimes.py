"""The OCI runtimes that a container can be given to: this engine itself, and programs that are installed."""

from __future__ import annotations

import os

from moby_tui.engine_options import BUILT_IN_RUNTIME, EngineOptions
from moby_tui.errors import InvalidArgument

#: Found by their names without being configured.
_KNOWN = ("crun", "runc", "youki", "runsc", "kata-runtime", "krun")
_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
#: Docker's own runtime, and the shim that runs it. Where runc is not installed they mean the built-in runtime.
_DOCKERS = {"runc": "runc", "io.containerd.runc.v2": "runc"}
#: What selects the built-in runtime: nothing, its name.
OURS = ("", BUILT_IN_RUNTIME)


class Runtimes:
    """The runtimes of one engine: what was configured for it, and the well-known ones that are installed."""

    def __init__(self, options: EngineOptions) -> None:
        """Raises ``InvalidArgument`` for a name that cannot be one, a path that is not the absolute one of a program, and a default that
        is not there."""
        for name, path in options.runtimes.items():
            if name in OURS or "/" in name:
                raise InvalidArgument(f"runtime name {name!r} cannot be used: choose another one without a slash")
            _check(path)
        self._configured = options.runtimes
        #: the runtime of a container that names none
        self.default = options.default_runtime
        self.resolve(self.default)

    def resolve(self, name: str) -> str:
        """The program, empty for the built-in runtime. Raises ``InvalidArgument`` for one that is not there."""
        if self.is_built_in(name):
            return ""
        if "/" in name:
            _check(name)
            return name
        path = self._path(name)
        if not path:
            raise InvalidArgument(
                f"unknown or invalid runtime name: {name}; give the path of a program, or serve with moby daemon --add-runtime {name}=PATH"
            )
        return path

    def is_built_in(self, name: str) -> bool:
        """True for a name that means the runtime of this engine."""
        return name in OURS or (name in _DOCKERS and not self._path(name))

    def _path(self, name: str) -> str:
        program = _DOCKERS.get(name, name)
        return self._configured.get(name) or (_find(program) if program in _KNOWN else "")

    def all(self) -> dict[str, str]:
        """Name and program of each; the built-in one has no program."""
        installed = {name: path for name in _KNOWN if (path := _find(name))}
        return {BUILT_IN_RUNTIME: "", **installed, **self._configured}


def _find(name: str) -> str:
    return next((path for folder in _FOLDERS if os.access(path := f"{folder}/{name}", os.X_OK)), "")


def _check(path: str) -> None:
    if not os.path.isabs(path) or not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise InvalidArgument(f"runtime {path} is not the absolute path of a program")
