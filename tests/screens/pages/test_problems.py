"""Problems: found in what the engine tells, explained, counted in the top line, muted; on the real engine too."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from textual.app import App
from textual.widgets import Static

from moby_tui.schema.container import (
    ContainerCreate,
    ContainerInspect,
    ContainerState,
    Health,
    HealthLogEntry,
    HostConfig,
    RestartPolicy,
)
from moby_tui.schema.system import Check
from moby_tui.schema.traffic import Exposure
from moby_tui.screens.logs.moments import SECOND, rfc3339
from moby_tui.screens.problems import finding
from moby_tui.screens.problems.exits import meaning
from moby_tui.screens.problems.finding import Past
from moby_tui.screens.problems.problem import Problem, Severity
from moby_tui.screens.problems.watch import ProblemWatch
from moby_tui.screens.session.session import Session
from moby_tui.screens.widgets.facts_table import FactsTable
from moby_tui.screens.widgets.status_bar import StatusBar
from screens.conftest import Eventually, Open
from screens.fake_client import NOW, FakeEngine, some_containers, summary

#: 2026-09-21T14:13:20Z
FINISHED = "2026-09-21T14:13:00.5Z"


def inspected(restart: str = "", restart_count: int = 0, memory: int = 0, **state: Any) -> ContainerInspect:
    host = HostConfig(restart_policy=RestartPolicy(name=restart), memory=memory)
    found = ContainerState(**{"status": "exited", "finished_at": FINISHED, **state})
    return ContainerInspect(
        id="1" * 64,
        created="",
        path="x",
        args=[],
        state=found,
        image="",
        name="/web",
        host_config=host,
        restart_count=restart_count,
    )


def kinds(found: ContainerInspect, past: Past | None = None) -> list[tuple[str, Severity]]:
    return [(one.kind, one.severity) for one in finding.in_container(found, past or Past(), NOW)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (inspected(), []),
        (inspected(exit_code=1), [("exit", Severity.WARNING)]),
        (inspected(exit_code=1, restart="always"), [("exit", Severity.ERROR)]),
        (inspected(exit_code=143), [("exit", Severity.NOTICE)]),
        (inspected(exit_code=1, finished_at="2026-09-01T00:00:00Z"), [("exit", Severity.NOTICE)]),
        (inspected(exit_code=137, oom_killed=True, memory=1 << 20), [("oom", Severity.ERROR)]),
        (inspected(exit_code=127, error="no such program"), [("start", Severity.ERROR)]),
        (inspected(status="running", running=True, exit_code=1), []),
        (inspected(status="created", exit_code=0), []),
        (
            inspected(status="restarting", restarting=True, exit_code=2, restart="always", restart_count=5),
            [("loop", Severity.ERROR)],
        ),
        (
            inspected(status="restarting", restarting=True, exit_code=2, restart="always", restart_count=1),
            [("exit", Severity.ERROR)],
        ),
    ],
)
def test_what_is_wrong_with_a_container(found: ContainerInspect, expected: list[tuple[str, Severity]]) -> None:
    assert kinds(found) == expected


def test_ends_within_ten_minutes_are_a_loop_and_older_ones_are_not() -> None:
    running = inspected(status="running", running=True, restart="always")
    assert kinds(running, Past(ends=(NOW - 30, NOW - 20, NOW - 10))) == [("loop", Severity.ERROR)]
    assert kinds(running, Past(ends=(NOW - 900, NOW - 800, NOW - 10))) == []
    by_hand = inspected(status="running", running=True)
    assert kinds(by_hand, Past(ends=(NOW - 30, NOW - 20, NOW - 10))) == []


def test_the_kernel_has_killed_a_process_of_a_container_that_goes_on() -> None:
    running = inspected(status="running", running=True)
    assert kinds(running, Past(out_of_memory=(NOW - 30.0,))) == [("oom", Severity.WARNING)]


def test_the_last_probe_is_told_clean_and_bounded() -> None:
    log = [HealthLogEntry(exit_code=0), HealthLogEntry(exit_code=7, output="curl:\n\x1b[31mrefused\u202e" + "x" * 100_000)]
    sick = inspected(status="running", running=True, health=Health(status="unhealthy", failing_streak=3, log=log))
    (problem,) = finding.in_container(sick, Past(), NOW)
    assert problem.kind == "unhealthy"
    assert "exit code 7: curl: ⏎ refused" in problem.detail
    assert problem.detail.isprintable()
    assert len(problem.detail) < 3000


def test_a_container_is_unhealthy_since_the_first_probe_of_the_row() -> None:
    """Engines keep five probes, and the last ended a second ago however long it is unhealthy."""
    log = [HealthLogEntry(exit_code=1, end=rfc3339((NOW - 10 * number) * SECOND)) for number in (5, 4, 3, 2, 1)]
    health = Health(status="unhealthy", failing_streak=60, log=log)
    (problem,) = finding.in_container(inspected(status="running", running=True, health=health), Past(), NOW)
    assert NOW - problem.since == 600
    never = inspected(status="created", error="no such file", finished_at="0001-01-01T00:00:00Z")
    never.created = rfc3339(NOW * SECOND)
    (problem,) = finding.in_container(never, Past(), NOW)
    assert problem.kind == "start" and problem.since == NOW


MEANINGS = {
    126: "cannot be executed",
    127: "not found",
    137: "SIGKILL",
    139: "SIGSEGV",
    143: "SIGTERM",
    129: "SIGHUP",
    42: "failed",
}


@pytest.mark.parametrize(("code", "said"), MEANINGS.items())
def test_exit_codes_have_a_meaning(code: int, said: str) -> None:
    assert said in meaning(code)[0]
    assert meaning(code)[1]


def test_an_image_whose_name_means_another_by_now() -> None:
    tags = {"nginx:1.29": "sha256:" + "b" * 64, "busybox:latest": "sha256:" + "a" * 64}
    rows = [
        summary(1, "old"),
        summary(2, "current", image="busybox"),
        summary(3, "stopped", "exited", "Exited (0) 1 day ago"),
        summary(4, "by-digest", image="nginx@sha256:" + "a" * 64),
        summary(5, "by-id", image="sha256:" + "a" * 64),
    ]
    assert [one.name for one in finding.drift(rows, {}, tags)] == ["old"]
    assert [one.name for one in finding.drift(rows, {rows[4].id: "docker.io/library/nginx:1.29"}, tags)] == ["old", "by-id"]


def exposure(port: int) -> Exposure:
    return Exposure(
        address="0.0.0.0", port=port, protocol="tcp", container="web", container_id="1", container_port=80, network="n", reason="published"
    )  # fmt: skip


def test_open_ports_are_one_notice_a_container() -> None:
    (problem,) = finding.open_ports([exposure(80), exposure(443)])
    assert (problem.severity, problem.title) == (Severity.NOTICE, "open to the world: 443/tcp, 80/tcp")


async def test_the_page(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    batch = some_containers()[3]
    engine.checks = [Check(about="disk", severity="error", message="2 % is free", advice="moby system prune")]
    engine.checks.append(Check(about="kernel", severity="ok", message="6"))
    engine.exposures = [exposure(80)]
    engine.logs = {"batch": [(2, b"fatal: \x1b[31mno space\n")]}

    async def inspect(ref: str, **_: Any) -> ContainerInspect:
        ended: dict[str, Any] = {"exit_code": 126, "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        found = inspected(**ended) if ref == batch.id else inspected(status="running", running=True)
        found.id = ref
        return found

    engine.containers.inspect = inspect  # type: ignore[method-assign]
    async with open_dashboard(lambda: engine, size=(140, 40)) as (app, pilot):
        await eventually(pilot, lambda: app.session.problem_count)
        assert "▲ 2" in str(app.screen.query_one(StatusBar).render())
        await pilot.press("9")
        await eventually(pilot, lambda: app.screen.query(FactsTable))
        table = app.screen.query_one(FactsTable)
        await eventually(pilot, lambda: table.row_count >= 3)
        shown = [[str(cell) for cell in table.get_row_at(row)] for row in range(table.row_count)]
        assert shown[0][1:] == ["disk", "", "2 % is free"]
        assert any(row[3] == "open to the world: 80/tcp" for row in shown)
        await pilot.press("down")
        told = app.screen.query_one("#problem", Static)
        await eventually(pilot, lambda: "fatal: no space" in str(told.render()))
        assert "not executable" in str(told.render())
        count = app.session.problem_count
        await pilot.press("m")
        await eventually(pilot, lambda: app.session.problem_count == count - 1)
        await pilot.press("U")
        await eventually(pilot, lambda: app.session.problem_count == count)
        del engine.rows[batch.id]
        engine.emit("container", "destroy", batch.id)
        await eventually(pilot, lambda: "126" not in str([one.title for one in app.problems.problems]))


async def test_on_the_real_engine_what_happened_before_the_dashboard_is_known(engine, busybox) -> None:  # type: ignore[no-untyped-def]
    """A container that the kernel killed for memory, one without its program and one that fails: all before the first look."""
    eat = ["sh", "-c", "head -c 100m /dev/zero | tail -c 90m | wc -c"]
    for name, command, memory in (("eater", eat, 16 << 20), ("failing", ["sh", "-c", "echo why >&2; exit 3"], 0)):
        config = ContainerCreate(image=busybox, cmd=command, host_config=HostConfig(memory=memory, memory_swap=memory))
        created = await engine.containers.create(config, name=name)
        wait = await engine.containers.wait(created.id, condition="next-exit")
        await engine.containers.start(created.id)
        await wait.result()
    app: App[None] = App()

    class Shared:
        async def __aenter__(self) -> Any:
            return engine

        async def __aexit__(self, *_: object) -> None: ...

    async with app.run_test():
        session = Session(app, Shared)
        watch = ProblemWatch(app, session)
        tasks = [asyncio.create_task(session.run()), asyncio.create_task(watch.run())]
        found: asyncio.Event = asyncio.Event()
        watch.changed.subscribe(app, lambda _: found.set(), immediate=True)
        try:
            await found.wait()
            problems: dict[tuple[str, str], Problem] = {(one.name, one.kind): one for one in watch.problems}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert problems["eater", "oom"].severity is Severity.ERROR
    assert "16.0M" in problems["eater", "oom"].detail
    assert problems["failing", "exit"].title.startswith("exit code 3")
