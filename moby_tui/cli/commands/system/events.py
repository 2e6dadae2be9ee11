"""``moby events``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.schema.base import Filters
    from moby_tui.schema.event import Event
    from moby_tui.templates import Template

app = typer.Typer()


@app.command("events")
def events(
    filter: Annotated[
        list[str] | None, typer.Option("-f", "--filter", help="Filter output based on conditions provided", metavar="filter")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="'json' or a Go template", metavar="string", show_default=False)] = "",
    since: Annotated[
        str, typer.Option("--since", help="Show all events created since timestamp", metavar="string", show_default=False)
    ] = "",
    until: Annotated[
        str, typer.Option("--until", help="Stream events until this timestamp", metavar="string", show_default=False)
    ] = "",
) -> None:
    """Get real time events from the engine."""
    import time

    from moby_tui.cli.output.template import check_fields, parse
    from moby_tui.cli.values.filters import parse_filters
    from moby_tui.cli.values.moments import parse_moment
    from moby_tui.schema.event import Event, EventActor

    now = time.time()
    template = parse(format) if format else None
    if template:
        check_fields(template, Event(type="", action="", actor=EventActor(id="")))
    start, end = (parse_moment(text, now) if text else None for text in (since, until))
    filters = parse_filters(filter or [])
    session.call(lambda client: _show(client, start, end, filters, template))


async def _show(client: Client, since: float | None, until: float | None, filters: Filters, template: Template | None) -> None:
    from moby_tui.cli.output.template import render_object

    async for event in client.events.stream(since=since, until=until, filters=filters):
        print(render_object(template, event) if template else _line(event), flush=True)


def _line(event: Event) -> str:
    from moby_tui.cli.output.text import printable
    from moby_tui.cli.values.moments import nanosecond_text

    attributes = ", ".join(f"{key}={value}" for key, value in sorted(event.actor.attributes.items()))
    text = f"{nanosecond_text(event.time_nano)} {event.type} {event.action} {event.actor.id}"
    return printable(f"{text} ({attributes})" if attributes else text)
