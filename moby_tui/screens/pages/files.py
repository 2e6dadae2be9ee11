"""The page of the files of a container, an image or a volume: a tree, and the content of the file under the cursor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.content import Content as Styled
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from moby_tui.copying.reading import read_file
from moby_tui.errors import InvalidArgument
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.files.content import Content
from moby_tui.screens.files.editing import resolved
from moby_tui.screens.files.entry import DELETED, Entry
from moby_tui.screens.files.source import Place
from moby_tui.screens.files.tree import FileTree
from moby_tui.screens.pages.shared.file_changes import FileChangesPage
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.widgets.files.tree import FileTreeView
from moby_tui.screens.widgets.files.view import FileView
from moby_tui.screens.widgets.filter_bar import FilterBar

#: A file that is not larger is shown as soon as the cursor stays on it; seconds that it must stay.
_PREVIEWED, _STAYS = 1 << 18, 0.15
_NONE = "No files are open.\n\nOn the containers (1), images (2) or volumes (3) press f, or type :files NAME."


def _is_there(entry: Entry) -> bool:
    return entry.mark != DELETED and entry.reachable


def _is_file(entry: Entry) -> bool:
    return _is_there(entry) and entry.kind in ("file", "link")


class FilesPage(FileChangesPage):
    """The keys act on the file under the cursor."""

    mode = "files"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(id="file.view", title="View", keys="v", tooltip="Show the content of the file", on=On.ROW, when=_is_file),
        Action(
            id="file.edit",
            title="Edit",
            keys="e",
            tooltip="Edit the file with $VISUAL or $EDITOR, and put it back",
            on=On.ROW,
            when=_is_file,
            changes=True,
        ),
        Action(
            id="file.copy_out",
            title="Copy out",
            keys="o",
            tooltip="Copy the file or folder to this machine",
            on=On.ROW,
            when=_is_there,
            command="moby cp CONTAINER:{names} .",
        ),
        Action(
            id="file.copy_in",
            title="Copy in",
            keys="i",
            tooltip="Copy a file or folder of this machine into the folder under the cursor",
            command="moby cp FILE CONTAINER:FOLDER",
            changes=True,
        ),
        Action(
            id="file.delete",
            title="Delete",
            keys="d,delete",
            key_display="d",
            tooltip="Delete the file or folder of a volume (asks first)",
            on=On.ROW,
            when=_is_there,
            destroys=True,
            changes=True,
        ),
        Action(id="file.hexadecimal", title="Hex", keys="x", tooltip="Show the content as bytes, or as text"),
        Action(
            id="file.changed", title="Changes", keys="c", tooltip="Show only what the container has added, changed or deleted"
        ),
        Action(id="file.sort", title="Sort", keys="s", tooltip="Sort by name, size or time"),
        Action(
            id="file.filter",
            title="Find",
            keys="slash",
            key_display="/",
            tooltip="In the tree: words in the paths that were read; in the content: words to search for",
        ),
        Action(id="file.reload", title="Reload", keys="r", footer=False, tooltip="Read all again"),
        Action(id="file.zoom", title="Zoom", keys="z", footer=False, tooltip="Give the whole page to one part, or to both"),
        Action(
            id="file.back", title="Back", keys="escape", footer=False, tooltip="Back to the tree; there, to where one came from"
        ),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._place: Place | None = None
        self._came_from = "containers"
        self._pending: Timer | None = None
        #: What the right part shows.
        self._viewed: Entry | None = None

    def content(self) -> Iterable[Widget]:
        yield Static(_NONE, id="no-files")
        yield Horizontal(
            Vertical(FileTreeView(id="file-tree"), id="file-list"),
            Vertical(FileView(id="file-view"), id="file-content"),
            id="files",
        )
        yield FilterBar("find", "words", id="file-filter")

    @property
    def _view(self) -> FileTreeView:
        return self.query_one("#file-tree", FileTreeView)

    @property
    def _content(self) -> FileView:
        return self.query_one("#file-view", FileView)

    def targets(self) -> Sequence[Entry]:
        chosen = self._view.tree_model.chosen if self.is_mounted and self._place else None
        return [chosen] if chosen else []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What the place cannot do is not offered."""
        place = self._place
        if action == "delete" and (place is None or not place.deletes):
            return False
        if action in ("edit", "copy_in") and (place is None or not place.writable):
            return False
        if action == "changed" and (place is None or place.kind != "container"):
            return False
        return super().check_action(action, parameters)

    # Arriving

    async def arrive(self, words: Sequence[str]) -> None:
        """``container NAME``, ``image NAME [LAYER]``, ``volume NAME``, or a name alone; a path at the end is opened."""
        kinds = ("container", "image", "volume")
        kind, rest = (words[0], words[1:]) if words[0] in kinds and len(words) > 1 else ("", words)
        name, *more = rest
        path = more.pop() if more and more[-1].startswith("/") else ""
        try:
            place = await self._find(kind, name, int(more[0]) if more and more[0].isdigit() else None)
        except TROUBLE as error:
            self.notify(text.clean(str(error)), title="No files", severity="error", markup=False)
            return
        self._came_from = f"{place.kind}s"
        self._turn_to(place, path)

    async def _find(self, kind: str, name: str, layer: int | None) -> Place:
        """The place that a name means. Raises ``MobyError``."""
        client = self.session.client
        containers = self.session.model.sorted()
        one = next((one for one in containers if name in (one.id, one.name)), None)
        if kind in ("", "container") and one:
            return Place(self.session, "container", one.id, one.name)
        if kind == "" and any(volume.name == name for volume in await client.volumes.list()):
            kind = "volume"
        if kind == "volume":
            return Place(self.session, "volume", (await client.volumes.inspect(name)).name, text.clean(name))
        if kind == "container":
            raise InvalidArgument(f"there is no container {name}; look at the containers (1)")
        image = await client.images.inspect(name)
        tags = [tag for tag in image.repo_tags or () if not tag.startswith("<none>")]
        return Place(self.session, "image", image.id, text.clean(tags[0] if tags else text.short_id(image.id)), layer)

    def _turn_to(self, place: Place, path: str = "") -> None:
        self._place = place
        self._viewed = None
        self.add_class("-opened")
        tree = FileTree()
        if path:
            tree.open(os.path.dirname(path))
            tree.cursor = path
        tree.note("/", "reading")
        self._view.show(tree)
        self._content.say("")
        self._tell()
        self._view.focus()
        self._read("/")

    def _tell(self) -> None:
        place = self._place
        if place is None:
            return
        layer = f" up to layer {place.layer}" if place.layer is not None else ""
        self.query_one("#file-list").border_title = Styled(f"{place.kind} {place.title}{layer}")
        rows = len(self._view.tree_model.rows())
        self.query_one("#file-list").border_subtitle = Styled(f"{place.note} · {rows}" if place.note else f"{rows}")
        self.query_one("#file-content").border_title = Styled(self._viewed.name if self._viewed else "")
        self.query_one("#file-content").border_subtitle = Styled(self._content.about)

    # The tree

    @on(FileTreeView.FolderWanted)
    def _folder_wanted(self, event: FileTreeView.FolderWanted) -> None:
        self._read(event.path)

    @work(group="folders")
    async def _read(self, folder: str) -> None:
        """Reads a folder and those in it that are open."""
        place, tree = self._place, self._view.tree_model
        if place is None:
            return
        wanted = [folder]
        while wanted:
            for path in wanted:
                try:
                    tree.put(path, await place.entries(path))
                except TROUBLE as error:
                    tree.note(path, text.clean(str(error)))
            wanted = tree.unread
        if tree is self._view.tree_model:
            self._view.show()
            self._tell()
            self.refresh_bindings()

    @on(FileTreeView.Highlighted)
    def _highlighted(self, event: FileTreeView.Highlighted) -> None:
        self.refresh_bindings()
        if self._pending:
            self._pending.stop()
        if event.entry is not None:
            self._pending = self.set_timer(_STAYS, self._preview)

    def _preview(self) -> None:
        """Shows a small file, once the cursor stays on it."""
        self._pending = None
        chosen = self._view.tree_model.chosen
        if chosen is None or not self.is_current or chosen == self._viewed:
            return
        if not _is_file(chosen) or chosen.kind == "link":
            self._viewed = chosen
            self._content.say(_about(chosen))
            self._tell()
        elif chosen.size > _PREVIEWED:
            self._viewed = chosen
            self._content.say(f"{text.size(chosen.size)} · v or enter shows it")
            self._tell()
        else:
            self._fetch(chosen)

    @on(FileTreeView.Chosen)
    def _chosen(self, event: FileTreeView.Chosen) -> None:
        self.action_view()

    # The content

    def action_view(self) -> None:
        chosen = self._view.tree_model.chosen
        if chosen is not None and _is_file(chosen):
            if chosen != self._viewed or self._content.content is None:
                self._fetch(chosen)
            self._content.focus()

    @work(group="content", exclusive=True)
    async def _fetch(self, entry: Entry) -> None:
        place = self._place
        if place is None:
            return
        self._viewed = entry
        content = Content()
        try:
            path, _ = await resolved(place, entry.path) if entry.kind == "link" else (entry.path, None)
            _, chunks = await place.archive_get(place.ref, path)
            self._content.show(content)
            telling = self.set_interval(0.25, self._tell_more)
            try:
                await read_file(chunks, content.append)
            finally:
                telling.stop()
            content.finish()
            self._content.show(content)
        except TROUBLE as error:
            self._content.say(text.clean(str(error)))
        except asyncio.CancelledError:
            content.cut = True
            raise
        self._tell()

    def _tell_more(self) -> None:
        """Shows what has come of a large file until now."""
        if self._content.content is not None:
            self._content.show(self._content.content)
            self._tell()

    def action_hexadecimal(self) -> None:
        self._content.turn()
        self._tell()

    # Copies, changes and deletions

    def action_copy_out(self) -> None:
        entry, place = self._view.tree_model.chosen, self._place
        if entry and place:
            self.copy_out_form(place, entry)

    def action_copy_in(self) -> None:
        """Into the folder under the cursor, or that of the file under it."""
        entry, place = self._view.tree_model.chosen, self._place
        if place:
            self.copy_in_form(place, "/" if entry is None else entry.path if entry.is_folder else os.path.dirname(entry.path))

    def action_delete(self) -> None:
        entry, place = self._view.tree_model.chosen, self._place
        if entry and place:
            self.confirm_deletion(place, entry)

    def action_edit(self) -> None:
        entry, place = self._view.tree_model.chosen, self._place
        if entry and place:
            self.edit(place, entry)

    # The rest

    def action_changed(self) -> None:
        tree = self._view.tree_model
        tree.show_changed(not tree.changed_only)
        self._view.show()
        self._tell()
        if tree.changed_only:
            self._open_changed()

    @work(group="folders", exclusive=True)
    async def _open_changed(self) -> None:
        """Opens the folders that have changes in them."""
        place, tree = self._place, self._view.tree_model
        if place is None:
            return
        for folder in place.changed_folders():
            tree.open(folder)
        self._read("/")

    def action_sort(self) -> None:
        self._view.tree_model.sort()
        self._view.show()

    def action_reload(self) -> None:
        self.reload()

    def reload(self, *, content: bool = False) -> None:
        if content:
            self._viewed = None
        if self._place is not None:
            self._place.forget()
            self._view.tree_model.forget()
            self._read("/")

    def action_filter(self) -> None:
        self._content.set_class(self._content.has_focus, "-searched")
        self._content.begin_search()
        self.query_one(FilterBar).open()

    @on(FilterBar.Changed, "#file-filter")
    def _filtered(self, event: FilterBar.Changed) -> None:
        if self._searches_content:
            is_there = self._content.search(event.value) if event.value else True
            self.query_one(FilterBar).count("" if is_there else "not found")
            return
        self._view.tree_model.filter(event.value)
        self._view.show()
        self.query_one(FilterBar).count(str(len(self._view.tree_model.rows())))

    @property
    def _searches_content(self) -> bool:
        return self.has_class("-content-only") or self._content.has_class("-searched")

    @on(FilterBar.Left, "#file-filter")
    def _filter_left(self) -> None:
        if self._content.has_class("-searched"):
            self._content.remove_class("-searched")
            self._content.focus()
        else:
            self._view.focus()

    def action_zoom(self) -> None:
        """Both parts, the content alone, the tree alone."""
        states = ("", "-content-only", "-tree-only")
        now = next((state for state in states[1:] if self.has_class(state)), "")
        self.remove_class(*states[1:])
        if following := states[(states.index(now) + 1) % 3]:
            self.add_class(following)

    def action_back(self) -> None:
        if self._content.has_focus:
            self.remove_class("-content-only")
            self._view.focus()
        elif self.query_one(FilterBar).filled:
            self.query_one(FilterBar).drop()
        else:
            self.workspace.guide.go(self._came_from)


def _about(entry: Entry) -> str:
    """A line on what has no content to show."""
    if entry.mark == DELETED:
        return "the container has deleted it; the image still has it"
    if not entry.reachable:
        return "its name is no UTF-8: it cannot be asked for over the network"
    if entry.kind == "link":
        return f"a link to {entry.target} · v or enter shows what is there"
    return "" if entry.is_folder else f"a {entry.kind}"
