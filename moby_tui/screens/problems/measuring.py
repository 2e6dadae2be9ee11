"""Measures what alert rules for figures watch: containers that they are for, and the disk of the engine's data root."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence

from moby_tui.screens import text
from moby_tui.screens.actions.alert_rules import DISK, MEASURED, AlertRule
from moby_tui.screens.problems.alerts import Alert
from moby_tui.screens.problems.bounds import Bounds, describe
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import TROUBLE, Session
from moby_tui.screens.usage.machine import look
from moby_tui.screens.usage.polling import Polling

#: The containers are measured this often, the disk every tenth time; seconds.
EVERY, DISK_ROUNDS = 3.0, 10

#: Takes the rules that were met, each with what it says.
Tell = Callable[[Sequence[tuple[AlertRule, Alert]]], None]


class Measuring:
    """``run`` measures until it is cancelled."""

    def __init__(self, session: Session, rules: Sequence[AlertRule], tell: Tell) -> None:
        self._session, self._tell = session, tell
        self._rules = [rule for rule in rules if rule.on in (*MEASURED, DISK)]
        self._of_containers = [rule for rule in self._rules if rule.on in MEASURED]
        self._measures_disk = any(rule.on == DISK for rule in self._rules)
        self._bounds = Bounds(self._rules)
        self._polling = Polling(session)
        #: the engine's data root, by the name of the engine; empty if it is on another machine
        self._roots: dict[str, str] = {}

    async def run(self) -> None:
        turn = 0
        while True:
            if self._session.connection.up:
                if self._of_containers:
                    await self._measure()
                if self._measures_disk and turn % DISK_ROUNDS == 0:
                    await self._measure_disk()
                turn += 1
            await asyncio.sleep(max(EVERY, self._polling.pause(self._watched)))

    @property
    def _watched(self) -> int:
        return sum(self._is_watched(one) for one in self._session.model.rows()) if self._of_containers else 0

    def _is_watched(self, one: Container) -> bool:
        return one.running and any(rule.fits(one.name, one.labels) for rule in self._of_containers)

    async def _measure(self) -> None:
        await self._polling.round(self._is_watched)
        watched = [one for one in self._session.model.rows() if self._is_watched(one)]
        for one in watched:
            past = self._polling.histories.get(one.id)
            if past is None or one.id in self._polling.trouble:
                continue
            share = past.memory[-1] / past.memory_limit * 100 if past.memory_limit else 0.0
            self._compare("cpu", one, past.cpu[-1])
            self._compare("memory", one, share)
        self._bounds.keep({one.id for one in watched})

    def _compare(self, figure: str, one: Container, value: float) -> None:
        met = self._bounds.take(figure, one.id, value, time.monotonic())
        now = time.time()
        self._tell(
            [
                (rule, Alert(figure, one.id, one.name, describe(figure, one.name, value, rule), now))
                for rule in met
                if rule.fits(one.name, one.labels)
            ]
        )

    async def _measure_disk(self) -> None:
        """Of an engine on this machine: the API does not tell how large the disk is."""
        root = await self._root()
        disks = (await asyncio.to_thread(look, [root])).disks if root else ()
        for disk in disks:
            value = disk.share * 100
            met = self._bounds.take(DISK, "", value, time.monotonic())
            self._tell([(rule, Alert(DISK, "", "", describe(DISK, "", value, rule), time.time())) for rule in met])

    async def _root(self) -> str:
        engine = self._session.engine_name
        if engine not in self._roots:
            try:
                info = await self._session.client.system.info()
            except TROUBLE:
                return ""
            is_here = info.name in ("", os.uname().nodename)
            self._roots[engine] = info.docker_root_dir if is_here else ""
            if not is_here:
                where = text.clean(info.name)
                reason = f"the disk of the engine on {where} cannot be measured from {os.uname().nodename}: alerts for it are off"
                self._session.app.notify(reason, title="Alerts", severity="warning", timeout=10, markup=False)
        return self._roots[engine]
