"""Networks on the wire of one of the host's interfaces. Kernels without ipvlan or VLANs answer in one line."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from moby_tui.errors import InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate
from networks.world import Engine, reaches, run


@pytest.fixture
def wire() -> Iterator[str]:
    """An interface of the host whose other end is up."""
    run("ip link add wire0 type veth peer name wire1; ip link set wire0 up; ip link set wire1 up")
    yield "wire0"
    run("ip link delete wire0")


def asked(name: str, driver: str, **options: str) -> NetworkCreate:
    pool = IpamPool(subnet="10.93.0.0/24", gateway="10.93.0.1")
    return NetworkCreate(name=name, driver=driver, options=options, ipam=Ipam(config=[pool]))


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa"])
async def test_containers_are_neighbours_on_the_wire(
    engine: Engine, wire: str, mode: str, listen: Callable[..., socket.socket]
) -> None:
    await engine.manager.create(asked("lan", "macvlan", parent=wire, macvlan_mode=mode))
    one, two = await engine.start("lan"), await engine.start("lan")
    assert one.netns_fd and two.netns_fd
    shown = run("ip -d link show eth0", one.netns_fd)
    assert f"macvlan mode {mode}" in shown and one.endpoints["lan"].mac_address in shown
    assert run("ip route show default", one.netns_fd).split()[2] == "10.93.0.1"
    if mode == "bridge":
        at = two.endpoints["lan"].ip_address
        assert reaches(one.netns_fd, at, 80, listen(two.netns_fd, 80)) == one.endpoints["lan"].ip_address
    for sandbox in (one, two):
        sandbox.release()
    await engine.manager.remove("lan")
    assert engine.leases() == []


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("macvlan", {}, "name it with -o parent="),
        ("macvlan", {"parent": "nosuch0"}, "the host has no such interface"),
        ("macvlan", {"parent": "nosuch0.10"}, "the host has no such interface"),
        ("macvlan", {"parent": "wire0.5000"}, "invalid subinterface vlan name"),
        ("macvlan", {"parent": "lo"}, "loopback interface"),
        ("macvlan", {"parent": "wire0", "macvlan_mode": "open"}, "requested macvlan mode 'open' is not valid"),
        ("ipvlan", {"parent": "wire0", "ipvlan_mode": "l4"}, "requested ipvlan mode 'l4' is not valid"),
        ("ipvlan", {"parent": "wire0", "ipvlan_flag": "open"}, "requested ipvlan flag 'open' is not valid"),
    ],
)
async def test_what_cannot_be_is_refused(engine: Engine, wire: str, driver: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        await engine.manager.create(asked("bad", driver, **options))
    assert [network.name for network in await engine.manager.list()] == ["bridge", "host", "none"]


async def test_a_flag_that_is_not_there_yet(engine: Engine, wire: str) -> None:
    with pytest.raises(NotImplementedYet, match="ipvlan_flag=vepa"):
        await engine.manager.create(asked("bad", "ipvlan", parent=wire, ipvlan_flag="vepa"))


def _kernel_has(kind: str, *options: str) -> bool:
    words = ["ip", "link", "add", "link", "wire0", "name", "probe0", "type", kind, *options]
    there = subprocess.run(words, capture_output=True).returncode == 0
    if there:
        run("ip link delete probe0")
    return there


async def test_ipvlan_where_the_kernel_has_it(engine: Engine, wire: str) -> None:
    if _kernel_has("ipvlan", "mode", "l2"):
        await engine.manager.create(asked("lan", "ipvlan", parent=wire))
        one = await engine.start("lan")
        assert one.netns_fd and "ipvlan" in run("ip -d link show eth0", one.netns_fd)
        return
    with pytest.raises(MobyError, match=r"cannot make an interface of kind ipvlan: .*this kernel does not have it"):
        await engine.manager.create(asked("lan", "ipvlan", parent=wire))
    assert [network.name for network in await engine.manager.list()] == ["bridge", "host", "none"]


async def test_a_vlan_is_made_and_removed_where_the_kernel_has_it(engine: Engine, wire: str) -> None:
    if _kernel_has("vlan", "id", "9"):
        await engine.manager.create(asked("lan", "macvlan", parent="wire0.10"))
        assert "wire0.10" in run("ip link")
        await engine.manager.remove("lan")
    else:
        with pytest.raises(MobyError, match=r"cannot make wire0\.10: "):
            await engine.manager.create(asked("lan", "macvlan", parent="wire0.10"))
    assert "wire0.10" not in run("ip link")
