"""The page of the volumes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from textual import work

from moby_tui.copying import copy
from moby_tui.copying.whole import chunks_of, write_whole
from moby_tui.schema.volume import VolumeUsage
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.form import Answers, Field
from moby_tui.screens.dialogs.picker import Picker
from moby_tui.screens.files.source import Place
from moby_tui.screens.forms.volume import FORM
from moby_tui.screens.listing.columns import Cells, Column
from moby_tui.screens.pages.page import Question
from moby_tui.screens.pages.resource import ResourcePage
from moby_tui.screens.pages.shared.pruning import PruningPage, disk_size
from moby_tui.screens.session.resource_feed import ResourceFeed
from moby_tui.screens.session.session import TROUBLE
from moby_tui.screens.session.volumes import Volume
from moby_tui.screens.upkeep.prune import PRUNES
from moby_tui.screens.widgets.object_table import ObjectTable


class VolumesPage(ResourcePage[Volume], PruningPage):
    mode = "volumes"
    noun = "volume"
    heading = "Volumes"
    empty = "none yet · moby volume create NAME"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="volume.remove",
            title="Remove",
            keys="d,delete",
            key_display="d",
            tooltip="Remove the volume and its data (asks first)",
            on=On.ROWS,
            changes=True,
            destroys=True,
            typed=True,
            command="moby volume rm {names}",
        ),
        Action(
            id="volume.files",
            title="Files",
            keys="f",
            tooltip="Show the files of the volume",
            on=On.ROW,
        ),
        Action(
            id="volume.new",
            title="New",
            keys="n",
            tooltip="Make a volume (shows the command first)",
            changes=True,
            command="moby volume create",
        ),
        Action(
            id="volume.clone",
            title="Clone",
            keys="C",
            tooltip="Make a new volume with the content and labels of this one",
            on=On.ROW,
            changes=True,
            ours=True,
            command="moby volume clone {names}",
        ),
        Action(
            id="volume.rename",
            title="Rename",
            keys="R",
            tooltip="Give it another name; no container may use it",
            on=On.ROW,
            changes=True,
            ours=True,
            command="moby volume rename {names}",
        ),
        Action(
            id="volume.export",
            title="Export",
            keys="w",
            tooltip="Write all that is in it to a tar archive of this machine",
            on=On.ROW,
            ours=True,
            command="moby volume export {names}",
        ),
        Action(
            id="volume.import",
            title="Import",
            keys="L",
            call="import_archive",
            tooltip="Unpack a tar archive of this machine into it; what it has of the same names is replaced",
            on=On.ROW,
            changes=True,
            ours=True,
            command="moby volume import {names}",
        ),
        Action(
            id="volume.copy_out",
            title="Copy out",
            keys="o",
            tooltip="Copy a file or folder of the volume to this machine",
            on=On.ROW,
            ours=True,
            footer=False,
        ),
        Action(
            id="volume.copy_in",
            title="Copy in",
            keys="i",
            tooltip="Copy a file or folder of this machine into the volume",
            on=On.ROW,
            changes=True,
            ours=True,
            footer=False,
        ),
        Action(
            id="volume.users",
            title="Used by",
            keys="u",
            tooltip="List the containers that use it, and go to one",
            on=On.ROW,
        ),
        Action(
            id="volume.prune",
            title="Prune",
            keys="p",
            tooltip="Show which unused volumes would go and how many bytes come back, then ask",
            changes=True,
            destroys=True,
            command="moby volume prune",
        ),
        Action(
            id="volume.sizes",
            title="Sizes",
            keys="b",
            tooltip="Count again how many bytes each volume takes",
            footer=False,
        ),
    )
    #: The containers that use each volume, by its name.
    _users: Mapping[str, str] = {}
    #: The bytes in each volume, by its name; None before they were counted.
    _counted: Mapping[str, int] | None = None

    @property
    def feed(self) -> ResourceFeed[Any, Volume]:
        return self.session.volumes

    def columns(self) -> Sequence[Column[Volume]]:
        return (
            Column("name", "NAME", 16, 70, lambda one: one.name),
            Column("driver", "DRIVER", 8, 20, lambda one: one.driver, rank=2),
            Column("size", "SIZE", 8, 8, lambda one: self._size_of(one.id), number=True, rank=2),
            Column("created", "CREATED", 19, 19, lambda one: one.created, rank=3),
            Column("users", "USED BY", 10, 60, lambda one: self._users.get(one.id, ""), rank=1),
        )

    def gather(self) -> None:
        users: dict[str, list[str]] = {}
        for container in self.session.model.rows():
            for name in container.volumes:
                users.setdefault(name, []).append(container.name)
        self._users = {name: ", ".join(sorted(names)) for name, names in users.items()}

    def cells(self, table: ObjectTable[Volume], row: Volume) -> Cells:
        name = table.cell(row.name)
        name.stylize("bold")
        return {
            "name": name,
            "driver": table.cell(row.driver, "text-muted"),
            "size": table.cell(_size(self._size_of(row.id)), "text-muted"),
            "created": table.cell(row.created, "text-muted"),
            "users": table.cell(self._users.get(row.id, ""), "accent"),
        }

    async def inspect(self, key: str) -> object:
        return await self.session.client.volumes.inspect(key)

    # Sizes

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self._counted is None:
            self._count_sizes()

    @work(group="sizes", exclusive=True)
    async def _count_sizes(self) -> None:
        """Fills the column; to count takes the engine time, so it is done at the first visit, and by the key."""
        try:
            self._counted = await self._sizes()
        except TROUBLE as error:
            self.log.debug(f"no sizes of volumes: {error}")
            return
        self.draw()

    def _size_of(self, name: str) -> int:
        """-1 while it is not known."""
        return (self._counted or {}).get(name, -1)

    async def _sizes(self) -> Mapping[str, int]:
        usage = await self.session.client.system.disk_usage()
        return {one.name: one.usage_data.size for one in usage.volumes if isinstance(one.usage_data, VolumeUsage)}

    def action_sizes(self) -> None:
        self._count_sizes()

    def pruned(self) -> None:
        self._count_sizes()

    # What is done with one

    def action_files(self) -> None:
        if one := self.chosen:
            self.workspace.guide.go("files", "volume", one.id)

    def action_users(self) -> None:
        """Lists who uses it; the one that is picked is gone to."""
        one = self.chosen
        if one is None:
            return
        rows = [row for row in self.session.model.sorted() if one.id in row.volumes]
        if not rows:
            self.notify(f"no container uses {one.name}", timeout=3, markup=False)
            return

        def picked(identifier: str | None) -> None:
            if identifier:
                self.workspace.guide.go("containers", identifier)

        options = [(row.id, f"{row.name}  {row.describe_state()}  {row.image}") for row in rows]
        self.app.push_screen(Picker(f"Containers that use {one.name}", options), picked)

    def action_new(self) -> None:
        fields = (
            Field("name", "Name", hint="the engine makes one"),
            Field("driver", "Driver", "local", "local"),
            Field("options", "Options", hint="size=10g, or type=nfs o=addr=10.0.0.9 device=:/data"),
            Field("labels", "Labels", hint="KEY=value 'WORDS=two words'"),
        )

        def answered(answers: Answers | None) -> None:
            if answers:
                request = FORM.request(answers)
                done = f"{text.clean(request.name) or 'a volume'} is there"
                self.attempt("Create", lambda: self.session.client.volumes.create(request), done, command=FORM.line(answers))

        self.app.push_screen(
            Ask("Make a volume", "It is empty until a container uses it.", fields, "Create", FORM.check, FORM.line), answered
        )

    def action_clone(self) -> None:
        def clone(one: Volume, name: str) -> Awaitable[object]:
            return self.session.client.volumes.clone(one.id, name)

        self._ask_name("Clone", "All that is in it is copied; its labels too.", "{0}-copy", "is a copy of {0}", clone)

    def action_rename(self) -> None:
        def rename(one: Volume, name: str) -> Awaitable[object]:
            return self.session.client.volumes.rename(one.id, name)

        self._ask_name("Rename", "The engine refuses while a container uses it.", "{0}", "was {0} before", rename)

    def _ask_name(
        self, verb: str, about: str, offered: str, done: str, action: Callable[[Volume, str], Awaitable[object]]
    ) -> None:
        """Asks for a name, and does it with the volume under the cursor. ``{0}`` stands for the volume's name."""
        one = self.chosen
        if one is None:
            return

        def line(answers: Answers) -> str:
            return shlex.join(["moby", "volume", verb.lower(), one.name, answers["name"] or "NAME"])

        def answered(answers: Answers | None) -> None:
            if answers:
                self._carry(
                    verb,
                    lambda: action(one, answers["name"]),
                    f"{text.clean(answers['name'])} {done.format(one.name)}",
                    line(answers),
                )

        def check(answers: Answers) -> str:
            return "give it another name" if answers["name"] in ("", one.id) else ""

        fields = (Field("name", "Name", offered.format(one.name)),)
        self.app.push_screen(Ask(f"{verb} {one.name}", about, fields, verb, check, line), answered)

    def action_export(self) -> None:
        one = self.chosen
        if one is None:
            return

        async def export(path: str) -> None:
            _, chunks = await self.session.client.volumes.archive_get(one.id, "/.")
            await write_whole(chunks, path)

        def line(path: str) -> str:
            return shlex.join(["moby", "volume", "export", "-o", path, one.name])

        target = os.path.join(os.getcwd(), f"{one.name}.tar")
        about = "An uncompressed tar with owners, modes and times. It appears when it is whole."
        self._ask_path(f"Export {one.name}", about, "To", target, export, f"{one.name} written", line)

    def action_import_archive(self) -> None:
        one = self.chosen
        if one is None:
            return

        async def load(path: str) -> None:
            await self.session.client.volumes.archive_put(one.id, "/", chunks_of(path))

        def line(path: str) -> str:
            return shlex.join(["moby", "volume", "import", one.name, path])

        about = "A tar, plain or compressed. What the volume has of the same names is replaced; all else stays."
        self._ask_path(f"Import into {one.name}", about, "From", os.getcwd() + "/", load, f"{one.name} is filled", line)

    def _ask_path(
        self,
        title: str,
        about: str,
        label: str,
        offered: str,
        action: Callable[[str], Awaitable[object]],
        done: str,
        line: Callable[[str], str],
    ) -> None:
        """Asks for a path of this machine, and does it with that."""

        def path(answers: Answers) -> str:
            return os.path.expanduser(answers["path"])

        def answered(answers: Answers | None) -> None:
            if answers:
                self._carry(title.partition(" ")[0], lambda: action(path(answers)), done, line(path(answers)))

        fields = (Field("path", label, offered),)
        verb = title.partition(" ")[0]
        self.app.push_screen(
            Ask(
                title,
                about,
                fields,
                verb,
                lambda answers: "" if answers["path"] else "name a path",
                lambda said: line(path(said)),
            ),
            answered,
        )

    def action_copy_out(self) -> None:
        self._ask_copy(out=True)

    def action_copy_in(self) -> None:
        self._ask_copy(out=False)

    def _ask_copy(self, *, out: bool) -> None:
        """Asks for the path in the volume and the one of this machine, and copies between them."""
        one = self.chosen
        if one is None:
            return
        place = Place(self.session, "volume", one.id, one.name)
        inside = Field("inside", "Path in the volume", "/")
        local = Field("local", "Path of this machine", os.getcwd() + "/")

        def line(answers: Answers) -> str:
            return place.copy_line(answers["inside"] or "/", os.path.expanduser(answers["local"]), out=out)

        def answered(answers: Answers | None) -> None:
            if answers:
                path, here = answers["inside"] or "/", os.path.expanduser(answers["local"])
                if out:
                    action = lambda: copy.copy_out(place, one.id, path, here, follow=False, owners=False)  # noqa: E731
                else:
                    action = lambda: copy.copy_in(place, here, one.id, path, follow=False, owners=False)  # noqa: E731
                source, target = (path, here) if out else (here, path)
                verb = "Copy out" if out else "Copy in"
                self._carry(verb, action, f"{text.clean(source)} copied to {text.clean(target)}", line(answers))

        check = lambda answers: "" if answers["local"] else "name a path"  # noqa: E731
        title = f"Copy out of {one.name}" if out else f"Copy into {one.name}"
        about = "All of it will belong to you." if out else "It belongs to root there."
        fields = (inside, local) if out else (local, inside)
        self.app.push_screen(Ask(title, about, fields, "Copy", check, line), answered)

    def _carry(self, verb: str, action: Callable[[], Awaitable[object]], done: str, command: str) -> None:
        """As ``attempt``; what is in volumes has changed then."""

        async def carry() -> None:
            await action()
            self._count_sizes()

        self.attempt(verb, carry, done, command=command)

    # What goes

    def action_prune(self) -> None:
        prunes = {one.id: one for one in PRUNES if one.kind == "volumes"}

        def picked(chosen: str | None) -> None:
            if chosen:
                self.preview_prune(prunes[chosen])

        options = [(one.id, f"{one.title}  ({one.command})") for one in prunes.values()]
        self.app.push_screen(Picker("Prune", options), picked)

    def action_remove(self) -> None:
        self.perform(
            "volume.remove",
            lambda row: self.session.client.volumes.remove(row.id),
            done="removed",
            question=Question(
                "Remove {the}{rows}?",
                "The data in it is lost for good.",
                sizes=self._sizes,
            ),
        )


def _size(count: int) -> str:
    return disk_size(count) if count >= 0 else ""
