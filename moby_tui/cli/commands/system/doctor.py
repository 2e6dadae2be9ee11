"""``system doctor``: what the engine has on its host, and what is missing."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session

app = typer.Typer()


@app.command("doctor")
def doctor(format: Annotated[str, typer.Option("--format", help="'json' or a Go template", metavar="string")] = "") -> int:
    """Tell what of kernel, control groups, firewall and file system is there, what is missing, and what to do.

    One line for each: 'ok', 'absent' (an option or a protection is not there), 'warning' or 'error'. The exit code is 1
    where there is an error. Nothing is changed.
    """
    from moby_tui.schema.base import to_builtins

    found = session.call(lambda client: client.system.examine())
    if format:
        from moby_tui.cli.output.table import formatted

        fields = {field: field.upper() for field in ("Severity", "About", "Message", "Advice")}
        lines = formatted(format, fields, tuple(fields), [to_builtins(one) for one in found])
    else:
        lines = [f"{one.severity}: {one.about}: {one.message}{f'; {one.advice}' if one.advice else ''}" for one in found]
    for line in lines:
        print(line)
    return int(any(one.severity == "error" for one in found))
