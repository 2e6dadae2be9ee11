"""More published ports than the kernel takes descriptors with one message, and than select(2) could watch."""

from __future__ import annotations

import logging
import socket

import pytest

from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.schema.container import ContainerCreate, HostConfig, PortBinding

PORTS = range(21000, 21600)


async def test_six_hundred_ports(whole_engine: WholeEngine, caplog: pytest.LogCaptureFixture) -> None:
    """They are published, and given back in one piece; nobody takes that for the work of another program."""
    caplog.set_level(logging.WARNING)
    host = HostConfig(port_bindings={f"{port}/tcp": [PortBinding(host_port=str(port))] for port in PORTS})
    asked = ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=host)
    for _ in range(2):
        ident = (await whole_engine.containers.create(asked)).id
        await whole_engine.containers.start(ident)
        ports = (await whole_engine.containers.inspect(ident)).network_settings.ports
        assert sorted(ports) == sorted(f"{port}/tcp" for port in PORTS)
        await whole_engine.containers.remove(ident, force=True)
        for port in PORTS:
            with socket.socket() as free:
                free.bind(("127.0.0.1", port))
    assert caplog.messages == []
