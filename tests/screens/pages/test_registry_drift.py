"""Running containers whose registry has a newer image: compared without a client, asked with a bound and a memory, on real engines."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from moby_tui.errors import Unavailable
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.image import DistributionInspect, ImageSummary
from moby_tui.schema.oci import Descriptor
from moby_tui.screens.preferences import Preferences
from moby_tui.screens.problems import finding, registries
from moby_tui.screens.problems.problem import Problem, Severity
from moby_tui.screens.problems.registries import FAILURE_HOLDS, HOLDS, RegistryDigests
from moby_tui.screens.widgets.facts_table import FactsTable
from screens.conftest import Eventually, Open
from screens.engines.test_every_engine import dockerd, in_process, our_daemon
from screens.fake_client import NOW, FakeEngine, summary
from screens.typing_keys import typed
from servers.registry import Registry, running

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
IMAGE = "sha256:" + "a" * 64


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    folder = Path(tempfile.mkdtemp(prefix="mt-registry-", dir="/var/tmp"))
    with running(folder) as there:
        yield there
    shutil.rmtree(folder)


def test_only_what_a_registry_knows_is_compared() -> None:
    rows = [
        summary(1, "web"),
        summary(2, "by-digest", image="nginx@" + OLD),
        summary(3, "other", image="registry.example.com:5000/nginx:1.29"),
        summary(4, "ended", "exited", "Exited (0) 1 day ago"),
        summary(5, "built", image_id="sha256:" + "b" * 64),
    ]
    digests = {IMAGE: ["docker.io/library/nginx@" + OLD, "nginx@" + OLD]}
    names = finding.comparable(rows, {}, digests)
    assert names == {rows[0].id: "nginx:1.29"}
    assert finding.outdated(rows, names, digests, {}) == []
    assert finding.outdated(rows, names, digests, {"nginx:1.29": OLD}) == []
    (problem,) = finding.outdated(rows, names, digests, {"nginx:1.29": NEW})
    assert (problem.kind, problem.severity, problem.name) == ("outdated", Severity.NOTICE, "web")
    assert "moby pull nginx:1.29" in problem.advice and "2" * 12 in problem.detail
    (later,) = finding.outdated(rows, names, digests, {"nginx:1.29": "sha256:" + "3" * 64})
    assert later.key != problem.key, "a problem that was muted is another one with another image"


def test_registries_that_say_nothing_are_one_problem_each() -> None:
    errors = {"nginx:1": "no route", "redis:8": "no route", "r.example:5000/a:1": "unauthorized"}
    assert [(one.name, one.detail) for one in finding.silent(errors)] == [
        ("docker.io", "no route"),
        ("r.example:5000", "unauthorized"),
    ]


class FakeRegistry:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most = 0
        self.digest = NEW
        self.refusal: Exception | None = None

    async def inspect(self, name: str, **_: Any) -> DistributionInspect:
        self.asked.append(name)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.refusal:
            raise self.refusal
        return DistributionInspect(descriptor=Descriptor(media_type="", digest=self.digest, size=1))


async def test_an_answer_holds_for_hours_and_a_failure_for_less() -> None:
    engine: Any = FakeEngine()
    engine.registry = there = FakeRegistry()
    known = RegistryDigests()
    names = [f"r.example/image{number}:1" for number in range(150)]
    due = known.due(names, NOW)
    assert len(due) == registries.MOST
    await known.ask(engine, due, NOW)
    assert there.most <= registries.AT_ONCE and len(known.digests) == registries.MOST
    assert known.due(due, NOW + HOLDS - 1) == [] and known.due(due, NOW + HOLDS) == due
    there.refusal = Unavailable("no \x1b[31mroute")
    await known.ask(engine, names[-1:], NOW)
    assert known.errors == {names[-1]: "no route"}
    assert known.due(names[-1:], NOW + FAILURE_HOLDS - 1) == [] and known.due(names[-1:], NOW + FAILURE_HOLDS) == names[-1:]
    known.forget([names[0]])
    assert known.due(due, NOW) == [names[0]]
    known.keep(names[:1])
    assert not known.errors


async def test_nothing_is_asked_until_the_person_lets_it(
    open_dashboard: Open, eventually: Eventually, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    engine: Any = FakeEngine([summary(1, "web")])
    engine.registry = there = FakeRegistry()

    async def images(**_: Any) -> list[ImageSummary]:
        return [ImageSummary(id=IMAGE, repo_tags=["nginx:1.29"], repo_digests=["nginx@" + OLD])]

    engine.images.list = images
    chosen = Preferences()
    async with open_dashboard(lambda: engine, chosen, size=(140, 40)) as (app, pilot):
        await eventually(
            pilot, lambda: any(one.kind == "port" for one in app.problems.problems) or app.problems._tags is not None
        )
        assert not there.asked
        await typed(app, pilot, "9", "R")
        await eventually(pilot, lambda: any(one.kind == "outdated" for one in app.problems.problems))
        assert there.asked == ["nginx:1.29"] and chosen.asks_registries
        assert "registries are asked" in str(app.screen.query_one("#list").border_subtitle)
        there.digest = OLD
        engine.emit("image", "pull", "nginx:1.29", name="nginx")
        await eventually(pilot, lambda: not any(one.kind == "outdated" for one in app.problems.problems))
        there.refusal = Unavailable("no route")
        await typed(app, pilot, "R", "R")
        await eventually(pilot, lambda: any(one.kind == "registry" for one in app.problems.problems))
        await typed(app, pilot, "R")
        await eventually(pilot, lambda: not any(one.kind == "registry" for one in app.problems.problems))
        assert not chosen.asks_registries


async def _drained(steps: AsyncIterator[Any]) -> None:
    async for _ in steps:
        pass


@pytest.mark.parametrize("kind", [in_process, our_daemon, dockerd], ids=lambda kind: kind.__name__)
async def test_a_newer_image_in_a_real_registry(
    kind: Any, registry: Registry, roots: tuple[Path, Path], busybox_archive: Path, open_dashboard: Open, eventually: Eventually
) -> None:
    roots[0].parent.mkdir(exist_ok=True)
    name = f"{registry.address}/{kind.__name__}/app:1"

    async def content() -> AsyncIterator[bytes]:
        yield busybox_archive.read_bytes()

    async with kind(roots) as factory:
        async with factory() as client:
            await _drained(client.images.load(content()))
            await client.images.tag("busybox", name)
            await _drained(client.images.push(name))
            made = await client.containers.create(
                ContainerCreate(image=name, cmd=["sleep", "1000"], host_config=HostConfig(network_mode="none")), name="app"
            )
            await client.containers.start(made.id)
        try:
            async with open_dashboard(factory, Preferences(asks_registries=True), size=(140, 40)) as (app, pilot):
                await eventually(pilot, lambda: app.problems._registries and app.problems._registries.digests)
                await pilot.pause()
                assert not any(one.kind == "outdated" for one in app.problems.problems)
                async with factory() as client:
                    other = await client.containers.commit(made.id, changes=["ENV NEWER=1"], reference=f"{registry.address}/x:1")
                    assert other
                    # somebody else pushes: the name here stays what it was
                    await client.images.tag(f"{registry.address}/x:1", name)
                    await _drained(client.images.push(name))
                    await client.images.tag("busybox", name)
                app.problems.ask_registries(allowed=True)
                await eventually(pilot, lambda: any(one.kind == "outdated" for one in app.problems.problems))
                problem: Problem = next(one for one in app.problems.problems if one.kind == "outdated")
                assert problem.name == "app" and name in problem.title
                await typed(app, pilot, "9")
                await eventually(pilot, lambda: app.screen.query(FactsTable) and app.screen.query_one(FactsTable).row_count)
                while app.screen.chosen.kind != "outdated":
                    await typed(app, pilot, "down")
                await eventually(pilot, lambda: name in str(app.screen.query_one("#problem", Static).render()))
        finally:
            async with factory() as client:
                await client.containers.remove(made.id, force=True)
