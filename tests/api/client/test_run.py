"""``containers.run``, on the engine in this process and on the same one from afar."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moby_tui.api.client.http import HttpClient
from moby_tui.api.client.protocol import Client
from moby_tui.engine.engine import Engine
from moby_tui.errors import CommandNotFound, ContainerFailed, Forbidden
from moby_tui.schema.container import ContainerCreate, HostConfig


@pytest.fixture(params=["near", "far"])
def client(request: pytest.FixtureRequest, engine: Engine, remote: HttpClient) -> Client:
    return engine if request.param == "near" else remote


def _config(*command: str, **host: Any) -> ContainerCreate:
    return ContainerCreate(image="busybox", cmd=list(command), host_config=HostConfig(network_mode="none", **host))


async def test_its_output_is_returned(client: Client) -> None:
    config = _config("sh", "-c", "cat /proc/mounts >&2; seq 100000 2>/dev/null || head -c 600000 /dev/zero")
    assert len(await client.containers.run(config)) >= 500_000
    [container] = await client.containers.list(all=True)
    assert container.state == "exited"
    assert (config.attach_stdout, config.host_config.auto_remove) == (False, False)


async def test_a_command_goes_before_the_configurations(client: Client) -> None:
    assert await client.containers.run(_config("false"), ["echo", "other"], remove=True) == b"other\n"
    assert await client.containers.list(all=True) == []


async def test_a_failure_tells_all(client: Client) -> None:
    with pytest.raises(ContainerFailed) as failure:
        await client.containers.run(_config("sh", "-c", "echo out; echo first >&2; echo why >&2; exit 7"), remove=True)
    error = failure.value
    assert (error.exit_code, error.stdout, error.stderr) == (7, b"out\n", b"first\nwhy\n")
    assert error.message == f"container {error.container[:12]} ended with status 7: why"
    assert await client.containers.list(all=True) == []


async def test_detached(client: Client) -> None:
    container = await client.containers.run(_config("sleep", "1000"), name="far", detach=True)
    assert (await client.containers.inspect("far")).state.running
    assert container == (await client.containers.inspect("far")).id


async def test_a_missing_command_leaves_nothing(client: Client) -> None:
    with pytest.raises(CommandNotFound):
        await client.containers.run(_config("/no/such"), remove=True)
    assert await client.containers.list(all=True) == []


async def test_a_missing_image_is_fetched(client: Client) -> None:
    """Of a registry that cannot be asked for it: the refusal is the pull's."""
    with pytest.raises(Forbidden, match="'scratch' is a reserved name"):
        await client.containers.run("scratch", ["true"])


@pytest.mark.parametrize("remove", [True, False])
async def test_a_cancelled_run_ends_its_container(client: Client, remove: bool) -> None:
    run = asyncio.create_task(client.containers.run(_config("sleep", "1000"), name="long", remove=remove))
    while not await client.containers.list():
        await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    if not remove:
        assert (await (await client.containers.wait("long")).result()).status_code == 137
    assert [row.state for row in await client.containers.list(all=True)] == ([] if remove else ["exited"])
