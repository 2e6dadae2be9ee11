"""The pages of the dashboard, in their order. A page's module is imported when the page is first visited."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from moby_tui.screens.listing.top_line import Tab

if TYPE_CHECKING:
    from moby_tui.screens.pages.page import Page
    from moby_tui.screens.pages.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Entry:
    """``place`` is the page's class, ``module:Class`` below this folder. ``key`` is the key that goes there from any page.

    ``about`` is what the page shows, in one sentence. Without a number as its key a page is named in the top line only while it is
    shown; one reaches it by its key, the palette and the prompt.
    """

    mode: str
    title: str
    key: str
    place: str
    about: str

    def load(self) -> type[Page]:
        """The page's class; imports its module."""
        module, _, name = self.place.partition(":")
        return cast("type[Page]", getattr(import_module(f"{__package__}.{module}"), name))

    def make(self, workspace: Workspace) -> Page:
        return self.load()(workspace)


#: Pages with number keys come first. A page of the project is one line here and one module in this folder.
PAGES: tuple[Entry, ...] = (
    Entry(
        "containers",
        "Containers",
        "1",
        "containers:ContainersPage",
        "The containers, and the log, use, processes and settings of one",
    ),
    Entry("images", "Images", "2", "images:ImagesPage", "The images"),
    Entry("build", "Build", "B", "build:BuildPage", "Builds: stages, steps and output as they come, and the line that fails"),
    Entry("volumes", "Volumes", "3", "volumes:VolumesPage", "The volumes and the containers that use them"),
    Entry("networks", "Networks", "4", "networks:NetworksPage", "The networks and the containers in them"),
    Entry(
        "topology",
        "Topology",
        "T",
        "engine.topology:TopologyPage",
        "The networks drawn: who reaches whom, and what is open to the world",
    ),
    Entry("events", "Events", "5", "events:EventsPage", "What happens in the engine, as it happens"),
    Entry("shells", "Shells", "6", "shells:ShellsPage", "The shells that are open in containers"),
    Entry("files", "Files", "F", "files:FilesPage", "The files of a container, an image or a volume"),
    Entry("logs", "Logs", "7", "logs:LogsPage", "The logs of any number of containers in one stream"),
    Entry("overview", "Overview", "8", "overview:OverviewPage", "What each container uses, sorted by any figure"),
    Entry("history", "History", "H", "history:HistoryPage", "What containers did and used before, removed ones too"),
    Entry("machine", "Machine", "M", "machine:MachinePage", "Cores, memory, disks and pressure of this machine"),
    Entry(
        "system",
        "System",
        "I",
        "engine.system:SystemPage",
        "The disk, prunes, what the host has and lacks, settings of the engine",
    ),
    Entry("activity", "Activity", "A", "activity:ActivityPage", "What was done here, with the command lines that do the same"),
    Entry("problems", "Problems", "9", "engine.problems:ProblemsPage", "What is wrong, what it means, and what to do about it"),
    Entry(
        "projects",
        "Projects",
        "0",
        "engine.projects:ProjectsPage",
        "Compose projects: services, dependencies, what differs from the file",
    ),
)


def find(mode: str) -> Entry | None:
    """The page of this name."""
    return next((entry for entry in PAGES if entry.mode == mode), None)


def tabs(here: str) -> tuple[Tab, ...]:
    """What the top line of the page ``here`` names: the pages with numbers, and this one."""
    return tuple(Tab(entry.mode, entry.title, entry.key) for entry in PAGES if entry.key.isdigit() or entry.mode == here)
