"""The page of the topology: networks, the containers in them, published ports, and who reaches whom and why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import TabbedContent, TabPane

from moby_tui.schema.event import Event
from moby_tui.screens import text
from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.pages.actions.wiring import wiring_actions
from moby_tui.screens.pages.shared.wiring import WiringPage
from moby_tui.screens.pages.workspace import Workspace
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.session import TROUBLE, Connection
from moby_tui.screens.topology.counters import Counters
from moby_tui.screens.topology.graph import Graph, build
from moby_tui.screens.topology.reach import describe_network, reach_of
from moby_tui.screens.topology.wiring import LONELY
from moby_tui.screens.widgets.facts_table import Cell, FactsTable
from moby_tui.screens.widgets.topology_view import TopologyView

#: A burst of events is answered with one look; seconds.
GATHER = 0.3
#: The counters are asked for this often while they are seen; seconds.
COUNT_EVERY = 2.0
_FOLLOWS = frozenset(
    {"start", "die", "connect", "disconnect", "create", "destroy", "remove", "rename", "prune", "pause", "unpause", "update"}
)


class TopologyPage(WiringPage):
    """Above the drawing; below what there is to say of the network or container under the cursor, and of the host."""

    mode = "topology"
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            id="topology.reach", title="Reach", keys="r", call="tab('reach')", tooltip="Who is reached from here, and why not"
        ),
        Action(
            id="topology.exposed", title="Exposed", keys="x", call="tab('exposed')", tooltip="Ports that are open to the world"
        ),
        Action(
            id="topology.doctor",
            title="Doctor",
            keys="d",
            call="tab('doctor')",
            tooltip="What blocks or breaks traffic on this host",
        ),
        Action(
            id="topology.counters",
            title="Counters",
            keys="u",
            call="tab('counters')",
            tooltip="Bytes and packets of each interface",
        ),
        *wiring_actions("topology", connects=On.PAGE, footer=True),
        Action(
            id="topology.zoom", title="Zoom", keys="z", footer=False, tooltip="Give the whole page to the drawing, or to both"
        ),
        Action(id="topology.back", title="Back", keys="escape", footer=False, tooltip="Back to the drawing"),
    )

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._graph = Graph()
        self._pending: Timer | None = None
        self._counters = Counters()
        self._wanted: Sequence[str] = ()

    def content(self) -> Iterable[Widget]:
        yield Vertical(TopologyView(id="topology"), id="list")
        yield Detail(id="detail")

    def on_mount(self) -> None:
        self.session.event_received.subscribe(self, self._event)
        self.session.connection_changed.subscribe(self, self._connected)
        self.query_one("#list").border_title = "Topology"
        self.set_interval(COUNT_EVERY, self._count)
        self.query_one(TopologyView).focus()

    # What is shown

    def _connected(self, connection: Connection) -> None:
        if connection.up and self.is_current:
            self._look()

    def on_screen_resume(self) -> None:
        self._look()

    def _event(self, event: Event) -> None:
        if event.type in ("container", "network") and event.action in _FOLLOWS and self.is_current and self._pending is None:
            self._pending = self.set_timer(GATHER, self._look)

    def _look(self) -> None:
        self._pending = None
        self._fetch()

    @work(group="look", exclusive=True)
    async def _fetch(self) -> None:
        if not self.session.connection.up:
            return
        client = self.session.client
        try:
            self._graph = build(await client.networks.list(), await client.containers.list(all=True))
        except TROUBLE as error:
            self.query_one("#list").border_subtitle = Content(text.clean(str(error)))
            return
        view = self.query_one(TopologyView)
        view.show(self._graph)
        count = len(self._graph.containers)
        self.query_one("#list").border_subtitle = f"{_many(len(self._graph.networks), 'network')} · {_many(count, 'container')}"
        if self._wanted:
            self._go_to(self._wanted)
        self._examine()

    async def arrive(self, words: Sequence[str]) -> None:
        """The name of a network or of a container puts the cursor there."""
        self._wanted = words
        self._go_to(words)

    def _go_to(self, words: Sequence[str]) -> None:
        view = self.query_one(TopologyView)
        for net in self._graph.networks:
            if net.name == words[0] or net.id == words[0]:
                view.choose(net.id)
                self._wanted = ()
                return
        for container in self._graph.containers:
            place = self._graph.places(container)[0]
            if words[0] in (place.name, container):
                view.choose(place.network, container)
                self._wanted = ()
                return

    @on(TopologyView.Chosen)
    def _chosen(self) -> None:
        self._counters = Counters()
        self._tell()
        self._count()
        self.refresh_bindings()

    def _tell(self) -> None:
        """The panel of reach, for what is under the cursor."""
        spot = self.query_one(TopologyView).chosen
        widgets = self.query("#reach-facts")
        if spot is None or not widgets:
            return
        table = widgets.first(FactsTable)
        net = self._graph.network(spot.network)
        if spot.container:
            facts: list[list[Cell]] = [
                [("✓", "good") if reach.reached else ("✗", "bad"), name, reach.at, (reach.why, "" if reach.reached else "faint")]
                for name, reach in reach_of(self._graph, spot.container)
            ]
            self._head(f"reach of {self._graph.places(spot.container)[0].name}")
        else:
            facts = [["", title, "", fact] for title, fact in describe_network(net)] if net else []
            self._head(net.name if net else "")
        table.show(facts)

    def _head(self, title: str) -> None:
        self.query_one("#detail").border_title = Content(title)

    @on(TabbedContent.TabActivated)
    def _activated(self) -> None:
        self._tell()
        self._examine()
        self._count()

    @property
    def _active(self) -> str:
        return self.query_one(TabbedContent).active

    @work(group="examine", exclusive=True)
    async def _examine(self) -> None:
        """Asks the engine what is exposed, or what its doctor finds, whichever is seen."""
        if self._active not in ("exposed", "doctor") or not self.session.connection.up:
            return
        table = self.query_one(f"#{self._active}-facts", FactsTable)
        try:
            table.show(await (self._exposed() if self._active == "exposed" else self._findings()))
        except TROUBLE as error:
            table.say(text.clean(str(error)), "bad")

    async def _exposed(self) -> list[list[Cell]]:
        return [
            [
                text.clean(one.address),
                f"{one.port or 'any'}{'' if one.protocol in ('', 'tcp') else '/' + text.clean(one.protocol)}",
                text.clean(one.container),
                text.clean(f"{one.reason}: {one.explanation}" if one.explanation else one.reason),
            ]
            for one in await self.session.client.networks.exposure()
        ]

    async def _findings(self) -> list[list[Cell]]:
        return [
            [
                (text.clean(one.severity), "bad" if one.severity == "error" else "warn"),
                text.clean(one.about),
                text.clean(f"{one.message}; {one.advice}"),
            ]
            for one in await self.session.client.networks.examine()
        ]

    def _count(self) -> None:
        if self.is_current and self._active == "counters" and self.session.connection.up:
            self._sample()

    @work(group="count", exclusive=True)
    async def _sample(self) -> None:
        """Reads the counters of the container under the cursor once."""
        spot = self.query_one(TopologyView).chosen
        table = self.query_one("#counters-facts", FactsTable)
        places = self._graph.places(spot.container) if spot else ()
        if not places or not places[0].running:
            table.show([])
            return
        try:
            async for stats in self.session.client.containers.stats(places[0].container, stream=False, one_shot=True):
                self._counters.add(stats)
        except TROUBLE as error:
            table.say(text.clean(str(error)), "bad")
            return
        table.show(self._counters.rows())

    # Actions

    def targets(self) -> Sequence[Container]:
        """The container under the cursor."""
        views = self.query(TopologyView)
        spot = views.first().chosen if views else None
        one = self.session.model.get(spot.container) if spot and spot.container else None
        return [one] if one else []

    def action_connect(self) -> None:
        """The container under the cursor into another network; on a network, a container into it."""
        spot = self.query_one(TopologyView).chosen
        one = next(iter(self.targets()), None)
        if one and LONELY.intersection(one.in_networks):
            self.notify(f"{one.name} is in {one.networks}, which it shares with no other network", markup=False)
        elif one:
            self.connect_form(one)
        elif spot and not spot.container:
            self.connect_form(None, self._name_of(spot.network))

    def action_disconnect(self) -> None:
        spot = self.query_one(TopologyView).chosen
        for one in self.targets():
            self.disconnect_form(one, self._name_of(spot.network) if spot else "")

    def action_ports(self) -> None:
        for one in self.targets():
            self.ports_form(one)

    def _name_of(self, network: str) -> str:
        named = self._graph.network(network)
        return named.name if named else ""

    def action_tab(self, name: str) -> None:
        self.remove_class("-list-only")
        self.query_one(TabbedContent).active = name

    def action_zoom(self) -> None:
        self.toggle_class("-list-only")

    def action_back(self) -> None:
        self.remove_class("-list-only")
        self.query_one(TopologyView).focus()


_REACH = (("", 1), ("CONTAINER", 24), ("BY", 22), ("WHY", 0))
_EXPOSED = (("ADDRESS", 16), ("PORT", 9), ("CONTAINER", 20), ("WHY", 0))
_DOCTOR = (("", 7), ("ABOUT", 12), ("WHAT, AND WHAT TO DO", 0))
_COUNTERS = (("INTERFACE", 12), ("RECEIVED", 10), ("A SECOND", 10), ("SENT", 10), ("A SECOND", 10), ("LOST", 0))


class Detail(Vertical):
    """What there is to say, a tab for each kind."""

    def compose(self) -> ComposeResult:
        with TabbedContent():
            with TabPane("Reach", id="reach"):
                yield FactsTable(_REACH, empty="nothing else", id="reach-facts")
            with TabPane("Exposed", id="exposed"):
                yield FactsTable(_EXPOSED, empty="no port is open", id="exposed-facts")
            with TabPane("Doctor", id="doctor"):
                yield FactsTable(_DOCTOR, empty="nothing found", id="doctor-facts")
            with TabPane("Counters", id="counters"):
                yield FactsTable(_COUNTERS, empty="choose a container that runs", id="counters-facts")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
