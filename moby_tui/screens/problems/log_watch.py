"""Reads the logs that alert rules watch, as they are written, and tells the lines that an expression matches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from moby_tui.expressions import Pattern, compile_for_lines
from moby_tui.screens.actions.alert_rules import LOG, AlertRule
from moby_tui.screens.logs.gathering import Gathering
from moby_tui.screens.logs.store import MOST_SOURCES, NOTE, LogLine, LogStore
from moby_tui.screens.problems.alerts import Alert
from moby_tui.screens.problems.measuring import Tell
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import Connection, Session

#: Lines of one frame are looked at for so long, seconds; a frame is a tenth of a second.
BUSY = 0.02
#: Characters of a line that an alert tells.
TOLD = 300


def check(rules: Sequence[AlertRule]) -> list[str]:
    """What is wrong with the expressions, a line each."""
    wrong = []
    for number, rule in enumerate(rules, 1):
        try:
            compile_for_lines(rule.match)
        except ValueError as error:
            wrong.append(f"alert {number}: {error}")
    return wrong


def _matchers(rules: Sequence[AlertRule]) -> list[tuple[AlertRule, Pattern]]:
    """Those that can be; what is wrong with the others is told at the start."""
    made = []
    for rule in rules:
        if rule.on == LOG and rule.match and not check([rule]):
            made.append((rule, compile_for_lines(rule.match)))
    return made


class _Passing(LogStore):
    """Keeps no line: hands each on."""

    def __init__(self, take: Callable[[list[LogLine]], None]) -> None:
        super().__init__()
        self._take = take

    def add(self, lines: list[LogLine]) -> None:
        self._take(lines)


class LogWatch:
    """``run`` reads until it is cancelled: what was written before is not told."""

    def __init__(self, session: Session, rules: Sequence[AlertRule], tell: Tell) -> None:
        self._session, self._tell = session, tell
        self._rules = _matchers(rules)
        self._gathering = Gathering(session, _Passing(self._look), lambda: None, with_runs=False)
        self._gathering.tail = None
        self._skipped = 0
        self._has_told_skipping = False

    async def run(self) -> None:
        self._session.containers_changed.subscribe(self._session.app, self._changed, immediate=True)
        self._session.connection_changed.subscribe(self._session.app, self._connected, immediate=True)
        self._connected(self._session.connection)
        await self._gathering.run()

    def _connected(self, connection: Connection) -> None:
        if connection.up and self._session.since:
            self._gathering.since = self._session.since
            self._changed(frozenset())

    def _changed(self, touched: frozenset[str]) -> None:
        """Reads the containers that run and that a rule is for; one that has ended is kept, for its next run."""
        followed = set(self._gathering.ids)
        wanted = {
            one.id: one.name
            for one in self._session.model.rows()
            if (one.running or one.id in followed) and self._is_watched(one)
        }
        if wanted.keys() != followed and (more := self._gathering.want(wanted)):
            self._warn(f"alerts watch the logs of {MOST_SOURCES} containers at most; {more} are not watched")
        self._gathering.wake(touched)

    def _is_watched(self, one: Container) -> bool:
        return any(rule.fits(one.name, one.labels) for rule, _ in self._rules)

    def _look(self, lines: list[LogLine]) -> None:
        """In a flood the lines for which there is no time are left out, and that is told once."""
        until = time.monotonic() + BUSY
        sources = self._gathering.sources
        for place, line in enumerate(lines):
            if time.monotonic() > until:
                self._tell_skipping(len(lines) - place)
                return
            source = sources.get(line.source)
            one = self._session.model.get(source.id) if source and line.fd != NOTE else None
            if one:
                self._match(one, line)

    def _match(self, one: Container, line: LogLine) -> None:
        content = line.text.decode("utf-8", "replace")
        for rule, matcher in self._rules:
            if rule.fits(one.name, one.labels) and matcher.search(content):
                self._tell([(rule, Alert(LOG, one.id, one.name, f"{one.name}: {content[:TOLD]}", line.stamp / 1e9))])

    def _tell_skipping(self, count: int) -> None:
        if not self._has_told_skipping:
            self._has_told_skipping = True
            self._warn(f"{count} lines were not looked at by alerts: more is written than there is time for")

    def _warn(self, told: str) -> None:
        self._session.app.notify(told, title="Alerts", severity="warning", timeout=10, markup=False)
