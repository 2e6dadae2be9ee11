"""Networks and ports of a container changed from the dashboard: the forms, the commands that they show, the real engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import Input, Static

from moby_tui.cli.commands.containers.reading import read_run
from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.network import NetworkCreate
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.session.activity import Outcome
from moby_tui.screens.topology import wiring
from moby_tui.screens.widgets.object_table import ObjectTable
from moby_tui.screens.widgets.topology_view import TopologyView
from screens.fake_client import FakeEngine
from screens.typing_keys import typed


def test_a_place_in_a_network_and_its_command() -> None:
    written = {"network": "back", "container": "web", "aliases": "db  'x", "ipv4": "10.5.0.9", "ipv6": "FD00::9"}
    asked = wiring.endpoint(written)
    assert asked.aliases == ["db", "'x"] and asked.ipam_config and asked.ipam_config.ipv6_address == "fd00::9"
    line = "moby network connect --alias db --alias ''\"'\"'x' --ip 10.5.0.9 --ip6 FD00::9 back web"
    assert wiring.connect_line(written) == line
    assert wiring.endpoint({"ipv4": ""}).ipam_config is None
    for wrong, said in (
        ({"ipv4": "10.5.0"}, "no IPv4 address"),
        ({"ipv6": "10.5.0.9"}, "no IPv6 address"),
        ({"network": ""}, "name a network"),
        ({"container": ""}, "name a container"),
    ):
        assert said in wiring.check_connection(written | wrong)
    assert wiring.check_connection(written) == ""
    assert wiring.disconnect_line("back", "web", force=True) == "moby network disconnect --force back web"


def test_changes_of_ports_are_read_as_by_the_command_line() -> None:
    assert wiring.published("8080→80 53→53/udp 8080→80") == ("8080", "53/udp")
    changes = wiring.port_changes({"publish": "127.0.0.1:8443:443 53:53/udp", "withdraw": "8080"}, read_run)
    assert list(changes.publish) == ["443/tcp", "53/udp"] and changes.withdraw == ["8080"]
    assert wiring.ports_line({"publish": "8443:443", "withdraw": "8080 53/udp"}, "web") == (
        "moby update --publish-add 8443:443 --publish-rm 8080 --publish-rm 53/udp web"
    )
    for publish, withdraw in (("", ""), ("99999:1", ""), ("--privileged", ""), ("", "80/icmp"), ("", "-1")):
        with pytest.raises((MobyError, ValueError)):
            wiring.port_changes({"publish": publish, "withdraw": withdraw}, read_run)


async def test_the_forms_show_the_command_and_other_engines_grey_the_ports(
    open_dashboard: Callable[..., Any], eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    engine.platform = "Docker Engine - Community"
    async with open_dashboard(lambda: engine) as (app, pilot):
        await typed(app, pilot, "c")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one("#field-network", Input).value = "back"
        app.screen.query_one("#field-aliases", Input).value = "pg"
        line = app.screen.query_one("#ask-line", Static)
        await eventually(pilot, lambda: str(line.render()) == "moby network connect --alias pg back database")
        app.screen.query_one("#field-ipv4", Input).value = "nonsense"
        await typed(app, pilot, "enter")
        assert "no IPv4 address" in str(app.screen.query_one("#ask-wrong", Static).render())
        app.screen.query_one("#field-ipv4", Input).value = ""
        await typed(app, pilot, "enter")
        await eventually(pilot, lambda: engine.calls)
        assert engine.calls[0][:2] == ("connect", "back") and engine.calls[0][2]["config"].aliases == ["pg"]
        await eventually(pilot, lambda: next(iter(app.session.activity)).outcome is Outcome.DONE)
        assert next(iter(app.session.activity)).command.startswith("moby network connect")

        told: list[str] = []
        monkeypatch.setattr(app.screen, "notify", lambda message, **_: told.append(message))
        assert app.screen.check_action("ports", ()) is None
        await typed(app, pilot, "P")
        await typed(app, pilot, "3")
        await eventually(pilot, lambda: app.current_mode == "volumes" and app.screen.query_one(ObjectTable).row_count == 2)
        greyed = {action.id for action in app.screen.actions() if app.screen.check_action(action.method, ()) is None}
        assert greyed == {f"volume.{one}" for one in ("clone", "rename", "export", "import", "copy_out", "copy_in")}
        assert len(told) == 1 and "Ports needs moby at the other end: Docker Engine - Community 1.0" in told[0]


async def test_a_container_of_the_engine_is_wired_anew(
    roots: Any, busybox: str, engine: Any, open_dashboard: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    from moby_tui.engine.engine import Engine

    await engine.networks.create(NetworkCreate(name="back"))
    host = HostConfig(network_mode="bridge")
    made = await engine.containers.create(ContainerCreate(image=busybox, cmd=["sleep", "1000"], host_config=host), name="web")
    await engine.containers.start(made.id)

    async def places() -> dict[str, Any]:
        found: dict[str, Any] = (await engine.containers.inspect(made.id)).network_settings.networks
        return found

    async with open_dashboard(lambda: Engine.open(*roots)) as (app, pilot):
        deeds = app.session.activity
        await typed(app, pilot, "T")
        await eventually(pilot, lambda: app.screen.query(TopologyView) and app.screen.query_one(TopologyView).chosen)
        app.go("topology", "back")
        view = app.screen.query_one(TopologyView)
        await eventually(
            pilot, lambda: view.chosen and not view.chosen.container and "back" in str(app.page._name_of(view.chosen.network))
        )
        await typed(app, pilot, "c")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        await typed(app, pilot, "down")
        assert app.screen.answers["container"] == "web" and app.screen.answers["network"] == "back"
        await typed(app, pilot, "tab", "tab", *"db", "enter")
        await eventually(pilot, lambda: len(deeds) == 1 and all(one.outcome is Outcome.DONE for one in deeds))
        assert "db" in ((await places())["back"].aliases or [])

        await eventually(pilot, lambda: any(one.container and one.network == view.chosen.network for one in view._drawing.spots))
        await typed(app, pilot, "down")
        await eventually(pilot, lambda: view.chosen.container == made.id)
        await typed(app, pilot, "P")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        await typed(app, pilot, *"127.0.0.1:18080:80", "enter")
        await eventually(pilot, lambda: len(deeds) == 2 and all(one.outcome is Outcome.DONE for one in deeds))
        assert (await engine.containers.inspect(made.id)).network_settings.ports["80/tcp"][0].host_port == "18080"

        await typed(app, pilot, "X")
        await eventually(pilot, lambda: isinstance(app.screen, Ask))
        assert app.screen.answers["network"] == "back"
        await typed(app, pilot, "enter")
        await eventually(pilot, lambda: len(deeds) == 3 and all(one.outcome is Outcome.DONE for one in deeds))
        assert set(await places()) == {"bridge"}
