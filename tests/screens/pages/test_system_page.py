"""The page of the engine: the disk adds up, a prune shows what goes before it is asked for, the doctor is told; on the real engine."""

from __future__ import annotations

from typing import Any

from textual.widgets import Button, Static

from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerCreate, ContainersPruned
from moby_tui.schema.image import BuildPruned, ImageDeleted, ImagesPruned, ImageSummary
from moby_tui.schema.system import BuildCache, Check, DataRoot, DiskPart, DiskUsage, PruneReport
from moby_tui.schema.volume import Volume, VolumesPruned, VolumeUsage
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.upkeep.disk import parts, shares
from moby_tui.screens.upkeep.prune import PRUNES, going
from moby_tui.screens.widgets.facts_table import FactsTable
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine


def usage() -> DiskUsage:
    return DiskUsage(
        layers_size=150,
        images=[ImageSummary(id="a", size=100, shared_size=50), ImageSummary(id="b", size=100, shared_size=50)],
        volumes=[
            Volume(name="used", usage_data=VolumeUsage(size=7, ref_count=1)),
            Volume(name="free", usage_data=VolumeUsage(size=5, ref_count=0)),
            Volume(name="unknown", usage_data=VolumeUsage()),
        ],
        build_cache=[BuildCache(size=3, in_use=True), BuildCache(size=4)],
        moby=DataRoot(parts=[DiskPart(name="Image layers", size=150), DiskPart(name="Eng\x1b[31mine", size=200)]),
    )


def test_what_images_share_is_counted_once() -> None:
    images, containers, volumes, cache = shares(usage())
    assert (images.size, images.shared, images.reclaimable) == (150, 50, 100)
    assert (containers.count, containers.size) == (0, 0)
    assert (volumes.count, volumes.used, volumes.size, volumes.reclaimable) == (3, 1, 12, 5)
    assert (cache.size, cache.reclaimable) == (7, 4)
    assert parts(usage()) == [("Engine", 200), ("Image layers", 150)]


def test_what_a_prune_takes() -> None:
    report = PruneReport(
        containers=ContainersPruned(containers_deleted=["a" * 64], space_reclaimed=1),
        volumes=VolumesPruned(volumes_deleted=["my\x1b[31mdata"], space_reclaimed=2),
        images=ImagesPruned(
            images_deleted=[ImageDeleted(untagged="web:1"), ImageDeleted(deleted="sha256:" + "b" * 64)], space_reclaimed=4
        ),
        build=BuildPruned(caches_deleted=["c"], space_reclaimed=8),
    )
    assert going(report) == (["a" * 12, "mydata", "web:1", "b" * 12, "c"], 15)
    assert going(PruneReport()) == ([], 0)


async def test_the_page(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine()
    engine.checks = [Check(about="kernel", severity="ok", message="Linux"), Check(about="disk", severity="error", message="full")]
    pruned: list[Any] = []

    async def prunable(options: Any) -> PruneReport:
        return PruneReport(volumes=VolumesPruned(volumes_deleted=["pgdata", "uploads"], space_reclaimed=5_000_000))

    async def prune(*, filters: Any = None) -> VolumesPruned:
        pruned.append(filters)
        return VolumesPruned(volumes_deleted=["pgdata", "uploads"], space_reclaimed=5_000_000)

    engine.system.prunable = prunable  # type: ignore[method-assign]
    engine.volumes.prune = prune  # type: ignore[attr-defined]
    async with open_dashboard(lambda: engine, size=(140, 40)) as (app, pilot):
        await pilot.press("I")
        await eventually(
            pilot, lambda: app.screen.query("#disk-facts") and app.screen.query_one("#disk-facts", FactsTable).row_count >= 4
        )
        page = app.screen
        await pilot.press("p")
        table = page.query_one("#prune-facts", FactsTable)
        await eventually(pilot, lambda: table.row_count == len(PRUNES) and table.has_focus)
        table.move_cursor(row=[one.id for one in PRUNES].index("volumes"))
        await eventually(pilot, lambda: table.chosen == "volumes")
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, Preview))
        assert "5.0M come back" in str(app.screen.query_one("#consequence", Static).render())
        assert app.screen.query_one("#go", Button).disabled
        await pilot.press("2", "enter")
        await eventually(pilot, lambda: pruned)
        assert pruned == [{"all": ["true"]}]

        async def unknown(options: Any) -> PruneReport:
            raise MobyError("a dry run of prune needs moby at the other end: that engine does not know it")

        engine.system.prunable = unknown  # type: ignore[method-assign]
        await eventually(pilot, lambda: app.screen is page)
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, Preview))
        assert "What goes is not known" in str(app.screen.query_one("#consequence", Static).render())
        await pilot.press("escape")
        await eventually(pilot, lambda: app.screen is page)
        app.go("system", "doctor")
        doctor = page.query_one("#doctor-facts", FactsTable)
        await eventually(pilot, lambda: doctor.row_count == 2)
        assert [str(cell) for cell in doctor.get_row_at(1)] == ["error", "disk", "full"]


async def test_on_the_real_engine(engine, busybox, open_dashboard, eventually) -> None:  # type: ignore[no-untyped-def]
    """A stopped container is shown before it goes, and is gone after."""
    created = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"]), name="rest")

    class Shared:
        async def __aenter__(self) -> Any:
            return engine

        async def __aexit__(self, *_: object) -> None: ...

    async with open_dashboard(Shared, size=(140, 40)) as (app, pilot):
        await pilot.press("I")
        await eventually(
            pilot, lambda: app.screen.query("#disk-facts") and app.screen.query_one("#disk-facts", FactsTable).row_count
        )
        page = app.screen
        rows = [[str(cell) for cell in page.query_one("#disk-facts", FactsTable).get_row_at(row)] for row in range(5)]
        assert [row[0] for row in rows] == ["Images", "Containers", "Volumes", "Build cache", "Data root"]
        await pilot.press("p")
        await eventually(pilot, lambda: page.query_one("#prune-facts", FactsTable).has_focus)
        await pilot.press("enter")
        await eventually(pilot, lambda: isinstance(app.screen, Preview))
        await pilot.press("1", "enter")
        await eventually(pilot, lambda: created.id not in app.session.model)
        assert await engine.containers.list(all=True) == []


async def test_another_engine_has_no_doctor_and_the_table_says_so(open_dashboard: Open, eventually: Eventually) -> None:
    engine: Any = FakeEngine()

    async def unknown() -> list[Check]:
        raise MobyError("system doctor needs moby at the other end: that engine does not know it")

    engine.system.examine = unknown
    async with open_dashboard(lambda: engine, size=(80, 24)) as (app, pilot):
        app.go("system", "doctor")
        for _ in range(2):
            await eventually(pilot, lambda: app.current_mode == "system" and app.screen.query("#doctor-facts"))
            table = app.screen.query_one("#doctor-facts", FactsTable)
            await eventually(pilot, lambda table=table: table.row_count and "needs moby" in table.get_row_at(0)[0].plain)
            assert not app.screen.query_one("#detail").border_subtitle
            await pilot.press("r")
