"""``moby version``: answered without an engine, unless one is named with ``-H``."""

from __future__ import annotations

import os
import sys

from moby_tui.cli import session
from moby_tui.version import API_VERSION, MIN_API_VERSION, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from moby_tui.cli.table.declare import FormatOptions


def version(options: FormatOptions) -> None:
    """``moby version``."""
    versions = {"Client": _client(), "Server": _server()}
    if options.format:
        from moby_tui.cli.output.objects import show_object

        show_object(versions, options.format)
        return
    for title, facts in (("Client", versions["Client"]), ("Server", versions["Server"])):
        print(f"{title}:")
        for name, fact in facts.items():
            if isinstance(fact, str) and fact:
                print(f" {name + ':':<18} {fact}")


def _client() -> dict[str, Any]:
    kernel = os.uname()
    return {
        "Version": VERSION,
        "ApiVersion": API_VERSION,
        "PythonVersion": ".".join(map(str, sys.version_info[:3])),
        "Os": "linux",
        "Arch": _architecture(kernel.machine),
    }


def _architecture(machine: str) -> str:
    """The machine's name as OCI and Go have it."""
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}.get(machine, machine)


def _server() -> dict[str, Any]:
    """The engine in this process is this program; another one is asked."""
    if session.current().host:
        from moby_tui.schema.base import to_builtins

        answer: dict[str, Any] = to_builtins(session.call(lambda client: client.system.version()))
        return answer
    return {**_client(), "MinAPIVersion": MIN_API_VERSION, "KernelVersion": os.uname().release}
