"""``moby logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.schema.container import LogOptions

app = typer.Typer()


@app.command("logs")
def logs(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Follow log output")] = False,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            help='Show logs since a time (2026-01-02T13:23:37Z) or a duration ago ("42m")',
            show_default=False,
            metavar="string",
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--until",
            help='Show logs before a time (2026-01-02T13:23:37Z) or a duration ago ("42m")',
            show_default=False,
            metavar="string",
        ),
    ] = "",
    tail: Annotated[
        str, typer.Option("-n", "--tail", help="Number of lines to show from the end of the logs", metavar="string")
    ] = "all",
    timestamps: Annotated[bool, typer.Option("-t", "--timestamps", help="Show timestamps")] = False,
    details: Annotated[bool, typer.Option("--details", help="Show extra details provided to logs")] = False,
) -> None:
    """Fetch the logs of a container."""
    import time

    from moby_tui.cli.values.moments import parse_moment
    from moby_tui.schema.container import LogOptions

    now = time.time()
    options = LogOptions(
        follow=follow,
        since=parse_moment(since, now),
        until=parse_moment(until, now),
        timestamps=timestamps,
        details=details,
        tail=_tail(tail),
    )
    session.call(lambda client: _show(client, container, options))


def _tail(text: str) -> int | None:
    """The number of lines; None for all, which Docker also takes a negative number for."""
    if text == "all":
        return None
    try:
        lines = int(text)
    except ValueError:
        raise InvalidArgument(f"invalid value for --tail: {text!r}; give a number of lines, or all") from None
    return None if lines < 0 else lines


async def _show(client: Client, container: str, options: LogOptions) -> None:
    from moby_tui.cli.terminal.attachment import write_output
    from moby_tui.schema.stream import STDERR

    async for stream, line in client.containers.logs(container, options):
        await write_output(2 if stream == STDERR else 1, line)
