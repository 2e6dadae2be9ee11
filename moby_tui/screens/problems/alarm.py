"""Tells a person what their alert rules have met: in the dashboard, by the bell, on the desktop, by a program, by a webhook."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from textual.app import App

from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.actions.alert_rules import DISK, LOG, MEASURED, AlertRule
from moby_tui.screens.problems import alerts
from moby_tui.screens.problems.alerts import Alert
from moby_tui.screens.problems.bounds import Restarts
from moby_tui.screens.problems.watch import ProblemWatch
from moby_tui.screens.session.session import Session

#: The same alert is told again after this; seconds.
QUIET = 10.0
#: Programs and webhooks that run at once, and how long each may take; what comes while so many run is told without.
MOST, SECONDS = 8, 30.0


class Terminal(Protocol):
    """What is asked of the application's driver."""

    def write(self, data: str) -> None: ...


class Alarm:
    """Watches from when it is made: what was before is told by the page of the problems alone."""

    def __init__(
        self, app: App[Any], session: Session, problems: ProblemWatch, rules: Sequence[AlertRule], terminal: Terminal
    ) -> None:
        self._app = app
        self._terminal = terminal
        self._session = session
        self._problems = problems
        self._rules = rules
        self._known: set[str] | None = None
        self._told: dict[tuple[int, str, str], float] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._restarts = Restarts(rules)
        self._watch(rules)
        self._session.event_received.subscribe(self._app, self._take, immediate=True)
        self._problems.changed.subscribe(self._app, lambda _: self._look(), immediate=True)

    def _watch(self, rules: Sequence[AlertRule]) -> None:
        """Measures and reads only what rules ask for."""
        if any(rule.on in (*MEASURED, DISK) for rule in rules):
            from moby_tui.screens.problems.measuring import Measuring

            self._app.run_worker(Measuring(self._session, rules, self._tell).run(), group="alerts")
        if any(rule.on == LOG for rule in rules):
            from moby_tui.screens.problems.log_watch import LogWatch

            self._app.run_worker(LogWatch(self._session, rules, self._tell).run(), group="alerts")

    def _take(self, event: Event) -> None:
        # events of the time before the connection come first
        if event.time_nano / 1e9 >= self._session.since:
            self._tell([*alerts.of_event(self._rules, event), *self._restarts.take(event)])

    def _look(self) -> None:
        known, current = self._known, {one.key: one for one in self._problems.problems}
        self._known = set(current)
        if known is not None:
            new = [one for key, one in current.items() if key not in known]
            self._tell(alerts.of_problems(self._rules, new, self._labels_of))

    def _labels_of(self, container: str) -> Mapping[str, str]:
        one = self._session.model.get(container)
        return one.labels if one else {}

    def _tell(self, met: Sequence[tuple[AlertRule, Alert]]) -> None:
        now = asyncio.get_running_loop().time()
        for rule, alert in met:
            same = (id(rule), alert.container, alert.kind)
            if now - self._told.get(same, -QUIET) >= QUIET:
                self._told[same] = now
                self._deliver(rule, alert)
        self._told = {same: when for same, when in self._told.items() if now - when < QUIET}

    def _deliver(self, rule: AlertRule, alert: Alert) -> None:
        if rule.show:
            self._app.notify(alert.what, title="Alert", severity="warning", timeout=10, markup=False)
        if rule.bell:
            self._app.bell()
        if rule.desktop:
            # a semicolon would part the words of the second form
            words = alert.what.replace(";", ",")
            self._terminal.write(f"\x1b]9;{words}\x07\x1b]777;notify;moby;{words}\x07")
        for outside in ([self._run] if rule.command else []) + ([self._post] if rule.webhook else []):
            if len(self._running) < MOST:
                task = asyncio.create_task(outside(rule, alert))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _run(self, rule: AlertRule, alert: Alert) -> None:
        """The program gets the alert in its environment, so that what a container is called cannot become a command."""
        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(rule.command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **alert.environment()},
            )
        except (OSError, ValueError) as error:
            self._failed(rule.command, str(error))
            return
        try:
            async with asyncio.timeout(SECONDS):
                if code := await process.wait():
                    self._failed(rule.command, f"exit code {code}")
        except TimeoutError:
            process.kill()
            await process.wait()
            self._failed(rule.command, f"it took more than {SECONDS:.0f} seconds")

    async def _post(self, rule: AlertRule, alert: Alert) -> None:
        # few rules have one
        from urllib.request import Request, urlopen

        request = Request(rule.webhook, alert.document(), {"Content-Type": "application/json"})

        def post() -> None:
            with urlopen(request, timeout=SECONDS) as answer:
                answer.read(1)

        try:
            await asyncio.to_thread(post)
        except (OSError, ValueError) as error:
            self._failed(rule.webhook, str(error))

    def _failed(self, what: str, reason: str) -> None:
        self._app.notify(text.clean(f"{what}: {reason}"), title="Alert not told", severity="error", timeout=10, markup=False)
