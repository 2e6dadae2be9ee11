"""The page of the networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.form import Answers, Field
from moby_tui.screens.forms.network import FORM
from moby_tui.screens.listing.columns import Cells, Column
from moby_tui.screens.pages.page import Question
from moby_tui.screens.pages.resource import ResourcePage
from moby_tui.screens.pages.shared.pruning import PruningPage
from moby_tui.screens.session.networks import Network
from moby_tui.screens.session.resource_feed import ResourceFeed
from moby_tui.screens.upkeep.prune import PRUNES
from moby_tui.screens.widgets.object_table import ObjectTable


def _removable(one: Network) -> bool:
    return not one.built_in


class NetworksPage(ResourcePage[Network], PruningPage):
    mode = "networks"
    noun = "network"
    heading = "Networks"
    empty = "none yet · moby network create NAME"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="network.remove",
            title="Remove",
            keys="d,delete",
            key_display="d",
            tooltip="Remove the network, which no container may use (asks first)",
            on=On.ROWS,
            when=_removable,
            changes=True,
            destroys=True,
            command="moby network rm {names}",
        ),
        Action(
            id="network.new",
            title="New",
            keys="n",
            tooltip="Make a network (shows the command first)",
            changes=True,
            command="moby network create",
        ),
        Action(
            id="network.prune",
            title="Prune",
            keys="p",
            tooltip="Show which networks no container uses, then ask whether they go",
            changes=True,
            destroys=True,
            command="moby network prune",
        ),
        Action(
            id="network.topology",
            title="Topology",
            keys="t",
            tooltip="Show it drawn: who reaches whom, and what is open to the world",
            on=On.ROW,
        ),
    )
    #: The running containers in each network, by its id.
    _users: Mapping[str, str] = {}

    @property
    def feed(self) -> ResourceFeed[Any, Network]:
        return self.session.networks

    def columns(self) -> Sequence[Column[Network]]:
        return (
            Column("name", "NAME", 12, 50, lambda one: one.name),
            Column("id", "ID", 12, 12, lambda one: one.id, rank=4),
            Column("driver", "DRIVER", 8, 16, lambda one: one.driver, rank=2),
            Column("subnets", "SUBNET", 16, 44, lambda one: one.subnets, rank=1),
            Column("users", "CONTAINERS", 12, 60, lambda one: self._users.get(one.id, ""), rank=3),
        )

    def gather(self) -> None:
        running = [one for one in self.session.model.rows() if one.running]
        self._users = {
            network.id: ", ".join(sorted(one.name for one in running if one.is_in(network.name, network.id)))
            for network in self.feed.model.rows()
        }

    def cells(self, table: ObjectTable[Network], row: Network) -> Cells:
        name = table.cell(row.name)
        name.stylize("bold")
        return {
            "name": name,
            "id": table.cell(text.short_id(row.id), "text-muted"),
            "driver": table.cell(row.driver, "text-muted"),
            "subnets": table.cell(row.subnets),
            "users": table.cell(self._users.get(row.id, ""), "accent"),
        }

    async def inspect(self, key: str) -> object:
        return await self.session.client.networks.inspect(key)

    def action_new(self) -> None:
        fields = (
            Field("name", "Name"),
            Field("driver", "Driver", "bridge", "bridge", ("bridge", "macvlan", "ipvlan")),
            Field("subnet", "Subnet", hint="10.5.0.0/24; the engine chooses one"),
            Field("gateway", "Gateway", hint="10.5.0.1; the first address of the subnet"),
            Field("internal", "Internal: reaches nothing outside of it", switch=True),
        )

        def answered(answers: Answers | None) -> None:
            if answers:
                request = FORM.request(answers)
                done = f"{text.clean(request.name)} is there"
                self.attempt("Create", lambda: self.session.client.networks.create(request), done, command=FORM.line(answers))

        self.app.push_screen(
            Ask("Make a network", "Containers in it find each other by name.", fields, "Create", FORM.check, FORM.line),
            answered,
        )

    def action_prune(self) -> None:
        self.preview_prune(next(one for one in PRUNES if one.kind == "networks"))

    def action_topology(self) -> None:
        for row in self.targets():
            self.workspace.guide.go("topology", row.name)

    def action_remove(self) -> None:
        self.perform(
            "network.remove",
            lambda row: self.session.client.networks.remove(row.id),
            done="removed",
            question=Question(
                "Remove {the}{rows}?",
                "The engine refuses while a container uses it.",
            ),
        )
