"""The builds of this session, the newest first: those of this dashboard, and those that the engine's events tell of."""

from __future__ import annotations

from collections.abc import Iterator

from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.building.build import Build

#: Builds that are remembered, and bytes of output of all of them.
REMEMBERED, MOST_BYTES = 50, 64 << 20


class Builds:
    """Those that run are kept whatever their number."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._builds: list[Build] = []
        self._most_bytes = most_bytes

    def __iter__(self) -> Iterator[Build]:
        return iter(self._builds)

    def __len__(self) -> int:
        return len(self._builds)

    def get(self, identifier: str) -> Build | None:
        return next((build for build in self._builds if build.id == identifier), None)

    def add(self, build: Build) -> None:
        self._builds.insert(0, build)
        kept = [one for place, one in enumerate(self._builds) if place < REMEMBERED or one.running]
        self._builds = kept

    @property
    def running(self) -> bool:
        return any(build.running for build in self._builds)

    def take_event(self, event: Event) -> bool:
        """Takes an event of type ``builder``; true if it is about a build that another has asked for. Of those no more is told."""
        identifier, attributes = event.actor.id, event.actor.attributes
        build = self.get(identifier)
        if build is None and event.action == "start":
            self.add(Build(identifier, attributes.get("name", "") or "without a name", [], event.time, "asked for elsewhere"))
            return True
        if build is None or build.words or not build.running:
            return False
        if event.action == "finish":
            build.image = text.clean(attributes.get("image", ""))
            build.finish(event.time)
        elif event.action == "fail":
            build.fail(text.clean(attributes.get("error", "")), event.time)
        elif event.action == "cancel":
            build.cancel(event.time)
        return True

    def trim(self) -> None:
        """Forgets the output of the steps that ended first, of the oldest build first, while there is too much."""
        total = sum(step.log.bytes for build in self._builds for step in build.steps)
        for build in reversed(self._builds):
            for step in sorted(build.steps, key=lambda one: one.ended or float("inf")):
                if total <= self._most_bytes:
                    return
                if step.ended:
                    total -= step.log.bytes
                    step.log.clear()
