"""Reads a container's past from an engine: moby's keeps figures and the logs of removed containers, others only tell of events."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from moby_tui.schema.container import LogOptions
from moby_tui.schema.history import Figures, HistoryStatus, KeptLine
from moby_tui.schema.stream import STDERR, STDOUT
from moby_tui.screens import text
from moby_tui.screens.logs.lining import Lining, make_line, note
from moby_tui.screens.logs.moments import SECOND, parse_stamp
from moby_tui.screens.logs.store import LogLine
from moby_tui.screens.replay.timeline import Happening, happening
from moby_tui.screens.session.session import TROUBLE, Session

#: As far back as events are asked for, seconds.
BACK = 30 * 86400.0
#: Lines of the log.
TAIL = 20_000


@dataclass(slots=True)
class Known:
    """A container whose past can be seen. Times are Unix seconds, 0 for unknown; ``gone`` if it was removed."""

    id: str
    name: str
    image: str = ""
    first: float = 0.0
    last: float = 0.0
    gone: bool = False
    removed: float = 0.0
    exit_code: int | None = None
    log: bool = False


@dataclass(slots=True)
class Past:
    """``no_log`` says why there are no lines of its own."""

    happenings: list[Happening] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    no_log: str = ""


class Archive:
    """What the engine of a session knows of the past. ``reason`` says why it keeps no figures, empty if it does."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.status = HistoryStatus()
        self.reason = ""

    async def containers(self) -> list[Known]:
        """Those that exist, and those that the engine remembers; the last to be seen first. Raises errors of a lost engine."""
        known: dict[str, Known] = {}
        for one in self._session.model.sorted():
            known[one.id] = Known(one.id, one.name, one.image, last=time.time() if one.running else one.since)
        await self._ask_history(known)
        await self._ask_events(known)
        return sorted(known.values(), key=lambda one: (one.gone, -max(one.last, one.removed), one.name))

    async def _ask_history(self, found: dict[str, Known]) -> None:
        client = self._session.client
        try:
            self.status = await client.history.status()
            remembered = await client.history.containers()
        except TROUBLE as error:
            self.reason = f"no figures: {text.clean(str(error))}"
            return
        self.reason = "" if self.status.limit else "no figures: the engine keeps no history (history-size is 0)"
        for one in remembered:
            known = found.setdefault(one.id, Known(one.id, text.clean(one.name), text.clean(one.image), gone=True))
            known.first, known.log = one.first, one.log
            known.last = max(known.last, one.last)
            known.removed, known.exit_code = one.removed, one.exit_code

    async def _ask_events(self, found: dict[str, Known]) -> None:
        """An engine without a history remembers removed containers by their events."""
        now = time.time()
        filters = {"type": ["container"], "event": ["destroy"]}
        async for event in self._session.client.events.stream(since=now - BACK, until=now, filters=filters):
            if event.type != "container" or event.action != "destroy":
                continue
            attributes, moment = event.actor.attributes, event.time_nano / 1e9 or float(event.time)
            name = text.clean(attributes.get("name", "")) or text.short_id(event.actor.id)
            known = found.setdefault(
                event.actor.id, Known(event.actor.id, name, text.clean(attributes.get("image", "")), gone=True)
            )
            if known.gone:
                known.removed = moment

    async def past(self, known: Known) -> Past:
        """Events and log of one container. Raises errors of a lost engine."""
        past, now = Past(), time.time()
        filters = {"type": ["container"], "container": [known.id]}
        async for event in self._session.client.events.stream(since=now - BACK, until=now, filters=filters):
            if event.actor.id == known.id and (one := happening(event)):
                past.happenings.append(one)
        try:
            past.lines = await (self._kept_log(known) if known.gone else self._log(known))
        except TROUBLE as error:
            past.no_log = f"no log: {text.clean(str(error))}"
        for one in past.happenings:
            past.lines.append(note(int(one.time * SECOND), 0, f"── {known.name} {one.told} ──"))
        past.lines.sort(key=lambda line: line.stamp)
        return past

    async def figures(self, known: Known, since: float, until: float, step: int) -> list[Figures]:
        """Raises errors of an engine that keeps none."""
        client = self._session.client
        return [one async for one in client.history.figures(known.id, since=since, until=until, step=step)]

    async def _log(self, known: Known) -> list[LogLine]:
        lining = Lining(0)
        lines: list[LogLine] = []
        async for fd, data in self._session.client.containers.logs(known.id, LogOptions(timestamps=True, tail=TAIL)):
            if line := lining.take(fd, data):
                lines.append(line)
        return lines + lining.rest()

    async def _kept_log(self, known: Known) -> list[LogLine]:
        return [_line(one) async for one in self._session.client.history.log(known.id)]


def _line(kept: KeptLine) -> LogLine:
    fd = STDERR if kept.stream == "stderr" else STDOUT
    return make_line(parse_stamp(kept.time), 0, fd, kept.text.encode("utf-8", "replace"))
