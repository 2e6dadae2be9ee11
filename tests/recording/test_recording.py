"""What an engine keeps of real containers, read in process and over the daemon's socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient
from moby_tui.api.server.serve import serving
from moby_tui.engine.containers import log_tail
from moby_tui.engine.engine import Engine
from moby_tui.engine.history.records import LogTail, Row, Sample
from moby_tui.engine.recording import Recorder
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig


async def until(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came true")


async def run(engine: Engine, image: str, name: str, command: str, **host: Any) -> str:
    config = ContainerCreate(image=image, cmd=["sh", "-c", command], host_config=HostConfig(network_mode="none", **host))
    identifier = (await engine.containers.create(config, name=name)).id
    await engine.containers.start(identifier)
    return identifier


async def test_figures_and_logs_outlive_the_container(
    roots: tuple[Path, Path], busybox: str, engine: Engine, tmp_path: Path
) -> None:
    engine.configure(EngineOptions(history_interval=1))
    recorder = asyncio.create_task(Recorder(engine._parts).run())
    journal = log_tail.open_journal(engine._parts)
    assert journal is not None
    try:
        identifier = await run(engine, busybox, "busy", "echo first; echo last >&2; while :; do :; done")
        await until(lambda: sum(isinstance(one, Sample) for one in journal.read()) >= 3)
        assert (await engine.history.status()).recording
        async with Engine.open(*roots) as other:
            second = asyncio.create_task(Recorder(other._parts).run())
            # one that its monitor removes: nobody else could read its log afterwards
            await run(engine, busybox, "passing", "echo gone; exit 3", auto_remove=True)
            await until(lambda: any(getattr(one, "name", "") == "passing" and hasattr(one, "lines") for one in journal.read()))
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        await engine.containers.remove(identifier, force=True)
    finally:
        recorder.cancel()
        await asyncio.gather(recorder, return_exceptions=True)
    tails = [one.name for one in journal.read() if isinstance(one, LogTail)]
    assert sorted(tails) == ["busy", "passing"], "each log once, though two engines were open"

    status = await engine.history.status()
    assert not status.recording and status.oldest > 0 and status.size == journal.size() > 0 and status.interval == 1
    socket = tmp_path / "s"
    async with serving(engine, [f"unix://{socket}"]), HttpClient(Address(path=str(socket))) as remote:
        for client in (engine, remote):
            known = {one.name: one for one in await client.history.containers()}
            assert known["busy"].log and known["busy"].exit_code == 137 and known["busy"].removed >= known["busy"].last > 0
            assert known["passing"].exit_code == 3
            figures = [one async for one in client.history.figures("busy")]
            assert figures[0].cpu == 0 and max(one.cpu for one in figures) > 1
            assert all(one.memory > 0 and one.processes >= 1 and one.limit >= one.memory for one in figures)
            assert len([one async for one in client.history.figures(identifier[:12], since=figures[-1].time)]) == 1
            assert len([one async for one in client.history.figures("busy", step=3600)]) == 1
            assert [(one.stream, one.text) async for one in client.history.log("busy")] == [
                ("stdout", "first"),
                ("stderr", "last"),
            ]
            assert [one.text async for one in client.history.log("passing")] == ["gone"]
            with pytest.raises(NotFound, match="the history knows none"):
                await anext(client.history.log("nobody"))
            with pytest.raises(InvalidArgument, match="step"):
                await anext(client.history.figures("busy", step=-1))


async def test_without_a_history_nothing_is_written(roots: tuple[Path, Path], busybox: str, engine: Engine) -> None:
    engine.configure(EngineOptions(history_size=0))
    recorder = asyncio.create_task(Recorder(engine._parts).run())
    identifier = await run(engine, busybox, "quiet", "echo x; exec sleep 100")
    await engine.containers.remove(identifier, force=True)
    recorder.cancel()
    await asyncio.gather(recorder, return_exceptions=True)
    assert not (roots[0] / "history").exists()
    assert await engine.history.containers() == [] and not (await engine.history.status()).recording


async def test_rates_end_with_a_run(engine: Engine) -> None:
    journal = log_tail.open_journal(engine._parts)
    assert journal is not None
    one = "c" * 64
    second = 10**9
    for time, cpu, received in ((10, 0, 0), (20, 5, 1000), (30, 1, 10), (40, 2, 110), (9000, 4, 500)):
        journal.append(Sample(time * second, (Row(id=one, cpu=cpu * second, received=received, memory=time),)))
    figures = [figure async for figure in engine.history.figures(one)]
    assert [figure.cpu for figure in figures] == [0, 50, 0, 10, 0], "a new run and a gap have no rate"
    assert [figure.received for figure in figures] == [0, 100, 0, 10, 0]
    assert [figure.memory async for figure in engine.history.figures(one, step=25)] == [15, 35, 9000]


@pytest.mark.parametrize("wrong", [{"history_size": 5000}, {"history_days": 0}, {"history_interval": 0}])
def test_bounds_that_make_no_history(wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match="invalid history"):
        Engine(EngineOptions(**wrong)).check_options()
