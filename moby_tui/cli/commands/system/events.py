"""``moby events``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.system import SystemEventsOptions
    from moby_tui.schema.base import Filters
    from moby_tui.schema.event import Event
    from moby_tui.templates import Template


def events(options: SystemEventsOptions) -> None:
    """``moby events``."""
    import time

    from moby_tui.cli.output.template import check_fields, parse
    from moby_tui.cli.values.filters import parse_filters
    from moby_tui.cli.values.moments import parse_moment
    from moby_tui.schema.event import Event, EventActor

    now = time.time()
    template = parse(options.format, "Error parsing format") if options.format else None
    if template:
        check_fields(template, Event(type="", action="", actor=EventActor(id="")))
    start, end = (parse_moment(text, now) if text else None for text in (options.since, options.until))
    filters = parse_filters(options.filter)
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
