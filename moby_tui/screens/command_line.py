"""What the dashboard is handed of the command line: its parsers of ``run`` and ``build``, and docker's compose plug-in."""

from __future__ import annotations

from dataclasses import dataclass, field

from moby_tui.screens.building.request import ReadBuild
from moby_tui.screens.building.request import no_reader as no_build_reader
from moby_tui.screens.forms.request import ReadRun, no_reader
from moby_tui.screens.onboarding.composing import Compose, NoCompose


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The defaults stand where no command line is; they say so when they are asked."""

    read_run: ReadRun = no_reader
    read_build: ReadBuild = no_build_reader
    compose: Compose = field(default_factory=NoCompose)
