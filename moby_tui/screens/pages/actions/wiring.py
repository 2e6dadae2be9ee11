"""What can be done to the networks and ports of a container, on each page that shows both."""

from __future__ import annotations

from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.session.containers import Container
from moby_tui.screens.topology.wiring import LONELY


def wiring_actions(noun: str, *, connects: On, footer: bool) -> tuple[Action, ...]:
    """Connect, disconnect and ports. Their ids begin with ``noun``. ``connects`` is what the first one acts on."""
    return (
        Action(
            id=f"{noun}.connect",
            title="Connect",
            keys="c",
            tooltip="Put a container into a network, with aliases and an address (shows the command first)",
            on=connects,
            when=_can_be_wired,
            changes=True,
            footer=footer,
        ),
        Action(
            id=f"{noun}.disconnect",
            title="Disconnect",
            keys="X",
            tooltip="Take the container out of a network (shows the command first)",
            on=On.ROW,
            when=lambda one: one.networks and _can_be_wired(one),
            changes=True,
            footer=footer,
        ),
        Action(
            id=f"{noun}.ports",
            title="Ports",
            keys="P",
            tooltip="Publish and withdraw ports of the container, also while it runs (shows the command first)",
            on=On.ROW,
            when=_can_be_wired,
            changes=True,
            ours=True,
            footer=footer,
        ),
    )


def _can_be_wired(container: Container) -> bool:
    return not LONELY.intersection(container.in_networks)
