"""What can be done on the page of the builds."""

from __future__ import annotations

from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.building.build import Build


def _is_own(build: Build) -> bool:
    return bool(build.words)


def _runs(build: Build) -> bool:
    return _is_own(build) and build.running


def _has_ended(build: Build) -> bool:
    return _is_own(build) and not build.running


BUILD_ACTIONS: tuple[Action, ...] = (
    Action(
        id="build.new",
        title="Build",
        keys="n",
        tooltip="Fill in the form of moby build, and build",
        changes=True,
        command="moby build FOLDER",
    ),
    Action(
        id="build.again",
        title="Again",
        keys="r",
        tooltip="Build the same again",
        on=On.ROW,
        when=_has_ended,
        changes=True,
    ),
    Action(
        id="build.change",
        title="Change",
        keys="e",
        tooltip="The form with what this build was asked for",
        on=On.ROW,
        when=_is_own,
        changes=True,
    ),
    Action(
        id="build.cancel",
        title="Cancel",
        keys="x",
        tooltip="End the build; the steps that are done stay in the cache",
        on=On.ROW,
        when=_runs,
        changes=True,
    ),
    Action(id="build.steps", title="Steps", keys="s", footer=False, tooltip="Go to the steps"),
    Action(id="build.stages", title="Stages", keys="t", footer=False, tooltip="Go to the stages and what each begins from"),
    Action(id="build.file", title="Dockerfile", keys="f", tooltip="Go to the Dockerfile"),
    Action(id="build.log", title="Log", keys="l", tooltip="Go to the output of the step"),
    Action(
        id="build.copy",
        title="Copy command",
        keys="Y",
        footer=False,
        tooltip="Copy the command line that builds the same",
        call="copy_command",
        on=On.ROW,
        when=_is_own,
    ),
    Action(
        id="build.image",
        title="Image",
        keys="i",
        tooltip="Show the image that was built",
        on=On.ROW,
        when=lambda one: one.image,
    ),
    Action(id="build.back", title="Back", keys="escape", footer=False, tooltip="Back to the list"),
)
