"""Signals as users write them, and what a container does that is to be stopped with one that the kernel has not."""

from __future__ import annotations

import signal

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.stop_signal import is_sent, parse_signal


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("TERM", 15), ("SIGTERM", 15), ("sigterm", 15), ("15", 15), ("015", 15), ("+15", 15), ("CLD", signal.SIGCHLD)],
        *[("RTMIN", signal.SIGRTMIN), ("rtmin+15", signal.SIGRTMIN + 15), ("SIGRTMAX-14", signal.SIGRTMAX - 14)],
        *[("65", 65), ("99", 99), ("-1", -1)],
    ],
)
def test_names_and_numbers(text: str, number: int) -> None:
    assert parse_signal(text) == number
    assert is_sent(number) == (number in range(1, 65))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        " 15",
        "TERM ",
        "SIGSIGTERM",
        "NOSUCH",
        "RTMIN+16",
        "RTMAX-15",
        "RTMIN+0",
        "RTMIN+00",
        "0x0f",
        "9" * 20,
        "9" * 5000,
    ],
)
def test_what_is_no_signal(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid signal"):
        parse_signal(text)


async def test_a_container_is_killed_whose_signal_the_kernel_has_not(engine: Engine, busybox: str) -> None:
    config = ContainerCreate(image=busybox, cmd=["sleep", "1000"], stop_signal="99", host_config=HostConfig(network_mode="none"))
    ident = (await engine.containers.create(config)).id
    await engine.containers.start(ident)
    with pytest.raises(InvalidArgument, match="the linux daemon does not support signal 99"):
        await engine.containers.kill(ident, signal="99")
    await engine.containers.stop(ident, timeout=1000)
    assert (await engine.containers.inspect(ident)).state.exit_code == 137
