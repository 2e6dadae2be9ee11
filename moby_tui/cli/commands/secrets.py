"""Secrets: ls, create, rm. ``inspect`` is in its own module."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session

app = typer.Typer()

_HEADINGS = {"ID": "ID", "Name": "NAME", "Driver": "DRIVER", "CreatedAt": "CREATED", "UpdatedAt": "UPDATED", "Labels": "LABELS"}


@app.command("ls")
def ls(
    filter: Annotated[
        list[str] | None, typer.Option("-f", "--filter", help='Provide filter values (e.g. "name=web")', metavar="filter")
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", help="'table', 'table TEMPLATE', 'json' or a Go template", metavar="string", show_default=False),
    ] = "",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only display secret IDs")] = False,
) -> None:
    """List secrets."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters
    from moby_tui.cli.values.moments import ago, seconds_of

    filters = parse_filters(filter or [])
    rows = [
        {
            "ID": secret.id,
            "Name": secret.spec.name,
            "Driver": "",
            "CreatedAt": ago(seconds_of(secret.created_at)),
            "UpdatedAt": ago(seconds_of(secret.updated_at)),
            "Label": secret.spec.labels or {},
            "Labels": ",".join(f"{key}={value}" for key, value in sorted((secret.spec.labels or {}).items())),
        }
        for secret in session.call(lambda client: client.secrets.list(filters=filters))
    ]
    columns = ("ID", "Name", "CreatedAt", "UpdatedAt")
    for line in [row["ID"] for row in rows] if quiet and not format else formatted(format, _HEADINGS, columns, rows):
        print(line)


@app.command(
    "create",
    epilog="""\b
Examples:
  moby secret create web_token ./token.txt
  pass show web | moby secret create --label team=web web_token -
  moby run --secret web_token,uid=1000,mode=0400 IMAGE
""",
)
def create(
    name: Annotated[str, typer.Argument(metavar="SECRET", show_default=False)],
    source: Annotated[str, typer.Argument(metavar="FILE|-", show_default=False)],
    label: Annotated[list[str] | None, typer.Option("-l", "--label", help="Set metadata for a secret", metavar="list")] = None,
) -> None:
    """Create a secret from a file, or from STDIN for '-'."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.cli.values.secrets import read
    from moby_tui.schema.secret import SecretCreate

    config = SecretCreate(name=name, labels=pairs("--label", label or []) or None, data=read(source))
    print(session.call(lambda client: client.secrets.create(config)).id)


@app.command("rm")
def rm(secrets: Annotated[list[str], typer.Argument(metavar="SECRET...", show_default=False)]) -> int:
    """Remove one or more secrets that no container refers to."""
    return session.call_each(secrets, lambda client, ref: client.secrets.remove(ref))
