"""What the SDK is asked of an engine: every method of ``Client``, family by family. The same holds for each engine and each face."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from build.building import context, pieces
from moby_tui.api.server.versions import parse
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound, OtherEngine
from moby_tui.schema.build import BuildOptions
from moby_tui.schema.container import (
    AttachOptions,
    ContainerCreate,
    ContainerUpdate,
    HostConfig,
    LogOptions,
    PortBinding,
    PortChanges,
    RestartPolicy,
)
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.image import ManifestUpload, RegistryAuth
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.provenance import VerifyOptions
from moby_tui.schema.secret import SecretCreate
from moby_tui.schema.stream import STDERR, STDOUT
from moby_tui.schema.system import PruneOptions
from moby_tui.schema.traffic import Shape
from moby_tui.schema.volume import VolumeCreate


@dataclass(frozen=True)
class Kit:
    #: a ``docker save`` archive of ``busybox``
    archive: bytes
    #: the address of a registry without TLS
    registry: str
    #: the engine has what is moby's own
    is_moby: bool
    #: it is in this process: what needs no engine elsewhere can be asked too
    is_near: bool


Step = Callable[[Any, Kit], Awaitable[None]]
STEPS: list[Step] = []


def step(function: Step) -> Step:
    STEPS.append(function)
    return function


async def listed(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def only_moby(kit: Kit, call: Callable[[], Any], *, each: bool = False) -> Any:
    """What moby alone answers; another engine is told by name."""
    if kit.is_moby:
        return await listed(call()) if each else await call()
    with pytest.raises(OtherEngine):
        await (listed(call()) if each else call())
    return None


def plain(*command: str, **options: Any) -> ContainerCreate:
    host = HostConfig(network_mode="none", **options.pop("host", {}))
    return ContainerCreate(image="busybox", cmd=list(command), host_config=host, **options)


async def sleeping(client: Any, name: str, **options: Any) -> str:
    created = await client.containers.create(plain("sleep", "1000", **options), name=name)
    await client.containers.start(created.id)
    ident: str = created.id
    return ident


def members(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return sorted(name for name in tar.getnames())


def archive(**files: bytes) -> AsyncIterator[bytes]:
    return pieces(context("", files))


@step
async def images_come_and_go(client: Any, kit: Kit) -> None:
    assert [line async for line in client.images.load(pieces(kit.archive))]
    [image] = await client.images.list(filters={"reference": ["busybox"]})
    assert image.repo_tags == ["busybox:latest"]
    inspected = await client.images.inspect("busybox")
    assert inspected.id == image.id
    assert isinstance(await client.images.history("busybox"), list)
    await client.images.tag("busybox", "other:1")
    saved = b"".join([piece async for piece in client.images.save(["other:1"])])
    assert "manifest.json" in members(saved)
    assert [one.untagged for one in await client.images.remove("other:1")] == ["other:1"]
    await listed(client.images.import_tar(archive(file=b"data"), reference="imported:1", changes=["CMD x"]))
    assert (await client.images.inspect("imported:1")).config.cmd == ["/bin/sh", "-c", "x"]
    await client.images.remove("imported:1")
    assert (await client.images.prune()).space_reclaimed >= 0
    with pytest.raises(NotFound):
        await client.images.inspect("nosuch")


@step
async def files_of_images(client: Any, kit: Kit) -> None:
    explored = await only_moby(kit, lambda: client.images.explore("busybox"))
    assert explored is None or len(explored.layers) == 1
    await only_moby(kit, lambda: client.images.layer_files("busybox"), each=True)
    shown = await only_moby(kit, lambda: client.images.files("busybox", "/bin"), each=True)
    assert shown is None or "busybox" in {entry.name for entry in shown}
    stat = await only_moby(kit, lambda: client.images.archive_stat("busybox", "/bin/busybox"))
    assert stat is None or stat.name == "busybox"
    packed = await only_moby(kit, lambda: client.images.archive_get("busybox", "/bin/busybox"))
    assert packed is None or members(b"".join([piece async for piece in packed[1]])) == ["busybox"]


@step
async def images_of_a_registry(client: Any, kit: Kit) -> None:
    name = f"{kit.registry}/team/app:1"
    await client.images.tag("busybox", name)
    assert [line async for line in client.images.push(name)]
    await client.images.remove(name)
    assert [line async for line in client.images.pull(name)]
    described = await client.registry.inspect(name)
    assert described.descriptor.digest.startswith("sha256:")
    if kit.is_moby:
        assert [one.name.endswith("team/app") for one in await client.registry.search(f"{kit.registry}/team")] == [True]
    else:
        with pytest.raises(MobyError):
            await client.registry.search(f"{kit.registry}/team")
    manifest = await only_moby(kit, lambda: client.registry.manifest(name))
    if manifest is not None:
        upload = ManifestUpload(media_type=manifest.descriptor.media_type, content=manifest.content)
        await client.registry.put_manifest(f"{kit.registry}/team/app:2", upload)
    else:
        with pytest.raises(OtherEngine):
            await client.registry.put_manifest(name, ManifestUpload(media_type="x", content=b""))
    with pytest.raises(MobyError):
        await client.images.verify(name, VerifyOptions())
    attested = await only_moby(kit, lambda: client.images.attestations(name))
    assert attested is None or attested == []
    await browse_registry(client, kit)
    await client.images.remove(name)
    with pytest.raises(MobyError):
        await client.system.login(RegistryAuth(username="u", password="p", serveraddress="127.0.0.1:1"))


async def browse_registry(client: Any, kit: Kit) -> None:
    """What a client near asks a registry, and one elsewhere refuses by name."""
    repository = f"{kit.registry}/team/app"
    if kit.is_near:
        assert await client.registry.list(kit.registry) == ["team/app"]
        assert sorted(await client.registry.tags(repository)) == ["1", "2"]
        assert await client.registry.referrers(f"{repository}:1") == []
        with pytest.raises(MobyError):
            await client.registry.remove(f"{repository}:nosuch")
        return
    calls: list[Callable[[], Any]] = [
        lambda: client.registry.list(kit.registry),
        lambda: client.registry.tags(repository),
        lambda: client.registry.referrers(f"{repository}:1"),
        lambda: client.registry.remove(f"{repository}:1"),
    ]
    for call in calls:
        with pytest.raises(MobyError):
            await call()


@step
async def builds(client: Any, kit: Kit) -> None:
    sent = pieces(context("FROM busybox\nLABEL a=b\nCOPY file /file\n", {"file": b"data"}))
    lines = await listed(client.builder.build(sent, BuildOptions(tags=["built:1"])))
    assert any("Successfully built" in (line.stream or "") or (line.aux or {}).get("ID") for line in lines)
    assert (await client.images.inspect("built:1")).config.labels == {"a": "b"}
    await client.images.remove("built:1")
    assert (await client.builder.prune(all=True)).space_reclaimed >= 0


@step
async def a_containers_life(client: Any, kit: Kit) -> None:
    containers = client.containers
    assert await containers.run(plain("echo", "out"), remove=True) == b"out\n"
    ident = await sleeping(client, "one", labels={"a": "b"})
    [row] = await containers.list(filters={"label": ["a=b"]})
    assert (row.id, row.names, row.state) == (ident, ["/one"], "running")
    await containers.pause("one")
    assert (await containers.inspect("one")).state.status == "paused"
    await containers.unpause("one")
    await containers.rename("one", "first")
    await containers.update("first", ContainerUpdate(restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=2)))
    assert (await containers.inspect("first")).host_config.restart_policy.maximum_retry_count == 2
    await containers.restart("first", timeout=0)
    assert "sleep" in " ".join((await containers.top("first")).processes[0])
    waiting = await containers.wait("first", condition="next-exit")
    await containers.kill("first")
    assert (await waiting.result()).status_code == 137
    await waiting.close()
    await containers.start("first")
    await containers.stop("first", timeout=0)
    with pytest.raises(Conflict):
        await containers.pause("first")
    await containers.remove("first", force=True, volumes=True)
    with pytest.raises(NotFound):
        await containers.inspect("first")
    created = await containers.create(plain("true"))
    assert (await containers.prune()).containers_deleted == [created.id]


@step
async def output_and_figures(client: Any, kit: Kit) -> None:
    containers = client.containers
    config = plain("sh", "-c", "cat; echo err >&2; exit 9", open_stdin=True, stdin_once=True)
    ident = (await containers.create(config, name="talks")).id
    stream = await containers.attach(ident, AttachOptions(stdin=True))
    waiting = await containers.wait(ident, condition="next-exit")
    await containers.start(ident)
    await stream.write(b"in")
    stream.close_stdin()
    output = {STDOUT: b"", STDERR: b""}
    async for descriptor, data in stream.output():
        output[descriptor] += data
    stream.close()
    assert output == {STDOUT: b"in", STDERR: b"err\n"}
    assert (await waiting.result()).status_code == 9
    await waiting.close()
    assert sorted(await listed(containers.logs(ident, LogOptions()))) == [(STDOUT, b"in"), (STDERR, b"err\n")]
    await containers.remove(ident)
    await sleeping(client, "busy")
    [sample] = await listed(containers.stats("busy", stream=False))
    assert sample.pids_stats.current >= 1
    await containers.remove("busy", force=True)


@step
async def execs_and_terminals(client: Any, kit: Kit) -> None:
    containers = client.containers
    await sleeping(client, "host", tty=True)
    await containers.resize("host", height=30, width=90)
    made = await containers.exec_create("host", ExecCreate(cmd=["sh", "-c", "echo in; exit 4"], attach_stdout=True))
    stream = await containers.exec_start(made, ExecStart())
    assert await listed(stream.output()) == [(STDOUT, b"in\n")]
    stream.close()
    assert (await containers.exec_inspect(made)).exit_code == 4
    made = await containers.exec_create("host", ExecCreate(cmd=["sleep", "1000"], tty=True))
    assert await containers.exec_start(made, ExecStart(detach=True, tty=True)) is None
    await containers.exec_resize(made, height=20, width=60)
    await containers.remove("host", force=True)


@step
async def files_of_containers(client: Any, kit: Kit) -> None:
    containers = client.containers
    ident = (await containers.create(plain("true"), name="files")).id
    await containers.archive_put(ident, "/", archive(note=b"hello"))
    assert (await containers.archive_stat(ident, "/note")).size == 5
    stat, packed = await containers.archive_get(ident, "/note")
    assert (stat.name, members(b"".join([piece async for piece in packed]))) == ("note", ["note"])
    assert "/note" in {change.path for change in await containers.changes(ident)}
    assert "note" in members(b"".join([piece async for piece in containers.export(ident)]))
    shown = await only_moby(kit, lambda: containers.files(ident, "/"), each=True)
    assert shown is None or "note" in {entry.name for entry in shown}
    image = await containers.commit(ident, reference="committed:1", message="why", changes=["LABEL x=y"])
    assert (await client.images.inspect(image)).config.labels == {"x": "y"}
    await client.images.remove("committed:1")
    await containers.remove(ident)
    with pytest.raises(MobyError):
        await containers.remove_link("nosuch/alias")


@step
async def networks(client: Any, kit: Kit) -> None:
    made = await client.networks.create(NetworkCreate(name="sdk", driver="bridge", labels={"a": "b"}))
    assert [one.name for one in await client.networks.list(filters={"label": ["a=b"]})] == ["sdk"]
    assert (await client.networks.inspect("sdk")).id == made.id
    created = await client.containers.create(
        ContainerCreate(image="busybox", host_config=HostConfig(network_mode="sdk")), name="wired"
    )
    await client.networks.disconnect("sdk", created.id, force=True)
    await client.networks.connect("sdk", created.id)
    assert "sdk" in (await client.containers.inspect("wired")).network_settings.networks
    await only_moby(kit, lambda: client.networks.exposure())
    await only_moby(kit, lambda: client.networks.examine())
    with pytest.raises(MobyError):
        await client.networks.shapes("wired")
    with pytest.raises(MobyError):
        await client.networks.shape("wired", Shape(delay=1000))
    with pytest.raises(MobyError):
        await client.containers.change_ports("nosuch", PortChanges(publish={"80/tcp": [PortBinding(host_port="18088")]}))
    await client.containers.remove("wired", force=True)
    await client.networks.remove("sdk")
    await client.networks.create(NetworkCreate(name="sdk", driver="bridge"))
    assert (await client.networks.prune()).networks_deleted == ["sdk"]


@step
async def volumes(client: Any, kit: Kit) -> None:
    volumes = client.volumes
    assert (await volumes.create(VolumeCreate(name="rows", labels={"a": "b"}))).name == "rows"
    assert [one.name for one in await volumes.list(filters={"label": ["a=b"]})] == ["rows"]
    assert [one.name for one in (await volumes.listed()).volumes] == ["rows"]
    assert (await volumes.inspect("rows")).labels == {"a": "b"}
    await only_moby(kit, lambda: volumes.archive_put("rows", "/", archive(note=b"hello")))
    stat = await only_moby(kit, lambda: volumes.archive_stat("rows", "/note"))
    assert stat is None or stat.size == 5
    packed = await only_moby(kit, lambda: volumes.archive_get("rows", "/note"))
    assert packed is None or members(b"".join([piece async for piece in packed[1]])) == ["note"]
    shown = await only_moby(kit, lambda: volumes.files("rows"), each=True)
    assert shown is None or [entry.name for entry in shown] == ["note"]
    cloned = await only_moby(kit, lambda: volumes.clone("rows", "twin"))
    assert cloned is None or cloned.name == "twin"
    await only_moby(kit, lambda: volumes.copy("rows", "/note", "twin", "/copied"))
    await only_moby(kit, lambda: volumes.delete_file("rows", "/note"))
    await only_moby(kit, lambda: volumes.rename("rows", "lines"))
    for volume in await volumes.list():
        await volumes.remove(volume.name)
    await volumes.remove("nosuch", force=True)
    with pytest.raises(NotFound):
        await volumes.inspect("rows")
    await volumes.create(VolumeCreate(name="rows"))
    # a volume with a name is pruned by this filter alone, which version 1.42 of the API has brought
    has_filter = parse((await client.system.version()).api_version) >= (1, 42)
    assert (await volumes.prune(filters={"all": ["true"]} if has_filter else None)).volumes_deleted == ["rows"]


@step
async def secrets_and_history(client: Any, kit: Kit) -> None:
    made = await only_moby(kit, lambda: client.secrets.create(SecretCreate(name="token", data=b"x")))
    names = await only_moby(kit, lambda: client.secrets.list())
    assert names is None or [one.spec.name for one in names] == ["token"]
    shown = await only_moby(kit, lambda: client.secrets.inspect("token"))
    assert shown is None or shown.id == made.id
    await only_moby(kit, lambda: client.secrets.remove("token"))
    await only_moby(kit, lambda: client.history.status())
    await only_moby(kit, lambda: client.history.containers())
    calls: list[Callable[[], Any]] = [lambda: client.history.figures("nosuch"), lambda: client.history.log("nosuch")]
    for call in calls:
        with pytest.raises((NotFound, OtherEngine)):
            await listed(call())


@step
async def the_engine(client: Any, kit: Kit) -> None:
    began = time.time() - 1
    await client.system.ping()
    assert (await client.system.version()).api_version
    assert (await client.system.info()).images >= 1
    assert (await client.system.disk_usage()).layers_size > 0
    await only_moby(kit, lambda: client.system.examine())
    await only_moby(kit, lambda: client.system.prunable(PruneOptions(containers={})))
    await client.containers.run(plain("true"), name="seen", remove=True)
    wanted = {"container": ["seen"], "event": ["create", "start", "die", "destroy"]}
    actions = [event.action async for event in client.events.stream(since=began, until=time.time() + 1, filters=wanted)]
    assert actions == ["create", "start", "die", "destroy"]
    with pytest.raises(InvalidArgument):
        await client.containers.list(filters={"nosuch": ["x"]})
