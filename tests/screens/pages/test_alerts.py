"""Alert rules: read, checked, met by events and problems, and told on every way that they name."""

from __future__ import annotations

import asyncio
import http.server
import io
import json
import tarfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.event import Event, EventActor
from moby_tui.screens.actions import alert_rules
from moby_tui.screens.actions.alert_rules import AlertRule
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.problems import alerts, log_watch, measuring
from moby_tui.screens.problems.bounds import Bounds, Restarts, describe
from moby_tui.screens.problems.problem import Problem, Severity
from moby_tui.screens.usage import polling
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
    shop = AlertRule("problem", project="sh*")
    met = alerts.of_problems([every, web, shop, AlertRule("die")], [host, loop], lambda _: {"com.docker.compose.project": "shop"})
    assert [(rule, alert.name) for rule, alert in met] == [
        (every, "capabilities"), (every, "web"), (web, "web"), (shop, "web"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (AlertRule("cpu", label="team"), True),
        (AlertRule("cpu", label="team=db"), True),
        (AlertRule("cpu", label="team=web"), False),
        (AlertRule("cpu", label="tea"), False),
        (AlertRule("cpu", project="shop"), True),
        (AlertRule("cpu", "api*", project="shop"), False),
        (AlertRule("cpu", project="[!s]*"), False),
    ],
)
def test_containers_by_name_label_and_project(rule: AlertRule, fits: bool) -> None:
    assert rule.fits("web", {"team": "db", "com.docker.compose.project": "shop"}) is fits
    assert rule.project == "" or not rule.fits("web", {})


def test_a_figure_is_told_once_it_is_above_for_so_long_and_again_after_it_was_not() -> None:
    rule, at_once = AlertRule("cpu", above=80, seconds=10), AlertRule("memory", above=90)
    bounds = Bounds([rule, at_once])
    values = ((90, 0), (95, 9), (95, 10), (99, 20), (80, 30), (90, 31), (90, 41))
    assert [now for value, now in values if bounds.take("cpu", "1", value, now)] == [10, 41]
    assert bounds.take("memory", "1", 91, 0) == [at_once] and not bounds.take("memory", "1", 91, 1)
    bounds.keep(set())
    assert bounds.take("memory", "1", 91, 2) == [at_once], "another run of it"
    assert describe("memory", "web", 93.4, AlertRule("memory", above=90, seconds=30)) == (
        "web uses 93 % of the memory it may have, more than 90 % for 30s"
    )


def test_restarts_within_a_time() -> None:
    restarts = Restarts([AlertRule("restarts", above=2, seconds=100), AlertRule("restarts", "db", above=2)])
    told = []
    for second in (0, 10, 20, 30, 40, 300, 310, 320, 330):
        for action in ("die", "start"):
            happened = event(action)
            happened.time_nano = second * 10**9
            told += [(second, alert.what) for _, alert in restarts.take(happened)]
    assert told == [(20, "web was started again 3 times within 1m"), (320, "web was started again 3 times within 1m")]
    assert not Restarts([AlertRule("restarts")]).take(event("start")), "the first start is none again"


def test_rules_that_cannot_be_are_told_in_a_line_each() -> None:
    wrong = [
        AlertRule("death"),
        AlertRule("oom", exit_codes=[1]),
        AlertRule("die", webhook="file:///x"),
        AlertRule("die", command="a '"),
        AlertRule("cpu"),
        AlertRule("disk", "web", above=90),
        AlertRule("die", above=3),
        AlertRule("log"),
        AlertRule("die", match="x"),
    ]
    told = alert_rules.check(wrong)
    assert [line.partition(":")[0] for line in told] == [f"alert {number}" for number in range(1, 10)]
    assert log_watch.check([AlertRule("log", match="a("), AlertRule("log", match="a")]) == [
        "alert 1: no regular expression: missing ): a("
    ]
    with pytest.raises(msgspec.ValidationError, match=">= 0"):
        msgspec.json.decode('{"alerts": [{"on": "cpu", "above": -1}]}', type=Preferences)
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
        rung: list[bool] = []
        monkeypatch.setattr(app, "notify", lambda message, **_: notices.append(message))
        monkeypatch.setattr(app._driver, "write", written.append)
        monkeypatch.setattr(app, "bell", lambda: rung.append(True))
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
    assert rung == [True]
    assert "\x1b]9;database has ended with exit code 9\x07\x1b]777;notify;moby;database has ended with exit code 9\x07" in written


async def test_figures_and_lines_of_real_containers_are_told(
    roots: Any, busybox: str, engine: Any, open_dashboard: Open, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moby_tui.engine.engine import Engine

    monkeypatch.setattr(measuring, "EVERY", 0.1)
    monkeypatch.setattr(polling, "EVERY", 0.1)
    host = HostConfig(network_mode="none", nano_cpus=500_000_000)
    busy = "echo all is well; while [ ! -e /go ]; do :; done; echo 'PANIC: \033[31mout of \a beans'"
    names = {}
    for name, label in (("web", "db"), ("quiet", "x")):
        config = ContainerCreate(image=busybox, cmd=["sh", "-c", busy], stop_timeout=0, labels={"team": label}, host_config=host)
        names[name] = (await engine.containers.create(config, name=name)).id
        await engine.containers.start(names[name])
    chosen = Preferences(
        alerts=[
            AlertRule("cpu", label="team=db", above=10, seconds=0.2),
            AlertRule("memory", "nobody", above=1),
            AlertRule("disk", above=0.0001),
            AlertRule("log", label="team=db", match="PANIC: .*beans$|(a+)+b"),
            AlertRule("restarts", "web"),
        ]
    )
    async with open_dashboard(lambda: Engine.open(*roots), chosen) as (app, pilot):
        notices = [one.message for one in app._notifications]
        monkeypatch.setattr(app, "notify", lambda message, **_: notices.append(message))
        await eventually(pilot, lambda: any(one.startswith("web uses ") for one in notices))
        assert any("of the disk of the engine's data root, more than 0.0001 %" in one for one in notices), notices
        for identifier in names.values():
            await engine.containers.archive_put(identifier, "/", tar_of("go"))
        await eventually(pilot, lambda: "web: PANIC: out of  beans" in notices)
        await eventually(pilot, lambda: not app.session.model.get(names["web"]).running)
        await engine.containers.start(names["web"])
        await eventually(pilot, lambda: any("started again 1 times" in one for one in notices))
        assert not any("quiet" in one for one in notices), notices


async def tar_of(name: str) -> AsyncIterator[bytes]:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    yield made.getvalue()
