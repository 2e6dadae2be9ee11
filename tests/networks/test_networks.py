"""Networks as objects: list, inspect, filters, events; and the files that tell a container its names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.containers.wire import endpoint_to_show
from moby_tui.engine.resources.networks import files
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema.container import ContainerSummary, SummaryNetworkSettings
from moby_tui.schema.network import NetworkCreate
from networks.world import Engine, address


async def test_the_predefined_networks_keep_their_ids(engine: Engine, roots: tuple[Path, Path]) -> None:
    listed = await engine.manager.list()
    assert [(n.name, n.driver) for n in listed] == [("bridge", "bridge"), ("host", "host"), ("none", "null")]
    again = Engine(*roots)
    assert [n.id for n in await again.manager.list()] == [n.id for n in listed]
    again.database.close()


async def test_inspect_by_name_id_and_prefix_shows_who_is_connected(engine: Engine) -> None:
    container = await engine.start(container_id="ab" * 32)
    summary = ContainerSummary(
        id="ab" * 32,
        names=["/web"],
        image="",
        image_id="",
        command="",
        created=0,
        state="running",
        status="",
        network_settings=SummaryNetworkSettings(networks={n: endpoint_to_show(e) for n, e in container.endpoints.items()}),
    )

    async def running() -> list[ContainerSummary]:
        return [summary]

    engine.manager.list_containers = running
    network = await engine.manager.inspect("bridge")
    assert network.containers["ab" * 32].name == "web"
    assert network.containers["ab" * 32].ipv4_address == f"{address(container)}/16"
    assert (network.ipam.config or [])[0].gateway == container.endpoints["bridge"].gateway
    assert container.endpoints["bridge"].network_id == network.id
    assert (await engine.manager.inspect(network.id[:12])).name == "bridge"
    assert (await engine.manager.inspect("none")).containers == {}
    with pytest.raises(NotFound, match="network nope not found"):
        await engine.manager.inspect("nope")


async def test_one_of_many_is_found_without_the_others(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await engine.manager.create(NetworkCreate(name="front"))
    # a name that is another's id: the id has precedence
    await engine.manager.create(NetworkCreate(name=made.id))
    monkeypatch.setattr("moby_tui.engine.store.networks.load", lambda _: pytest.fail("all networks were read"))
    for ref in ("front", made.id):
        assert engine.manager.find(ref).id == made.id
    monkeypatch.undo()
    assert engine.manager.find(made.id[:20]).id == made.id
    for ref in ("", "nope", "\udc80", "\0", "%", "*"):
        with pytest.raises(NotFound):
            engine.manager.find(ref)


async def test_filters(engine: Engine) -> None:
    async def names(**filters: list[str]) -> list[str]:
        return [network.name for network in await engine.manager.list(filters=filters)]

    assert await names(driver=["host", "null"]) == ["host", "none"]
    assert await names(name=["ri"]) == ["bridge"]
    assert await names(type=["custom"]) == []
    assert await names(label=["a=b"]) == []
    with pytest.raises(InvalidArgument):
        await names(colour=["red"])


async def test_a_start_is_told(engine: Engine) -> None:
    await engine.start(container_id="cd" * 32)
    network = await engine.manager.inspect("bridge")
    assert engine.events == [("network", "connect", network.id, {"container": "cd" * 32, "name": "bridge", "type": "bridge"})]


async def test_hosts_names_the_container_and_what_was_asked(engine: Engine) -> None:
    container = await engine.start(
        hostname="web", domainname="lan", extra_hosts=["db:10.1.1.1", "host:host-gateway", "six:[::1]"]
    )
    lines = container.hosts.splitlines()
    assert "127.0.0.1\tlocalhost" in lines and "10.1.1.1\tdb" in lines and "::1\tsix" in lines
    assert f"{container.endpoints['bridge'].gateway}\thost" in lines
    assert lines[-1] == f"{address(container)}\tweb.lan web"


@pytest.mark.parametrize(
    ("host", "asked", "expected"),
    [
        ("nameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver ::1\nsearch a b\n", {}, "nameserver 192.0.2.1\nsearch a b\n"),
        ("nameserver 127.0.0.53\n", {}, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
        ("nameserver 192.0.2.1\nsearch a\noptions x\n", {"search": ["."]}, "nameserver 192.0.2.1\noptions x\n"),
        (
            "nameserver 192.0.2.1\nsearch a\n",
            {"servers": ["127.0.0.1"], "options": ["ndots:1"]},
            "nameserver 127.0.0.1\nsearch a\noptions ndots:1\n",
        ),
    ],
)
def test_resolv_conf_leaves_out_what_a_container_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Any, asked: Any, expected: Any
) -> None:
    (tmp_path / "resolv.conf").write_text(host)
    monkeypatch.setattr(files, "_RESOLV_CONF", tmp_path / "resolv.conf")
    monkeypatch.setattr(files, "_RESOLVED", tmp_path / "absent")
    wanted = {"servers": [], "search": [], "options": []} | asked
    text = files.resolv_conf(**wanted, own_namespace=True)
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == expected.splitlines()
    assert ("# Used default nameservers." in text) == ("8.8.8.8" in expected)
    if not asked:
        assert files.resolv_conf([], [], [], own_namespace=False, shared=True) == host
