"""How the page of the builds and the offers look, over a clock that stands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from moby_tui.schema.image import BuildPlan, BuildStep, PlannedStage, PlannedStep, Progress, ProgressDetail
from moby_tui.screens.app import Dashboard
from moby_tui.screens.building.build import Build
from moby_tui.screens.onboarding import offers
from moby_tui.screens.onboarding.offers import Found
from moby_tui.screens.pages import build
from screens.fake_client import NOW, FakeEngine, as_client
from screens.models.test_build_model import begun, ended, output

DOCKERFILE = """\
FROM golang:1.25 AS builder
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build \\
    CGO_ENABLED=0 go build -trimpath -o /out/app ./cmd/app

FROM node:22-alpine AS assets
WORKDIR /web
COPY web/ .
RUN npm ci && npm run build

FROM builder AS test
RUN go test ./...

FROM alpine:3.22
COPY --from=builder /out/app /usr/bin/app
COPY --from=assets /web/dist /srv/www
RUN adduser -D 世界
"""


LAYER = ProgressDetail(current=31_000_000, total=49_000_000)
WRONG = 'process "/bin/sh -c go mod download" did not complete successfully: exit code: 1'


def stage(name: str, base: str, needs: list[int], *lines: tuple[int, int], wanted: bool = True) -> PlannedStage:
    written = DOCKERFILE.split("\n")
    return PlannedStage(
        name, base, needs, wanted, [PlannedStep(written[first - 1].rstrip("\\"), (first, last)) for first, last in lines]
    )


PLAN = BuildPlan("Dockerfile", DOCKERFILE.encode(), [
    stage("builder", "golang:1.25", [], (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 7)),
    stage("assets", "node:22-alpine", [], (9, 9), (10, 10), (11, 11), (12, 12)),
    stage("test", "builder", [0], (15, 15), wanted=False),
    stage("", "alpine:3.22", [0, 1], (17, 17), (18, 18), (19, 19), (20, 20)),
])  # fmt: skip


def some_builds() -> list[Build]:
    """One that ended long ago, and one that has failed just now."""
    old = Build("1", "shop:0.9", ["."], NOW - 7300, "/srv/shop")
    old.finish(NOW - 7255)
    new = Build("2", "shop:1.0, registry.example.com/shop:1.0", ["."], NOW - 14, "/srv/shop")
    at = NOW - 14.0
    for line in (
        begun(1, "[internal] load build context", at), ended(1, "done", at + 0.3), Progress(plan=PLAN),
        begun(2, "[internal] load metadata for docker.io/library/golang:1.25", at + 0.3, 0), ended(2, "done", at + 0.31),
        begun(3, "[builder 1/6] FROM docker.io/library/golang:1.25", at + 1, 0, (1, 1)), ended(3, "cached", at + 1),
        begun(4, "[builder 2/6] WORKDIR /src", at + 1, 0, (2, 2)), ended(4, "cached", at + 1),
        begun(5, "[builder 3/6] COPY go.mod go.sum ./", at + 1, 0, (3, 3)), ended(5, "done", at + 1.2),
        begun(6, "[assets 1/4] FROM docker.io/library/node:22-alpine", at + 1, 1, (9, 9)),
        Progress(status="Downloading", id="4abcf2066143", progress_detail=LAYER, step=BuildStep(id=6)),
        begun(7, "[builder 4/6] RUN go mod download", at + 1.2, 0, (4, 4)),
        *(output(7, f"go: downloading example.com/module/{number} v1.{number}.0\n") for number in range(30)),
        output(7, "\x1b[31mgo: no such host\x1b[0m\n"), ended(7, "failed", at + 12, WRONG),
    ):  # fmt: skip
        new.take(line, NOW - 2)
    new.fail("The command '/bin/sh -c go mod download' returned a non-zero code: 1", NOW - 2)
    return [old, new]


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 36)])
def test_a_build_that_has_failed(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(build, "time", SimpleNamespace(time=lambda: float(NOW)))

    async def show(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        while not app.session.connection.up:
            await pilot.pause(0.05)
        app.go("build")
        while app.current_mode != "build" or not app.screen.is_mounted:
            await pilot.pause(0.05)
        for one in some_builds():
            app.screen.builds.add(one)
        app.screen._draw()
        app.screen.action_steps()
        while not app.screen.query("#build-stream"):
            await pilot.pause(0.05)
        await pilot.pause(0.3)

    assert snap_compare(Dashboard(as_client(FakeEngine)), run_before=show, terminal_size=size)


def test_an_engine_without_containers(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "look", lambda folder: Found("/srv/shop", True, "/srv/shop/compose.yaml"))

    async def show(pilot: Pilot[None]) -> None:
        app: Any = pilot.app
        while not app.session.connection.up or not app.screen.query_one("#offers").offers:
            await pilot.pause(0.05)
        await pilot.pause(0.3)

    assert snap_compare(Dashboard(as_client(lambda: FakeEngine([]))), run_before=show, terminal_size=(80, 24))
