"""Health checks: how results are counted, and containers that are probed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import images_data
from moby_tui.engine.containers.start import health
from moby_tui.engine.engine import Engine
from moby_tui.engine.policy import admission
from moby_tui.engine.protocol.health import ProbeResult
from moby_tui.engine.runtime.monitor.health import Record, format_duration
from moby_tui.engine.store.records.containers import HealthConfig as ImageHealthConfig
from moby_tui.engine.store.state import State
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import ContainerInspect, Health, HealthConfig, RestartPolicy
from moby_tui.schema.exec import ExecCreate
from runtime.box import Box
from runtime.monitor.history import actions

MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND


def check(script: str, **settings: int) -> HealthConfig:
    quick: dict[str, int] = {"interval": 50 * MILLISECOND, "retries": 2} | settings
    return HealthConfig(test=["CMD-SHELL", script], **quick)


async def until(box: Box, ident: str, test: Callable[[ContainerInspect], bool], seconds: float = 20) -> ContainerInspect:
    async with asyncio.timeout(seconds):
        while not test(seen := await box.engine.containers.inspect(ident)):
            await asyncio.sleep(0.02)
    return seen


def of(seen: ContainerInspect) -> Health:
    assert isinstance(seen.state.health, Health)
    return seen.state.health


async def until_health(box: Box, ident: str, status: str) -> Health:
    return of(await until(box, ident, lambda seen: isinstance(seen.state.health, Health) and seen.state.health.status == status))


# counting


def result(code: int) -> ProbeResult:
    return ProbeResult(start="", end="", exit_code=code, output=str(code))


def test_counting(tmp_path: Path) -> None:
    record = Record(str(tmp_path / "health.json"), retries=3)
    record.begin()
    seen = []
    for code in (1, 1, 0, 1, 1, 1, 1, 0):
        changed = record.judge(result(code), lenient=False)
        seen.append((record.status, record.streak, changed))
    assert seen == [
        ("starting", 1, False),
        ("starting", 2, False),
        ("healthy", 0, True),
        ("healthy", 1, False),
        ("healthy", 2, False),
        ("unhealthy", 3, True),
        ("unhealthy", 4, False),
        ("healthy", 0, True),
    ]
    assert [entry.exit_code for entry in record.log] == [1, 1, 1, 1, 0]


def test_failures_while_it_starts_do_not_count(tmp_path: Path) -> None:
    record = Record(str(tmp_path / "health.json"), retries=1)
    assert not record.judge(result(1), lenient=True)
    assert (record.status, record.streak) == ("starting", 0)
    assert record.judge(result(0), lenient=True)
    # once healthy, the start period is over, whatever the time
    assert record.judge(result(1), lenient=True)
    assert record.status == "unhealthy"


def test_results_of_the_last_run_are_shown_in_the_next(tmp_path: Path) -> None:
    path = str(tmp_path / "health.json")
    record = Record(path, retries=1)
    record.judge(result(1), lenient=False)
    record.write()
    record = Record(path, retries=1)
    record.begin()
    assert (record.status, record.streak, len(record.log)) == ("starting", 0, 1)
    for damaged in ("{", "[]", '{"Log": 5}', '{"Log": [{"ExitCode": "0"}]}', '{"Status": "splendid"}'):
        Path(path).write_text(damaged)
        record.begin()
        assert record.log == []


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (SECOND, "1s"),
        (1500 * MILLISECOND, "1.5s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h0m0s"),
        (250 * MILLISECOND, "250ms"),
    ],
)
def test_durations_are_written_as_go_does(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text


def test_options_win_over_the_image_setting_by_setting() -> None:
    preset = ImageHealthConfig(test=["CMD", "true"], interval=5, retries=7)
    assert health.merge(None, preset) == HealthConfig(test=["CMD", "true"], interval=5, retries=7)
    assert health.merge(HealthConfig(interval=9), preset) == HealthConfig(test=["CMD", "true"], interval=9, retries=7)
    assert health.merge(HealthConfig(test=["NONE"]), preset).test == ["NONE"]  # type: ignore[union-attr]


# containers


async def test_healthy_and_unhealthy(box: Box, roots: tuple[Path, Path]) -> None:
    ident = await box.start("sleep", "60", healthcheck=check("test -e /well && echo so it is"))
    containers = box.engine.containers
    assert of(await containers.inspect(ident)).status == "starting"
    [row] = await containers.list(filters={"health": ["starting"]})
    assert row.status.endswith(" (health: starting)")
    found = await until_health(box, ident, "unhealthy")
    assert found.failing_streak >= 2 and found.log and found.log[0].exit_code == 1
    [row] = await containers.list()
    assert row.status.endswith(" (unhealthy)")
    await _touch(box, ident)
    found = await until_health(box, ident, "healthy")
    assert found.failing_streak == 0 and found.log and found.log[-1].output == "so it is\n"
    assert "0002" < found.log[-1].start < found.log[-1].end
    [row] = await containers.list(filters={"health": ["healthy"]})
    assert row.status.endswith(" (healthy)")
    assert await containers.list(filters={"health": ["none"]}) == []
    with pytest.raises(InvalidArgument, match="invalid filter 'health=well'"):
        await containers.list(filters={"health": ["well"]})
    told = [action for action in actions(roots, ident) if action.startswith("health_status")]
    assert told == ["health_status: unhealthy", "health_status: healthy"]
    command = "/bin/sh -c test -e /well && echo so it is"
    assert actions(roots, ident)[2:5] == [f"exec_create: {command}", f"exec_start: {command}", "exec_die"]
    assert not list(box.engine.paths.container(ident).execs.iterdir())
    await containers.stop(ident, timeout=0)
    assert of(await containers.inspect(ident)).status == "unhealthy"


async def _touch(box: Box, ident: str) -> None:
    made = await box.engine.containers.exec_create(ident, ExecCreate(cmd=["touch", "/well"]))
    from moby_tui.schema.exec import ExecStart

    await box.engine.containers.exec_start(made, ExecStart(detach=True))
    async with asyncio.timeout(10):
        while (await box.engine.containers.exec_inspect(made)).running:
            await asyncio.sleep(0.02)
    folder = box.engine.paths.container(ident).execs
    for path in folder.iterdir():
        path.unlink()


async def test_probe_that_hangs_is_killed_with_what_it_started(box: Box) -> None:
    script = "echo begun; sleep 77 & sleep 77; wait"
    ident = await box.start("sleep", "60", healthcheck=check(script, timeout=1000 * MILLISECOND, retries=1))
    found = await until_health(box, ident, "unhealthy")
    assert found.log and found.log[0].exit_code == -1
    # a slow machine may not have come so far
    assert found.log[0].output.removesuffix(": begun\n") == "Health check exceeded timeout (1s)"
    await box.engine.containers.pause(ident)
    processes = (await box.engine.containers.top(ident)).processes
    # at most the probe that was under way when it was paused
    assert sum("sleep 77" in " ".join(row) for row in processes) <= 3
    await box.engine.containers.unpause(ident)


async def test_long_output_is_cut(box: Box) -> None:
    ident = await box.start("sleep", "60", healthcheck=check("head -c 9000 /dev/zero | tr '\\0' x"))
    found = await until_health(box, ident, "healthy")
    assert found.log and found.log[0].output == "x" * 4096 + "..."


async def test_probe_that_cannot_be_run(box: Box) -> None:
    config = HealthConfig(test=["CMD", "/no/such"], interval=50 * MILLISECOND, retries=1)
    ident = await box.start("sleep", "60", healthcheck=config)
    found = await until_health(box, ident, "unhealthy")
    assert found.log and found.log[0].exit_code == -1 and "/no/such" in found.log[0].output


async def test_start_period_and_its_interval(box: Box) -> None:
    config = check("false", interval=60 * SECOND, start_period=60 * SECOND, start_interval=50 * MILLISECOND, retries=1)
    ident = await box.start("sleep", "60", healthcheck=config)
    seen = await until(box, ident, lambda seen: len(of(seen).log or []) == 5)
    assert (of(seen).status, of(seen).failing_streak) == ("starting", 0)


async def test_paused_is_not_probed(box: Box, roots: tuple[Path, Path]) -> None:
    ident = await box.start("sleep", "60", healthcheck=check("true"))
    await until_health(box, ident, "healthy")
    await box.engine.containers.pause(ident)
    await asyncio.sleep(0.1)
    before = actions(roots, ident)
    await asyncio.sleep(0.4)
    assert actions(roots, ident) == before
    assert (await box.engine.containers.list())[0].status.endswith(" (Paused)")
    await box.engine.containers.unpause(ident)
    async with asyncio.timeout(10):
        while len(actions(roots, ident)) < len(before) + 6:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("config", [HealthConfig(test=["NONE"]), HealthConfig(test=[]), None])
async def test_no_check(config: HealthConfig | None, box: Box) -> None:
    ident = await box.start("sleep", "60", healthcheck=config)
    assert not isinstance((await box.engine.containers.inspect(ident)).state.health, Health)
    [row] = await box.engine.containers.list(filters={"health": ["none"]})
    assert not row.status.endswith(")")


async def test_check_of_the_image(engine: Engine, busybox_archive: Path) -> None:
    preset = {"Test": ["CMD", "/bin/true"], "Interval": 50 * MILLISECOND}
    await _load_checked(engine, preset)
    box = Box(engine, "checked")
    ident = await box.start("/bin/sleep", "60")
    await until_health(box, ident, "healthy")
    silent = await box.start("/bin/sleep", "60", healthcheck=HealthConfig(test=["NONE"]))
    assert not isinstance((await engine.containers.inspect(silent)).state.health, Health)


async def _load_checked(engine: Engine, preset: dict[str, Any]) -> None:
    async def pieces() -> Any:
        image = images_data.busybox()
        checked = images_data.ImageData(image.layers, {**image.execution, "Healthcheck": preset})
        yield images_data.docker_archive((checked, ["checked:latest"]))

    async for _ in engine.images.load(pieces()):
        pass


async def test_probing_goes_on_without_an_engine(roots: tuple[Path, Path], busybox: str) -> None:
    async with Engine.open(*roots) as first:
        ident = await Box(first, busybox).start("sleep", "60", healthcheck=check("test -e /well"))
        state = State.read(str(first.paths.container(ident).state))
    os.close(os.open(f"/proc/{state.pid}/root/well", os.O_CREAT))
    async with Engine.open(*roots) as other:
        box = Box(other, busybox)
        await until_health(box, ident, "healthy")
        await other.containers.remove(ident, force=True)


# what is done to the unhealthy


async def test_restart_of_the_unhealthy(box: Box, roots: tuple[Path, Path]) -> None:
    """Without any restart policy; it is asked to end before it is killed."""
    script = "trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done"
    config = check("test -e /second || { touch /third; false; }", retries=1)
    ident = await box.start("sh", "-c", script, healthcheck=config, healthcheck_on_failure_action="restart")
    seen = await until(box, ident, lambda seen: seen.restart_count >= 1 and seen.state.status == "running")
    assert seen.state.exit_code == 0
    assert "asked" in box.engine.paths.container(ident).log.read_text()
    order = [action for action in actions(roots, ident) if not action.startswith("exec")]
    assert order[:6] == ["create", "start", "health_status: unhealthy", "kill", "die", "start"]


async def test_unhealthy_that_does_not_listen_is_killed(box: Box) -> None:
    ident = await box.start(
        "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done",
        healthcheck=check("false", retries=1), healthcheck_on_failure_action="stop", stop_timeout=0,
        host={"restart_policy": RestartPolicy(name="always")},
    )  # fmt: skip
    seen = await until(box, ident, lambda seen: seen.state.status == "exited")
    assert (seen.state.exit_code, seen.restart_count) == (137, 0)


async def test_kill_leaves_the_rest_to_the_restart_policy(box: Box) -> None:
    host = {
        "restart_policy": RestartPolicy(name="on-failure", maximum_retry_count=1),
        "annotations": {admission.HEALTH_ON_FAILURE: "kill"},
    }
    ident = await box.start("sleep", "60", healthcheck=check("false", retries=1), host=host)
    seen = await until(box, ident, lambda seen: seen.state.status == "exited")
    assert (seen.state.exit_code, seen.restart_count) == (137, 1)


async def test_stop_by_hand_wins_over_restart(box: Box) -> None:
    ident = await box.start(
        "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done",
        healthcheck=check("false", retries=1), healthcheck_on_failure_action="restart", stop_timeout=30,
    )  # fmt: skip
    await until_health(box, ident, "unhealthy")
    await box.engine.containers.kill(ident, signal=str(int(signal.SIGKILL)))
    await asyncio.sleep(0.4)
    assert (await box.engine.containers.inspect(ident)).state.status == "exited"
