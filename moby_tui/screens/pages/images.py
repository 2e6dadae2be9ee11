"""The page of the images."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textual import on, work
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import TabbedContent, TabPane

from moby_tui.errors import OtherEngine
from moby_tui.schema.exploration import ImageExploration
from moby_tui.schema.image import ImageHistory
from moby_tui.screens import text
from moby_tui.screens.files.layers import Changes, steps, summary
from moby_tui.screens.listing.columns import Cells, Column
from moby_tui.screens.pages.actions.images import IMAGE_ACTIONS
from moby_tui.screens.pages.page import Question
from moby_tui.screens.pages.resource import ResourcePage, ResourceTable
from moby_tui.screens.pages.shared.running import RunningPage
from moby_tui.screens.pages.shared.transfers import TransfersPage
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.images import Image
from moby_tui.screens.session.logins import login_for
from moby_tui.screens.session.resource_feed import ResourceFeed
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.facts_table import FactsTable
from moby_tui.screens.widgets.files.layers import LayersView
from moby_tui.screens.widgets.files.tree import FileTreeView
from moby_tui.screens.widgets.filter_bar import FilterBar
from moby_tui.screens.widgets.inspect_view import InspectView
from moby_tui.screens.widgets.object_table import ObjectTable

#: Nothing is asked about an image on which the cursor stays for less; seconds.
_STAYS = 0.25
#: Images of which the layers are kept.
_KEPT = 4
_WASTED = (("WASTED", 9), ("COPIES", 7), ("PATH", 40))
_USERS = (("CONTAINER", 30), ("STATE", 24), ("COMMAND", 40))
_CLAIMS = (("KIND", 40), ("ATTACHED AS", 12), ("SIGNED", 8), ("DIGEST", 40))


@dataclass(slots=True)
class _Known:
    """What is known of an image's layers. ``note`` says why there is no more."""

    history: list[ImageHistory]
    found: ImageExploration | None = None
    changes: Changes = field(default_factory=Changes)
    whole: bool = False
    note: str = ""


class ImagesPage(ResourcePage[Image], RunningPage, TransfersPage):
    mode = "images"
    noun = "image"
    heading = "Images"
    empty = "none yet · moby pull IMAGE"
    ACTIONS = IMAGE_ACTIONS
    #: How many containers were made of each image, by its id.
    _used: Mapping[str, int] = {}

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._known: dict[str, _Known] = {}
        self._whole = False
        self._shown = ""

    @property
    def feed(self) -> ResourceFeed[Any, Image]:
        return self.session.images

    def columns(self) -> Sequence[Column[Image]]:
        return (
            Column("name", "IMAGE", 16, 100, lambda one: one.name),
            Column("id", "ID", 12, 12, lambda one: one.id, rank=3),
            Column("size", "SIZE", 7, 7, lambda one: one.size, rank=1, number=True),
            Column("created", "CREATED", 8, 8, lambda one: one.created, rank=2, number=True),
            Column("used", "USED BY", 8, 8, lambda one: self._used.get(one.id, 0), rank=4, number=True),
        )

    def gather(self) -> None:
        used: dict[str, int] = {}
        for container in self.session.model.rows():
            used[container.image_id] = used.get(container.image_id, 0) + 1
        self._used = used

    def cells(self, table: ObjectTable[Image], row: Image) -> Cells:
        created = text.age(time.time() - row.created) if row.created else "–"
        name = table.cell(row.name, "text-muted" if row.dangling else "foreground")
        name.stylize("bold")
        return {
            "name": name,
            "id": table.cell(text.short_id(row.id), "text-muted"),
            "size": table.cell(text.size(row.size, step=1000), right=True),
            "created": table.cell(created, right=True),
            "used": table.cell(str(self._used.get(row.id, "")), "accent", right=True),
        }

    # The details

    def content(self) -> Iterable[Widget]:
        yield Vertical(
            ResourceTable(self, self.columns()), FilterBar("filter", "words · !not", id="row-filter", kind="lists"), id="list"
        )
        tabs = TabbedContent(initial="layers", id="image-tabs")
        tabs.compose_add_child(TabPane("Layers", LayersView(id="layers-view"), id="layers"))
        tabs.compose_add_child(TabPane("Wasted", FactsTable(_WASTED, empty="nothing is wasted", id="wasted-table"), id="wasted"))
        tabs.compose_add_child(TabPane("Used by", FactsTable(_USERS, empty="no container", id="user-table"), id="users"))
        tabs.compose_add_child(TabPane("Attestations", FactsTable(_CLAIMS, empty="", id="claim-table"), id="claims"))
        tabs.compose_add_child(TabPane("Inspect", InspectView(id="row-inspect"), id="inspect"))
        yield Vertical(tabs, id="detail")

    @property
    def _tab(self) -> str:
        return self.query_one("#image-tabs", TabbedContent).active

    def _show_detail(self, key: str) -> None:
        if not self.query(InspectView):
            # the tabs mount what is in them after the page
            self.call_after_refresh(self._show_detail, key)
            return
        changed = key != self._shown
        super()._show_detail(key)
        self._show_users()
        if changed:
            self._shown = key
            self._look()

    @on(TabbedContent.TabActivated, "#image-tabs")
    def _turned(self) -> None:
        self._look()

    def _look(self) -> None:
        """Asks for what the tab in front shows."""
        if self._tab in ("layers", "wasted"):
            self._explore(self._shown)
        elif self._tab == "claims":
            self._find_claims(self._shown)

    def _show_users(self) -> None:
        users = [one for one in self.session.model.sorted() if one.image_id == self._detail_of]
        rows = [(one.name, one.describe_state(), one.command) for one in users]
        self.query_one("#user-table", FactsTable).show(rows, [one.id for one in users])

    # Layers

    @work(group="layers", exclusive=True)
    async def _explore(self, key: str) -> None:
        """Finds out about the layers of an image, and shows it as it comes: the history, the sums, the files."""
        view = self.query_one(LayersView)
        if not key:
            view.show((), "")
            view.show_files(None, "")
            return
        known = self._known.get(key)
        if known is None:
            await asyncio.sleep(_STAYS)
            try:
                known = _Known(await self.session.client.images.history(key))
            except TROUBLE as error:
                view.show((), text.clean(str(error)))
                return
            self._remember_layers(key, known)
        self._show_layers(known)
        if not known.whole and not known.note:
            await self._explore_files(key, known)

    def _remember_layers(self, key: str, known: _Known) -> None:
        self._known[key] = known
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]

    async def _explore_files(self, key: str, known: _Known) -> None:
        images = self.session.client.images
        try:
            known.found = await images.explore(key)
            self._show_layers(known)
            known.changes = Changes()
            changes = images.layer_files(key)
            async for change in changes:
                if not known.changes.take(change):
                    break
            known.whole = True
        except OtherEngine as error:
            known.note = text.clean(str(error))
        except TROUBLE as error:
            self.query_one(LayersView).say(text.clean(str(error)))
            return
        self._show_layers(known)

    def _show_layers(self, known: _Known) -> None:
        about = summary(known.found) if known.found else known.note or "looking into the layers …"
        self.query_one(LayersView).show(steps(known.history, known.found), about)
        wasted = known.found.wasted_files if known.found else []
        rows = [(f"{text.size(one.size, step=1000):>9}", f"{one.copies:>7}", f"/{text.clean(one.path)}") for one in wasted]
        self.query_one("#wasted-table", FactsTable).show(rows)

    @on(LayersView.LayerWanted)
    def _layer_wanted(self, event: LayersView.LayerWanted) -> None:
        view, known = self.query_one(LayersView), self._known.get(self._shown)
        if known is None:
            return
        if known.note:
            view.show_files(None, known.note)
        elif event.layer is None:
            view.show_files(None, "this instruction changed no file")
        elif not known.whole:
            view.show_files(None, "reading …")
        else:
            view.show_files(known.changes.tree(event.layer, whole=self._whole))

    @on(FileTreeView.Chosen, "#layer-tree")
    def _file_chosen(self, event: FileTreeView.Chosen) -> None:
        """Enter on a file shows it as the layer leaves it; a deleted one as the layer below has it."""
        layer = self.query_one(LayersView).chosen
        if layer is not None:
            shown = layer - 1 if event.entry.mark == "D" else layer
            self.workspace.guide.go("files", "image", self._shown, str(max(shown, 0)), event.entry.path)

    def action_whole(self) -> None:
        self._whole = not self._whole
        if known := self._known.get(self._shown):
            self._show_layers(known)

    @work(group="claims", exclusive=True)
    async def _find_claims(self, key: str) -> None:
        """Asks the registry of an image for what is attached to it."""
        table, row = self.query_one("#claim-table", FactsTable), self.feed.model.get(key)
        if row is None or not row.tags:
            if row:
                table.say("an image without a name has no registry")
            else:
                table.show([])
            return
        table.say("asking the registry …")
        await asyncio.sleep(_STAYS)
        try:
            claims = await self.session.client.images.attestations(row.tags[0], auth=await login_for(row.tags[0]))
        except TROUBLE as error:
            table.say(text.clean(str(error)), "warn")
            return
        rows = [
            (
                text.clean(claim.predicate_type or claim.media_type),
                text.clean(claim.source),
                ("yes", "good") if claim.signed else ("no", "faint"),
                text.clean(claim.digest),
            )
            for claim in claims
        ]
        if rows:
            table.show(rows)
        else:
            table.say("nobody has attached anything")

    def action_back(self) -> None:
        """From the files of a layer to the layers, then as everywhere."""
        if not (self.query_one(LayersView).back() and self._tab == "layers"):
            super().action_back()

    def action_tab(self, name: str) -> None:
        self.query_one("#image-tabs", TabbedContent).active = name
        self.call_after_refresh(self._focus_tab)

    def _focus_tab(self) -> None:
        pane = self.query_one("#image-tabs", TabbedContent).active_pane
        for widget in pane.query("FactsTable, InspectView") if pane else ():
            widget.focus()
            return

    @on(ObjectTable.RowSelected, "#rows")
    def _enter_details(self, event: ObjectTable.RowSelected) -> None:
        event.prevent_default()
        self._focus_tab()

    def _count(self, shown: int, total: int) -> str:
        """Beside the number of images: what no container uses, and what nothing names. Layers that others have too do not come back."""
        line = super()._count(shown, total)
        rows = list(self.feed.model.rows())
        unused = [row.size for row in rows if not self._used.get(row.id)]
        dangling = [row.size for row in rows if row.dangling]
        if unused:
            line += f" · {len(unused)} unused, at most {text.size(sum(unused), step=1000)}"
        if dangling:
            line += f" · {len(dangling)} dangling, at most {text.size(sum(dangling), step=1000)}"
        return line

    async def inspect(self, key: str) -> object:
        return await self.session.client.images.inspect(key)

    # Actions

    def action_files(self) -> None:
        if one := self.chosen:
            self.workspace.guide.go("files", "image", one.id)

    def action_run(self) -> None:
        if row := self.chosen:
            self.run_form(text.short_id(row.id) if row.dangling else row.name.split(",")[0].strip())

    def action_run_in_terminal(self) -> None:
        if one := self.chosen:
            self.workspace.guide.go("shells", "run", one.tags[0] if one.tags else one.id, hold_keys=True)

    def action_pull(self) -> None:
        self.pull_form([tag for image in self.feed.model.rows() for tag in image.tags])

    def action_push(self) -> None:
        if one := self.chosen:
            self.push_form(one)

    def action_load(self) -> None:
        self.load_form()

    def action_tag(self) -> None:
        if one := self.chosen:
            self.tag_form(one)

    def action_save(self) -> None:
        if one := self.chosen:
            self.save_form(one)

    def action_remove(self) -> None:
        users = sum(self._used.get(row.id, 0) for row in self.targets())
        consequence = "All its tags go. Layers that other images need stay; the rest must be pulled or built again."
        if users:
            consequence += f" Containers made of it: {users}. They stay; while one of them runs, the engine refuses to remove it."
        self.perform(
            "image.remove",
            self._remove,
            done="removed",
            question=Question(
                "Remove {the}{rows}?",
                consequence,
                sizes=self._sizes,
                verb="Remove by force" if users else "",
            ),
        )

    async def _remove(self, row: Image) -> None:
        """At once with all its tags, or not at all: by id, which needs force if there are several (dockerd 28.5)."""
        images = self.session.client.images
        several = len((await images.inspect(row.id)).repo_tags) > 1
        await images.remove(row.id, force=several or bool(self._used.get(row.id)))

    async def _sizes(self) -> Mapping[str, int]:
        """What each image has for itself; what it shares with others does not come back with it alone."""
        images = await self.session.client.images.list(shared_size=True)
        return {one.id: one.size - max(one.shared_size, 0) for one in images}
