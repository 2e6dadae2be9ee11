"""Alert rules: read, checked, met by events and problems, and told on every way that they name."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moby_tui.schema.event import Event, EventActor
from moby_tui.screens.actions import alert_rules
from moby_tui.screens.actions.alert_rules import AlertRule
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.problems import alerts
from moby_tui.screens.problems.problem import Problem, Severity
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine


def event(action: str, name: str = "web", kind: str = "container", **attributes: str) -> Event:
    actor = EventActor(id="1" * 64, attributes={"name": name, **attributes})
    return Event(type=kind, action=action, actor=actor, time=7, time_nano=7 * 10**9)


@pytest.mark.parametrize(
    ("rule", "happened", "told"),
    [
        (AlertRule("die"), event("die", exitCode="3"), "web has ended with exit code 3"),
        (AlertRule("die", exit_codes=[137]), event("die", exitCode="3"), ""),
        (AlertRule("die", exit_codes=[137]), event("die", exitCode="137"), "web has ended with exit code 137"),
        (AlertRule("die", "db*"), event("die", exitCode="3"), ""),
        (AlertRule("unhealthy", "w?b"), event("health_status: unhealthy"), "web is unhealthy"),
        (AlertRule("healthy"), event("health_status: unhealthy"), ""),
        (AlertRule("oom"), event("oom", "a\x1b[2Jb"), "ab has no memory left"),
        (AlertRule("start"), event("start", kind="network"), ""),
    ],
)
def test_events_meet_rules(rule: AlertRule, happened: Event, told: str) -> None:
    met = alerts.of_event([rule], happened)
    assert [alert.what for _, alert in met] == ([told] if told else [])


def test_problems_meet_rules() -> None:
    host = Problem("host", Severity.WARNING, "capabilities", "one is missing", "")
    loop = Problem("loop", Severity.ERROR, "web", "restarts again and again", "", container="1" * 64)
    every, web = AlertRule("problem"), AlertRule("problem", "web")
    met = alerts.of_problems([every, web, AlertRule("die")], [host, loop])
    assert [(rule, alert.name) for rule, alert in met] == [(every, "capabilities"), (every, "web"), (web, "web")]


def test_rules_that_cannot_be_are_told_in_a_line_each() -> None:
    wrong = [
        AlertRule("death"),
        AlertRule("oom", exit_codes=[1]),
        AlertRule("die", webhook="file:///x"),
        AlertRule("die", command="a '"),
    ]
    told = alert_rules.check(wrong)
    assert [line.partition(":")[0] for line in told] == ["alert 1", "alert 2", "alert 3", "alert 4"]
    assert alert_rules.check([AlertRule("die", command="notify-send x", webhook="https://example.test/x")]) == []
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode('{"alerts": [{"on": "die", "sound": true}]}', type=Preferences)


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[Any]]]:
    got: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", got
        server.shutdown()


async def test_an_alert_is_told_on_every_way_once(
    open_dashboard: Open, eventually: Eventually, webhook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, posted = webhook
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s %s\\n" "$MOBY_ALERT" "$MOBY_ALERT_CONTAINER" >>"$0.out"\n')
    program.chmod(0o755)
    chosen = Preferences(
        alerts=[
            AlertRule("die", "database", desktop=True, bell=True, command=str(program), webhook=address),
            AlertRule("die", "database", show=False, command=str(tmp_path / "missing")),
            AlertRule("nonsense"),
        ]
    )
    engine = FakeEngine()
    async with open_dashboard(lambda: engine, chosen) as (app, pilot):
        notices: list[str] = []
        written: list[str] = []
        monkeypatch.setattr(app, "notify", lambda message, **_: notices.append(message))
        monkeypatch.setattr(app._driver, "write", written.append)
        await eventually(pilot, lambda: engine.queues)
        app.session.since = 0.0  # the events of the stand-in are of another year
        for _ in range(2):
            engine.emit("container", "die", "1" * 64, name="database", exitCode="9")
        engine.emit("container", "die", "1" * 64, name="web", exitCode="9")

        await eventually(pilot, lambda: posted and (tmp_path / "program.out").exists() and len(notices) == 2)
        await asyncio.sleep(0.2)
    assert len(posted) == 1 and posted[0]["alert"] == "die" and posted[0]["container"] == "database"
    assert (tmp_path / "program.out").read_text() == "die database\n"
    assert notices[0] == "database has ended with exit code 9" and "missing" in notices[1]
    assert "\x1b]9;database has ended with exit code 9\x07\x1b]777;notify;moby;database has ended with exit code 9\x07" in written
