"""``moby logs``."""

from __future__ import annotations

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import LogsOptions
    from moby_tui.schema.container import LogOptions


def logs(options: LogsOptions, container: str) -> None:
    """``moby logs``."""
    import time

    from moby_tui.cli.values.moments import parse_moment
    from moby_tui.schema.container import LogOptions

    now = time.time()
    wanted = LogOptions(
        follow=options.follow,
        since=parse_moment(options.since, now),
        until=parse_moment(options.until, now),
        timestamps=options.timestamps,
        details=options.details,
        tail=_tail(options.tail),
    )
    session.call(lambda client: _show(client, container, wanted))


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
