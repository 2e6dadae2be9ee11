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
    if options.format:
        from moby_tui.cli.output.objects import show_object

        show_object({"Client": _client(), "Server": _asked_server()}, options.format)
        return
    client, server = _client(), _server()
    print("Client:")
    _show(client, " ", client["ApiVersion"])
    print("\nServer:\n Engine:")
    _show(server, "  ", f"{server['ApiVersion']} (minimum version {server['MinAPIVersion']})")


def _show(facts: dict[str, Any], indent: str, api: str) -> None:
    """Prints the facts in docker's lines; an unknown fact has no line."""
    for title, fact in (
        ("Version", facts["Version"]),
        ("API version", api),
        ("Python version", facts.get("PythonVersion")),
        ("Go version", facts.get("GoVersion")),
        ("Git commit", facts.get("GitCommit")),
        ("Built", facts.get("BuildTime")),
        ("OS/Arch", f"{facts['Os']}/{facts['Arch']}"),
        ("Kernel version", facts.get("KernelVersion")),
        ("Context", facts.get("Context")),
    ):
        if fact:
            print(f"{indent}{title + ':':<{20 - len(indent)}}{fact}")


def _client() -> dict[str, Any]:
    """What docker's command line tells of itself; of Go and a commit there is nothing to tell."""
    kernel = os.uname()
    return {
        "Version": VERSION,
        "ApiVersion": API_VERSION,
        "DefaultAPIVersion": API_VERSION,
        "GitCommit": "",
        "GoVersion": "",
        "PythonVersion": ".".join(map(str, sys.version_info[:3])),
        "Os": "linux",
        "Arch": _architecture(kernel.machine),
        "BuildTime": "",
        "Context": _context(),
    }


def _context() -> str:
    from moby_tui.cli.global_options import has_context_in_use

    current = session.current()
    if not (current.context or os.environ.get("DOCKER_CONTEXT") or has_context_in_use(current.login_folder)):
        return "default"
    # imported here: few name a context
    from moby_tui.contexts.choice import name_in_use

    return name_in_use(current.login_folder, current.context, current.named_host)


def _architecture(machine: str) -> str:
    """The machine's name as OCI and Go have it."""
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}.get(machine, machine)


def _server() -> dict[str, Any]:
    """The engine in this process is this program, of which these lines are told without an import; another one is asked."""
    if session.current().host:
        return _asked_server()
    client = _client()
    del client["Context"]
    return {**client, "MinAPIVersion": MIN_API_VERSION, "KernelVersion": os.uname().release}


def _asked_server() -> dict[str, Any]:
    """All that the engine says of itself. The one in this process need not be opened for it."""
    from moby_tui.schema.base import to_builtins

    if session.current().host:
        answer: dict[str, Any] = to_builtins(session.call(lambda client: client.system.version()))
        return answer
    from moby_tui.engine.system import version as of_engine

    return {**to_builtins(of_engine()), "PythonVersion": _client()["PythonVersion"]}
