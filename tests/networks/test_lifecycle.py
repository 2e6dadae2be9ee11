"""Making and undoing: ports taken, leases, teardown by bytes, what is left by the killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.kernel.network.netlink import run_teardown
from moby_tui.engine.runtime.client import stats as statistics
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import EndpointIpamConfig, EndpointSettings, PortBinding
from networks.world import Engine, address, reaches, run


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def start_process(*command: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=pass_fds)


def publish(*host_ports: str) -> dict[str, list[PortBinding]]:
    return {"80/tcp": [PortBinding(host_port=port) for port in host_ports]}


def test_teardown_runs_in_a_bare_interpreter() -> None:
    """The monitor imports no library and not the rest of ours."""
    heavy = "{'msgspec', 'asyncio', 'ctypes', 'moby_tui.engine.store'}"
    script = f"import sys, moby_tui.engine.kernel.network.netlink; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "set()"


async def test_teardown_by_bytes_leaves_nothing(engine: Engine) -> None:
    container = await engine.start(
        ports=publish("28080", "28081") | {"53/udp": [PortBinding(host_ip="127.0.0.1", host_port="25300")]}
    )
    assert len(engine.elements()) == 2 and len(engine.ports_of_bridge()) == 1 and len(engine.leases()) == 1
    steps, descriptors = container.teardown, [os.dup(fd) for fd in container.keep_fds]
    container.close()
    run_teardown(steps, descriptors)
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    assert engine.elements() == [] and engine.ports_of_bridge() == [] and engine.leases() == [] and engine.records() == []
    run_teardown(steps, [])
    again = await engine.start(ports=publish("28080"))
    assert address(again) == address(container)


async def test_a_taken_port_is_an_error_and_nothing_was_changed(engine: Engine) -> None:
    await engine.start(ports=publish("28080"))
    before = engine.ports_of_bridge()
    with pytest.raises(MobyError, match=r"Bind for 0\.0\.0\.0:28080 failed: port is already allocated"):
        await engine.start(ports=publish("28081", "28080"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 28090))
        other.listen()
        with pytest.raises(MobyError, match=r"Bind for 127\.0\.0\.1:28090 failed"):
            await engine.start(ports={"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port="28090")]})
    assert engine.ports_of_bridge() == before
    assert len(engine.leases()) == len(engine.records()) == 1
    await engine.start(ports=publish("28081"))


async def test_a_published_port_is_taken_for_every_program(engine: Engine) -> None:
    await engine.start(ports=publish("28080"))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError):
            other.bind(("0.0.0.0", 28080))
            other.listen()


async def test_ranges_and_ports_of_the_kernels_choice(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    first = await engine.start(ports=publish("29000-29001"))
    second = await engine.start(ports=publish("29000-29001"))
    assert [(s.ports["80/tcp"] or [])[0].host_port for s in (first, second)] == ["29000", "29001"]
    with pytest.raises(MobyError, match="29000-29001"):
        await engine.start(ports=publish("29000-29001"))
    chosen = await engine.start(ports={"80/tcp": None}, exposed=["80/tcp", "90/tcp", "53/udp"])
    assert chosen.ports["90/tcp"] is None and chosen.ports["53/udp"] is None
    port = int((chosen.ports["80/tcp"] or [])[0].host_port)
    assert port > 1024
    assert reaches(None, "127.0.0.1", port, listen(chosen.netns_fd, 80))
    everything = await engine.start(exposed=["80/tcp", "53/udp"], publish_all=True)
    assert all((everything.ports[name] or [])[0].host_port for name in ("80/tcp", "53/udp"))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ports": {"80/sctp": [PortBinding(host_ip="::")]}}, InvalidArgument),
        ({"ports": {"80/tcp": [PortBinding(host_ip="2001:db8::77", host_port="80")]}}, MobyError),
        ({"ports": {"0/tcp": None}}, InvalidArgument),
        ({"ports": {"80/tcp": [PortBinding(host_port="70000")]}}, InvalidArgument),
        ({"ports": {"80/tcp": [PortBinding(host_port="90-80")]}}, InvalidArgument),
        ({"ports": {"80/tcp": [PortBinding(host_ip="192.0.2.77", host_port="80")]}}, MobyError),
        ({"endpoint": EndpointSettings(ipam_config=EndpointIpamConfig(ipv4_address="172.17.0.9"))}, InvalidArgument),
        ({"endpoint": EndpointSettings(mac_address="01:00:5e:00:00:01")}, InvalidArgument),
        ({"extra_hosts": ["nowhere"]}, InvalidArgument),
        ({"dns": ["resolver"]}, InvalidArgument),
        ({"mode": "backend"}, NotFound),
        ({"mode": "container:abc"}, NotFound),
    ],
)
async def test_what_cannot_be_is_refused(engine: Engine, options: Any, error: Any) -> None:
    with pytest.raises(error):
        await engine.start(**options)
    await engine.manager.sandboxes.reconcile()
    assert engine.leases() == [] and engine.records() == []


async def test_a_mac_address_is_honoured(engine: Engine) -> None:
    container = await engine.start(endpoint=EndpointSettings(mac_address="02:00:00:AA:bb:01"))
    assert container.endpoints["bridge"].mac_address == "02:00:00:aa:bb:01"
    assert "02:00:00:aa:bb:01" in run("ip link show eth0", container.netns_fd)


async def test_reconcile_undoes_the_dead_and_leaves_the_living(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    living, dead = await engine.start(ports=publish("28080")), await engine.start(ports=publish("28081"))
    dead.close()
    await engine.manager.sandboxes.reconcile()
    assert engine.leases() == [address(living)] and len(engine.ports_of_bridge()) == 1
    assert "28080" in engine.ruleset() and "28081" not in engine.ruleset()
    assert reaches(None, "127.0.0.1", 28080, listen(living.netns_fd, 80))


async def test_a_port_left_by_a_killed_monitor_is_taken_over(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    dead = await engine.start(ports=publish("28080"))
    dead.close()
    container = await engine.start(ports=publish("28080"))
    assert reaches(None, "127.0.0.1", 28080, listen(container.netns_fd, 80))
    await engine.manager.sandboxes.reconcile()
    assert len(engine.elements()) == 1 and "28080" in engine.ruleset()


async def test_the_same_container_starts_again_after_its_monitor_was_killed(engine: Engine) -> None:
    container_id = secrets.token_hex(32)
    dead = await engine.start(container_id=container_id, ports=publish("28080"))
    dead.close()
    await engine.start(container_id=container_id, ports=publish("28080"))
    assert len(engine.leases()) == len(engine.ports_of_bridge()) == 1


async def test_the_table_comes_back_with_its_ports_after_a_flush(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    container = await engine.start(ports=publish("28080"))
    run(f"nft delete table ip {engine.name}")
    await engine.start()
    assert reaches(None, "127.0.0.1", 28080, listen(container.netns_fd, 80))


async def test_release_after_a_failed_wiring(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "no luck")

    monkeypatch.setattr("moby_tui.engine.resources.networks.drivers.bridge.configure", fail)
    opened = descriptors()
    with pytest.raises(MobyError, match="no luck"):
        await engine.start(ports=publish("28080"))
    assert engine.leases() == [] and engine.records() == [] and engine.ports_of_bridge() == []
    assert descriptors() == opened


async def test_a_cancelled_start_is_undone(engine: Engine) -> None:
    await engine.start()
    leases, records = engine.leases(), engine.records()
    starting = asyncio.ensure_future(engine.start(ports=publish("28080")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    for _ in range(300):
        await asyncio.sleep(0.01)
        if engine.records() == records:
            break
    assert engine.leases() == leases and engine.records() == records


_STARTER = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from networks.world import Engine, address
async def main():
    engine = Engine(Path({data!r}), Path({run!r}))
    found = [await engine.start(exposed=["80"], publish_all=True) for _ in range(3)]
    print(*(address(one) + ":" + one.ports["80/tcp"][0].host_port for one in found), flush=True)
    sys.stdin.read()
asyncio.run(main())
"""


async def test_several_processes_start_at_once(engine: Engine, roots: tuple[Path, Path]) -> None:
    """All find no bridge, and make one together; killed, they leave what reconcile clears."""
    script = _STARTER.format(tests=str(Path(__file__).parent.parent), data=str(roots[0]), run=str(roots[1]))
    started = [start_process(sys.executable, "-c", script) for _ in range(4)]
    try:
        places = [place.split(":") for process in started for place in (process.stdout or sys.stdin).readline().split()]
        assert len({ip for ip, _ in places}) == len({port for _, port in places}) == 12
        assert len(engine.ports_of_bridge()) == 12
        assert all(f"{ip} . 80" in engine.ruleset() for ip, _ in places)
    finally:
        for process in started:
            process.kill()
            process.communicate()
    await engine.manager.sandboxes.reconcile()
    assert engine.elements() == [] and engine.leases() == [] and engine.ports_of_bridge() == []


async def test_two_engines_choose_different_subnets(engine: Engine, tmp_path: Path) -> None:
    other = Engine(tmp_path / "d", tmp_path / "r")
    try:
        one, two = await engine.start(), await other.start()
        assert address(one).split(".")[:2] != address(two).split(".")[:2]
    finally:
        other.close()


async def test_interface_counters(engine: Engine, listen: Callable[..., socket.socket]) -> None:
    container = await engine.start()
    inside = container.netns_fd
    assert inside is not None and reaches(None, address(container), 80, listen(inside, 80))
    resident = start_process("nsenter", f"--net=/proc/self/fd/{inside}", "sh", "-c", "echo in; cat", pass_fds=(inside,))
    try:
        assert resident.stdout is not None and resident.stdout.readline() == "in\n"
        stats = statistics.networks(resident.pid)
        assert stats is not None
        assert list(stats) == ["eth0"] and stats["eth0"].rx_packets >= 4 and stats["eth0"].tx_bytes > 8
    finally:
        resident.kill()
        resident.communicate()
    with pytest.raises(FileNotFoundError):
        statistics.networks(resident.pid)
