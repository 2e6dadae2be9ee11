"""What there is to say of one container's reach, and of one network, in lines."""

from __future__ import annotations

from moby_tui.screens.topology.graph import Graph, Net, Reach, on_the_wire


def reach_of(graph: Graph, container: str) -> list[tuple[str, Reach]]:
    """Name and reach of what is outside of the host, then of each other container: those first that are reached."""
    if any(not place.running for place in graph.places(container)):
        return [("everything", Reach(False, "it does not run"))]
    nets = [net for place in graph.places(container) if (net := graph.network(place.network))]
    others = [(graph.places(other)[0].name, graph.reach(container, other)) for other in graph.containers if other != container]
    return [("outside of the host", _way_out(nets)), *sorted(others, key=lambda one: (not one[1].reached, one[0]))]


def _way_out(nets: list[Net]) -> Reach:
    ways = [net for net in nets if net.leaves]
    if not ways:
        names = ", ".join(net.name for net in nets)
        return Reach(False, f"{names} has no way out of the host")
    net = ways[0]
    how = (
        "the host's own network"
        if net.driver == "host"
        else "on the wire"
        if on_the_wire(net)
        else "routed"
        if net.routed
        else "NAT"
    )
    return Reach(True, f"by {net.name}: {how}", net.gateway)


def describe_network(net: Net) -> list[tuple[str, str]]:
    """Facts of a network, as (title, fact)."""
    running = sum(one.running for one in net.members)
    return [
        ("driver", net.driver),
        ("subnets", ", ".join(net.subnets) or "none"),
        ("gateway", net.gateway or "none"),
        ("containers", f"{running} running, {len(net.members) - running} not"),
        ("way out", "no: internal" if net.internal else "yes" if net.leaves else "no: the loopback alone"),
        ("between containers", "yes" if net.icc else "no: icc=false, only published ports"),
    ]
