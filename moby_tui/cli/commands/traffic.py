"""What passes between networks and the world: ``network exposure`` and ``doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session

app = typer.Typer()

_HEADINGS = {
    "Address": "ADDRESS",
    "Port": "PORT",
    "Protocol": "PROTOCOL",
    "Container": "CONTAINER",
    "ContainerID": "CONTAINER ID",
    "ContainerPort": "TO",
    "Network": "NETWORK",
    "Reason": "REASON",
    "Explanation": "WHY",
}
_SHOWN = ("Address", "Port", "Protocol", "Container", "ContainerPort", "Network", "Explanation")
_Format = Annotated[
    str, typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False)
]


@app.command("exposure")
def exposure(format: _Format = "") -> None:
    """List every port that is reachable from outside of the host, and why.

    'any' is a container whose every port is reachable and that listens on none just now. Rules of your own and the
    host's other firewall are not looked at.

    Examples:

      moby network exposure

      moby network exposure --format '{{.Address}}:{{.Port}} {{.Container}}: {{.Reason}}'
    """
    from moby_tui.cli.output.table import formatted
    from moby_tui.schema.base import to_builtins

    found = session.call(lambda client: client.networks.exposure())
    rows = [to_builtins(one) for one in found]
    if format in ("", "table"):
        for row in rows:
            row.update({key: row[key] or "any" for key in ("Port", "Protocol", "ContainerPort")})
    for line in formatted(format, _HEADINGS, _SHOWN, rows):
        print(line)


@app.command("doctor")
def doctor(format: Annotated[str, typer.Option("--format", help="'json' or a Go template", metavar="string")] = "") -> int:
    """Tell what blocks or breaks the traffic of containers on this host, and what to do.

    One line for each finding. The exit code is 1 where there is an error, 0 where there is none or a warning only. Nothing
    is changed.
    """
    from moby_tui.schema.base import to_builtins

    found = session.call(lambda client: client.networks.examine())
    if format:
        from moby_tui.cli.output.table import formatted

        fields = {field: field.upper() for field in ("Severity", "About", "Message", "Advice")}
        lines = formatted(format, fields, tuple(fields), [to_builtins(one) for one in found])
    else:
        lines = [f"{one.severity}: {one.about}: {one.message}; {one.advice}" for one in found] or ["nothing found"]
    for line in lines:
        print(line)
    return int(any(one.severity == "error" for one in found))
