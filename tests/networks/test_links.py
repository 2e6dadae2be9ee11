"""Links while the containers run: the linked one comes back at another address, a link is removed, what the command line makes of them.

What a link is at a container's start is held against dockerd in ``test_beside_dockerd.py``.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.errors import NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.network import NetworkCreate
from networks.test_live import inside, start


async def test_a_link_is_followed_while_the_containers_run(
    whole_engine: WholeEngine, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    engine = whole_engine
    web = await start(engine, "web")
    before = (await engine.containers.inspect(web)).network_settings.networks["bridge"].ip_address
    asked = ContainerCreate(image="busybox", cmd=["sleep", "1000"], hostname="linking", host_config=HostConfig(links=["web:db"]))
    linking = (await engine.containers.create(asked, name="linking")).id
    await engine.containers.start(linking)
    assert f"{before}\tdb" in await inside(engine, linking, "cat", "/etc/hosts")

    await engine.containers.stop(web, timeout=0)
    await engine.containers._parts.until_put_away(engine.containers._parts.get(web))
    await start(engine, "in-between")
    await engine.containers.start(web)
    now = (await engine.containers.inspect(web)).network_settings.networks["bridge"].ip_address
    hosts = await inside(engine, linking, "cat", "/etc/hosts")
    assert now != before and f"{now}\tdb" in hosts and f"{before}\t" not in hosts
    assert "linking" in hosts.splitlines()[-1]
    assert "0% packet loss" in await inside(engine, linking, "ping", "-c", "1", "-W", "2", "db")

    # as docker, the names of links are shown where nothing is cut
    assert "linking/db" not in cli("ps").stdout
    assert cli("ps", "--no-trunc", "--format", "{{.Names}}", "--filter", "id=" + web).stdout == "web,linking/db\n"
    with pytest.raises(NotFound, match="No such container: linking/nosuch"):
        await engine.containers.remove_link("linking/nosuch")
    assert cli("rm", "--link", "/linking/db").stdout == "/linking/db\n"
    assert "db" not in await inside(engine, linking, "cat", "/etc/hosts")
    assert (await engine.containers.inspect(linking)).host_config.links is None


async def test_the_command_line_links_on_both_kinds_of_networks(
    whole_engine: WholeEngine, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    await start(whole_engine, "web")
    await whole_engine.networks.create(NetworkCreate(name="n"))
    one = await start(whole_engine, "one", "n")
    address = (await whole_engine.containers.inspect(one)).network_settings.networks["n"].ip_address
    assert "DB_NAME=/asks/db" in cli("run", "--rm", "--name", "asks", "--link", "web:db", "busybox", "env").stdout
    cli("run", "-d", "--name", "user", "--network", "n", "--link", "one:db", "busybox", "sleep", "1000")
    assert f"Address: {address}" in await inside(whole_engine, "user", "nslookup", "db")
    shown = await whole_engine.containers.inspect("user")
    assert (shown.network_settings.networks["n"].links, shown.host_config.links) == (["one:db"], None)
    refused = cli("run", "--rm", "--link", "a:b:c", "busybox", "true", check=False)
    assert refused.returncode == 125 and "bad format for links: a:b:c" in refused.stderr


async def test_a_linked_container_is_found_by_the_name_of_the_link(
    whole_engine: WholeEngine, door: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """In every request, as with dockerd: after the linking container was renamed by its new name."""
    web = await start(whole_engine, "web")
    host = HostConfig(links=["web:db"])
    await whole_engine.containers.create(ContainerCreate(image="busybox", host_config=host), name="before")
    await whole_engine.containers.rename("before", "after")
    there = ("-H", f"unix://{door}")
    ask = ("curl", "-s", "--unix-socket", str(door), "-o", "/dev/null", "-w", "%{http_code}")
    for path, status in (
        ("after/db/json", "200"),
        ("after%2Fdb/json", "200"),
        ("after/db/top", "200"),
        ("after/db/changes", "200"),
        ("before/db/json", "404"),
        ("after/nosuch/json", "404"),
        ("web/db/json", "404"),
    ):
        url = f"http://docker/containers/{path}"
        answer = await asyncio.to_thread(subprocess.run, [*ask, url], text=True, capture_output=True)
        assert answer.stdout == status, path
    assert (await asyncio.to_thread(cli, *there, "inspect", "--format", "{{.Id}}", "after/db")).stdout.strip() == web
    assert (await asyncio.to_thread(cli, *there, "exec", "after/db", "hostname")).stdout.strip() == web[:12]
    assert cli("inspect", "--format", "{{.Name}}", "/after/db").stdout == "/web\n"
    await whole_engine.containers.remove_link("after/db")
    with pytest.raises(NotFound, match="No such container: after/db"):
        await whole_engine.containers.inspect("after/db")
