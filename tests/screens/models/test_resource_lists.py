"""Lists of images, volumes and networks: models as plain objects, and the feed that keeps them by events."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.errors import Forbidden
from moby_tui.schema.event import Event, EventActor
from moby_tui.schema.image import ImageSummary
from moby_tui.schema.network import Network
from moby_tui.schema.volume import Volume
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.forms.network import FORM
from moby_tui.screens.session.activity import Activity, Outcome
from moby_tui.screens.session.images import ImageModel
from moby_tui.screens.session.networks import NetworkModel
from moby_tui.screens.session.read_only import read_only
from moby_tui.screens.session.removals import Removal, Removals
from moby_tui.screens.session.volumes import VolumeModel
from screens.conftest import Eventually, Open, there
from screens.fake_client import NOW, FakeEngine
from screens.typing_keys import typed


def event(kind: str, action: str, identifier: str) -> Event:
    return Event(type=kind, action=action, actor=EventActor(id=identifier), time=NOW, time_nano=NOW * 10**9)


def test_a_volume_that_is_made_is_fetched_alone_and_one_that_goes_is_gone_even_if_an_older_list_has_it() -> None:
    model = VolumeModel()
    model.reset([Volume(name="a"), Volume(name="b")])
    assert model.apply(event("volume", "create", "c")).stale == {"c"}
    assert model.apply(event("volume", "mount", "a")).stale == frozenset()
    # the filter of the API gives names that contain the word too
    assert model.merge([Volume(name="c"), Volume(name="cc")], ["c"]) == {"c"}
    assert [row.name for row in model.sorted()] == ["a", "b", "c"]
    assert model.apply(event("volume", "destroy", "a")).touched == {"a"}
    model.reset([Volume(name="a"), Volume(name="b")])
    assert [row.name for row in model.sorted()] == ["b"]
    model.apply(event("volume", "create", "a"))
    model.merge([Volume(name="a")], ["a"])
    assert [row.name for row in model.sorted()] == ["a", "b"]


def test_a_renamed_volume_has_one_row() -> None:
    model = VolumeModel()
    model.reset([Volume(name="a"), Volume(name="b")])
    renamed = event("volume", "rename", "c")
    renamed.actor.attributes["oldName"] = "a"
    asked = model.apply(renamed).stale
    assert asked == {"a", "c"}
    model.merge([Volume(name="c")], asked)
    assert [row.name for row in model.sorted()] == ["b", "c"]


def test_networks_by_their_ids() -> None:
    model = NetworkModel()
    assert model.apply(event("network", "create", "1" * 64)).stale == {"1" * 64}
    model.merge([Network(name="front\x1b[31m", id="1" * 64)], ["1" * 64])
    assert [row.name for row in model.sorted("front !internal=true")] == ["front"]
    assert model.apply(event("container", "destroy", "1" * 64)).touched == frozenset()
    assert model.apply(event("network", "destroy", "1" * 64)).touched == {"1" * 64}
    assert len(model) == 0


def test_any_change_of_an_image_makes_the_list_of_images_stale() -> None:
    model = ImageModel()
    assert model.apply(event("image", "tag", "sha256:ab")).all_stale
    assert not model.apply(event("image", "push", "sha256:ab")).all_stale
    model.reset([ImageSummary(id="sha256:ab", repo_tags=["<none>:<none>"]), ImageSummary(id="sha256:cd", repo_tags=["x:1"])])
    assert [row.name for row in model.sorted()] == ["x:1", "<none>"]
    assert [row.name for row in model.sorted("dangling=true")] == ["<none>"]


def test_removals_wait_their_time_and_the_newest_is_taken_back_first() -> None:
    waiting = Removals()
    waiting.add(Removal(("a", "b"), "1", 10.0))
    waiting.add(Removal(("b", "c"), "2", 20.0))
    assert waiting.next_due == 10.0 and waiting.waits("c")
    assert [one.containers for one in waiting.take_due(10.0)] == [("a",)]
    assert waiting.take_back() == Removal(("b", "c"), "2", 20.0)
    assert waiting.take_back() is None and waiting.next_due is None


def test_the_activity_remembers_what_came_of_an_action() -> None:
    activity = Activity()
    first, second = activity.begin("Stop", "moby stop web", 5.0), activity.begin("Kill", "moby kill web", 6.0)
    activity.end(first, Outcome.FAILED, 7.5, "no such container")
    assert [(deed.outcome, deed.took) for deed in activity] == [(Outcome.FAILED, 2.5), (Outcome.RUNNING, 0.0)]
    assert there(activity.get(second)).command == "moby kill web"


async def test_a_read_only_client_reads_and_refuses_all_else() -> None:
    engine = FakeEngine()
    client = read_only(cast(Any, engine))
    assert len(await client.containers.list(all=True)) == 7
    assert len(await client.volumes.list()) == 2
    for family, method in (
        ("containers", "stop"), ("containers", "exec_start"), ("containers", "archive_put"), ("containers", "run"),
        ("images", "pull"), ("volumes", "remove"), ("networks", "create"), ("builder", "prune"), ("system", "login"),
    ):  # fmt: skip
        with pytest.raises(Forbidden, match="read-only"):
            getattr(getattr(client, family), method)
    assert engine.calls == []


async def test_networks_are_made_and_pruned(
    roots: tuple[Path, Path], engine: Engine, open_dashboard: Open, eventually: Eventually
) -> None:
    written = {"name": "back", "driver": "", "subnet": "10.77.0.0/24", "gateway": "", "internal": "yes"}
    assert FORM.line(written) == "moby network create --subnet 10.77.0.0/24 --internal back"
    for wrong in ({"name": ""}, {"subnet": "x"}, {"gateway": "10.9.0.1"}, {"subnet": "", "gateway": "10.9.0.1"}):
        assert FORM.check(written | wrong) and not FORM.line(written | wrong) and not FORM.check(written)
    async with open_dashboard(lambda: Engine.open(*roots), size=(120, 36)) as (app, pilot):
        await typed(app, pilot, "4")
        await eventually(pilot, lambda: app.current_mode == "networks" and app.session.networks.loaded)
        await typed(app, pilot, "n", *"back", "tab", "tab", *"10.77.0.0/24", "enter")
        await eventually(pilot, lambda: any(one.name == "back" for one in app.session.networks.model.rows()))
        assert [pool.subnet for pool in (await engine.networks.inspect("back")).ipam.config or []] == ["10.77.0.0/24"]
        assert "moby network create --subnet 10.77.0.0/24 back" in [deed.command for deed in app.session.activity]
        await typed(app, pilot, "p")
        await eventually(pilot, lambda: isinstance(app.screen, Preview))
        await typed(app, pilot, "1", "enter")
        await eventually(pilot, lambda: not any(one.name == "back" for one in app.session.networks.model.rows()))
