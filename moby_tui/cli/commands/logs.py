"""``moby logs``."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import LogsOptions
    from moby_tui.schema.container import LogOptions


def logs(options: LogsOptions, container: str, more: list[str]) -> int:
    """``moby logs``."""
    containers = [*([container] if container else []), *more]
    if options.tui:
        return _show_workbench(options, containers)
    if len(containers) != 1:
        raise InvalidArgument("moby logs shows the log of one CONTAINER; with --tui those of several")
    _print(options, containers[0])
    return 0


def _show_workbench(options: LogsOptions, containers: list[str]) -> int:
    """The dashboard's page of the logs, which follows them."""
    import time

    from moby_tui.cli.commands import dashboard
    from moby_tui.cli.values.moments import parse_moment

    for given, name in ((options.until, "--until"), (options.timestamps, "--timestamps"), (options.details, "--details")):
        if given:
            raise InvalidArgument(f"{name} is not for --tui")
    session.require_root()
    since, tail = parse_moment(options.since, time.time()), _tail(options.tail)
    dashboard.check_terminal()
    bounds = [*([f"since:{since}"] if since else []), *([f"tail:{tail}"] if tail is not None else [])]
    return dashboard.show(("logs", *bounds, *dashboard.find(containers)))


def _print(options: LogsOptions, container: str) -> None:
    import time

    from moby_tui.cli.values.moments import parse_moment
    from moby_tui.schema.container import LogOptions

    now = time.time()
    wanted = LogOptions(
        follow=options.follow,
        since=parse_moment(options.since, now, of_log="since"),
        until=parse_moment(options.until, now, of_log="until"),
        timestamps=options.timestamps,
        details=options.details,
        tail=_tail(options.tail),
    )
    session.call(lambda client: _show(client, container, wanted))


def _tail(text: str) -> int | None:
    """The number of lines; None for all, which Docker takes a negative number and all other text for."""
    try:
        lines = int(text)
    except ValueError:
        return None
    return None if lines < 0 else lines


async def _show(client: Client, container: str, options: LogOptions) -> None:
    from moby_tui.cli.terminal.attachment import write_output
    from moby_tui.schema.stream import STDERR

    async for stream, line in client.containers.logs(container, options):
        await write_output(2 if stream == STDERR else 1, line)
