"""The topology: who reaches whom and why not, the drawing at each width, and its page."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerSummary, EndpointSettings, Port, SummaryHostConfig, SummaryNetworkSettings
from moby_tui.schema.network import Ipam, IpamPool, Network
from moby_tui.schema.stats import NetworkStats, Stats
from moby_tui.schema.traffic import Exposure, Finding
from moby_tui.screens.session.containers import ContainerModel
from moby_tui.screens.topology.counters import Counters
from moby_tui.screens.topology.drawing import draw
from moby_tui.screens.topology.graph import Graph, build
from moby_tui.screens.topology.reach import describe_network, reach_of
from moby_tui.screens.widgets.facts_table import FactsTable
from moby_tui.screens.widgets.topology_view import TopologyView
from screens.conftest import Eventually, Open
from screens.fake_client import FakeEngine, summary

WIDTHS = (40, 60, 80, 140, 220)


def network(number: int, name: str, driver: str = "bridge", **more: Any) -> Network:
    ipam = Ipam(config=[IpamPool(subnet=f"10.{number}.0.0/16", gateway=f"10.{number}.0.1")] if driver == "bridge" else None)
    return Network(name=name, id=name * 8, driver=driver, ipam=ipam, **more)


def container(number: int, name: str, places: dict[str, str], **more: Any) -> ContainerSummary:
    settings = {net: EndpointSettings(ip_address=address) for net, address in places.items()}
    return summary(number, name, network_settings=SummaryNetworkSettings(networks=settings), **more)


def some_networks() -> list[Network]:
    return [
        network(0, "front"),
        network(1, "db", internal=True),
        network(2, "guest", options={"com.docker.network.bridge.enable_icc": "false"}),
        network(3, "none", "null"),
        network(4, "host", "host"),
    ]


def some_members() -> list[ContainerSummary]:
    world = [Port(private_port=80, public_port=8080, ip=ip) for ip in ("0.0.0.0", "::")]
    return [
        container(1, "web", {"front": "10.0.0.2"}, ports=[*world, Port(private_port=443, public_port=8443, ip="127.0.0.1")]),
        container(2, "api", {"front": "10.0.0.3", "db": "10.1.0.2"}),
        container(3, "database", {"db": "10.1.0.3"}),
        container(4, "guest1", {"guest": "10.2.0.2"}),
        container(5, "guest2", {"guest": "10.2.0.3"}, ports=[Port(private_port=9, public_port=9009, ip="127.0.0.1")]),
        summary(6, "node", host_config=SummaryHostConfig(network_mode="host")),
        container(7, "alone", {"none": ""}),
        container(8, "old", {"front": ""}, state="exited", status="Exited (0) 2 days ago"),
    ]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return build(some_networks(), some_members())


@pytest.mark.parametrize(
    ("source", "target", "reached", "said"),
    [
        ("web", "api", True, "both are in front"),
        ("api", "database", True, "both are in db"),
        ("web", "database", False, "database is in db alone"),
        ("database", "web", False, "db is internal"),
        ("guest1", "guest2", False, "icc=false"),
        ("guest1", "web", True, "published port"),
        ("web", "node", True, "gateway's address"),
        ("node", "database", True, "the host reaches each of its bridges"),
        ("alone", "web", False, "loopback alone"),
        ("web", "old", False, "old does not run"),
    ],
)
def test_reach(graph: Graph, source: str, target: str, reached: bool, said: str) -> None:
    ids = {graph.places(one)[0].name: one for one in graph.containers}
    found = graph.reach(ids[source], ids[target])
    assert found.reached is reached
    assert said in found.why


def test_a_port_on_the_hosts_loopback_opens_nothing(graph: Graph) -> None:
    ids = {graph.places(one)[0].name: one for one in graph.containers}
    assert not graph.reach(ids["web"], ids["guest2"]).reached
    assert [str(port) for port in graph.places(ids["web"])[0].published] == ["8080→80", "127.0.0.1:8443→443"]


def test_the_way_out_of_the_host(graph: Graph) -> None:
    ids = {graph.places(one)[0].name: one for one in graph.containers}
    assert reach_of(graph, ids["web"])[0][1].reached
    assert not reach_of(graph, ids["database"])[0][1].reached
    assert [reach.reached for _, reach in reach_of(graph, ids["old"])] == [False]
    assert dict(describe_network(graph.networks[1]))["containers"]


@pytest.mark.parametrize("width", WIDTHS)
def test_each_line_of_the_drawing_is_as_wide_as_the_drawing(width: int) -> None:
    members = [*some_members(), container(9, "数据库🐘" * 9, {"front": "10.0.0.9"}), container(10, "x" * 99, {"db": "10.1.0.9"})]
    drawing = draw(build(some_networks(), members), width)
    assert {sum(cell_len(said) for said, _ in line) for line in drawing.lines} == {drawing.width}
    assert drawing.width <= max(width, 40)
    places = {(one.network, one.container) for one in drawing.spots}
    assert len(places) == len(drawing.spots) == len(some_networks()) + len(members) + 1


def test_names_reach_the_drawing_clean() -> None:
    hostile = container(1, "a\x1b[31m\u202eb", {"n\x1b]0;x\x07": "10.0.0.2"})
    graph = build([network(0, "n\x1b]0;x\x07")], [hostile])
    drawn = "".join(said for line in draw(graph, 80).lines for said, _ in line)
    assert drawn.isprintable()
    assert "ab" in drawn


def test_podmans_networks_have_two_names_and_two_are_not_listed() -> None:
    """As podman 5.8 lists them."""
    default = container(1, "web", {"podman": "10.88.0.2", "back": "10.89.0.2"})
    default.network_settings.networks["podman"].network_id = "2f" * 32
    default.network_settings.networks["back"].network_id = "5e" * 32
    hosted = container(2, "node", {"host": ""})
    hosted.network_settings.networks["host"].network_id = "host"
    alone = container(3, "alone", {"none": ""})
    graph = build([Network(name="bridge", id="2f" * 32), Network(name="back", id="5e" * 32)], [default, hosted, alone])
    assert {net.name: [one.name for one in net.members] for net in graph.networks} == {
        "bridge": ["web"], "back": ["web"], "host": ["node"], "none": ["alone"],
    }  # fmt: skip
    assert [one.others for one in graph.places(default.id)] == [("back",), ("bridge",)]
    model = ContainerModel()
    model.reset([default], 0.0)
    (row,) = model.rows()
    assert row.is_in("bridge", "2f" * 32) and row.is_in("back", "5e" * 32) and not row.is_in("other", "1" * 64)


def test_nothing_and_very_much() -> None:
    assert draw(Graph(), 80).lines == ()
    many = [container(n % 256, f"c{n}", {"front": f"10.0.{n // 250}.{n % 250}"}) for n in range(500)]
    for n, one in enumerate(many):
        one.id = f"{n:064x}"
    assert len(draw(build(some_networks(), many), 140).lines) > 500


def test_counters_have_a_rate_from_the_second_look_on() -> None:
    counters = Counters()
    for second, count in ((1, 1000), (3, 5096)):
        networks = {"eth0": NetworkStats(rx_bytes=count, tx_bytes=count * 2)}
        counters.add(Stats(read=f"2026-09-21T10:00:0{second}.000000000Z", preread="", networks=networks))
        rows = counters.rows()
        assert rows[0][:3] == (("eth0", "1000B", "…") if second == 1 else ("eth0", "5.0K", "2.0K/s"))


async def test_the_page(open_dashboard: Open, eventually: Eventually) -> None:
    engine = FakeEngine(some_members())
    engine.networks.list = lambda **_: _later(some_networks())  # type: ignore[method-assign]
    found = [Finding(about="forwarding", message="off\x1b[31m", advice="sysctl -w net.ipv4.ip_forward=1")]
    engine.networks.examine = lambda: _later(found)  # type: ignore[attr-defined]
    open_port = Exposure(
        address="0.0.0.0",
        port=8080,
        protocol="tcp",
        container="web",
        container_id="1",
        container_port=80,
        network="front",
        reason="published",
    )
    engine.networks.exposure = lambda: _later([open_port])  # type: ignore[method-assign]
    async with open_dashboard(lambda: engine) as (app, pilot):
        await pilot.press("T")
        await eventually(pilot, lambda: app.screen.query(TopologyView) and app.screen.query_one(TopologyView).chosen)
        view, reach = app.screen.query_one(TopologyView), app.screen.query_one("#reach-facts", FactsTable)
        await pilot.press("down", "down")
        await eventually(pilot, lambda: "web" in str(app.screen.query_one("#detail").border_title))
        assert any("guest1" in str(row) for row in _rows(reach))
        await pilot.press("x")
        await eventually(pilot, lambda: "8080" in str(_rows(app.screen.query_one("#exposed-facts", FactsTable))))
        await pilot.press("d")
        doctor = app.screen.query_one("#doctor-facts", FactsTable)
        await eventually(pilot, lambda: "sysctl -w" in str(_rows(doctor)))
        assert "\x1b" not in str(_rows(doctor))

        # an engine that is not moby says so
        async def unknown() -> list[Exposure]:
            raise MobyError("network exposure needs moby at the other end: that engine does not know it")

        engine.networks.exposure = unknown  # type: ignore[method-assign]
        await pilot.press("x")
        await eventually(pilot, lambda: "needs moby" in str(_rows(app.screen.query_one("#exposed-facts", FactsTable))))
        # the name under the cursor stands out from its ground, in every theme
        for theme in ("moby-dark", "moby-light", "moby-contrast", "ansi-dark"):
            app.theme = theme
            await eventually(pilot, lambda theme=theme: view.app.current_theme.name == theme)
            await pilot.pause()
            inks = [one.style for one in view.render_line(view.chosen.y) if one.text.strip(" ─╭╮│") and one.style]
            assert inks and all(one.reverse or one.color != one.bgcolor for one in inks), theme
        app.go("topology", "database")
        await eventually(pilot, lambda: view.chosen and view.chosen.container == some_members()[2].id)


@pytest.mark.parametrize("size", [(80, 20), (60, 20), (140, 40)])
async def test_frames_are_whole_beside_a_scroll_bar(open_dashboard: Open, eventually: Eventually, size: tuple[int, int]) -> None:
    engine = FakeEngine(some_members())
    engine.networks.list = lambda **_: _later(some_networks())  # type: ignore[method-assign]
    async with open_dashboard(lambda: engine, size=size) as (app, pilot):
        await pilot.press("T")
        await eventually(pilot, lambda: app.screen.query(TopologyView) and app.screen.query_one(TopologyView).chosen)
        view = app.screen.query_one(TopologyView)
        await pilot.pause()
        assert view._drawing.width <= view.scrollable_content_region.width and not view.show_horizontal_scrollbar


def _rows(table: FactsTable) -> list[list[str]]:
    return [[str(cell) for cell in table.get_row_at(row)] for row in range(table.row_count)]


async def _later(value: Any) -> Any:
    return value
