"""Volume plug-ins of others: found, called, lied to by, and survived."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from moby_tui.api.client.address import Address as ClientAddress
from moby_tui.api.client.http import HttpClient
from moby_tui.api.client.tls import Tls
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import mount as kernel
from moby_tui.engine.plugins import connection, discovery, volume_driver
from moby_tui.engine.plugins.discovery import Address
from moby_tui.engine.plugins.failure import NotFound as NoPlugin
from moby_tui.engine.plugins.failure import PluginFailure
from moby_tui.errors import Conflict, MobyError, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig, Mount, VolumeDriverConfig, VolumeOptions
from moby_tui.schema.volume import VolumeCreate
from servers import certificates

SERVER = Path(__file__).with_name("plugin_server.py")
RUN = Path("/run/docker")


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """The folder of sockets, on a file system that this session's mount namespace alone has."""
    made = not RUN.exists()
    RUN.mkdir(exist_ok=True)
    kernel.mount("tmpfs", str(RUN), "tmpfs", 0, "")
    folder = RUN / "plugins"
    folder.mkdir()
    yield folder
    kernel.umount2(str(RUN), kernel.MNT_DETACH)
    if made:
        RUN.rmdir()


class Plugin:
    """A process that serves ``NAME.sock``."""

    def __init__(self, name: str, sockets: Path, folder: Path) -> None:
        self.name, self.folder, self.socket = name, folder, sockets / f"{name}.sock"
        folder.mkdir(exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, str(SERVER), str(self.socket), str(self.folder)])
        while not self.socket.exists():
            assert self.process.poll() is None
            time.sleep(0.01)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.socket.unlink(missing_ok=True)

    def lie(self, **answers: object) -> None:
        (self.folder / "lies").write_text(json.dumps(answers))

    def calls(self, *methods: str) -> list[tuple[str, dict[str, Any]]]:
        """Those of these methods since the last look at any."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        calls = [(method, json.loads(asked)) for method, _, asked in (line.partition(" ") for line in lines)]
        return [call for call in calls if call[0] in methods]


@pytest.fixture
def plugin(sockets: Path, tmp_path: Path) -> Iterator[Plugin]:
    made = Plugin("shelf", sockets, tmp_path / "shelf")
    yield made
    made.end()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


def _holds(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


def asked(*command: str, bind: str = "data:/x", driver: str = "shelf", **host: Any) -> ContainerCreate:
    return ContainerCreate(
        image="busybox",
        cmd=list(command),
        host_config=HostConfig(binds=[bind], volume_driver=driver, network_mode="none", **host),
    )


async def test_a_volume_is_made_told_and_removed(engine: Engine, plugin: Plugin) -> None:
    made = await engine.volumes.create(VolumeCreate(name="data", driver="shelf", driver_opts={"k": "v"}, labels={"a": "b"}))
    assert plugin.calls("Plugin.Activate", "Create") == [
        ("Plugin.Activate", {}),
        ("Create", {"Name": "data", "Opts": {"k": "v"}}),
    ]
    assert (made.driver, made.scope, made.options, made.labels) == ("shelf", "global", {"k": "v"}, {"a": "b"})
    told = await engine.volumes.inspect("data")
    assert told.status == {"colour": "green"} and told.mountpoint == str(plugin.folder / "volumes/data")
    await engine.volumes.create(VolumeCreate(name="data", driver="shelf"))
    assert plugin.calls("Plugin.Activate", "Create") == []
    with pytest.raises(Conflict, match="create data: driver 'shelf' already has volume 'data': volume name must be unique"):
        await engine.volumes.create(VolumeCreate(name="data"))
    await engine.volumes.create(VolumeCreate(name="own"))
    (plugin.folder / "volumes/elsewhere").mkdir()
    assert [(v.name, v.driver) for v in await engine.volumes.list()] == [
        ("data", "shelf"),
        ("elsewhere", "shelf"),
        ("own", "local"),
    ]
    assert [v.name for v in await engine.volumes.list(filters={"driver": ["local"]})] == ["own"]
    assert [v.name for v in await engine.volumes.list(filters={"label": ["a=b"]})] == ["data"]
    assert (await engine.volumes.inspect("elsewhere")).driver == "shelf"
    assert (await engine.volumes.prune(filters={"all": ["true"]})).volumes_deleted == ["own"]
    await engine.volumes.remove("data")
    await engine.volumes.remove("elsewhere")
    assert [asked for _, asked in plugin.calls("Remove")] == [{"Name": "data"}, {"Name": "elsewhere"}]
    assert await engine.volumes.list() == []
    with pytest.raises(NotFound, match="get data: no such volume"):
        await engine.volumes.inspect("data")


async def test_a_plugin_that_refuses_or_is_not_there(engine: Engine, plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'create v1: error looking up volume plugin no: plugin "no" not found'
    for name in ("no", "../shelf", "."):
        with pytest.raises(NotFound, match=text if name == "no" else "not found"):
            await engine.volumes.create(VolumeCreate(name="v1", driver=name))
    plugin.lie(Get={"Volume": {"Name": "../../v0"}})
    assert (await engine.volumes.create(VolumeCreate(name="v0", driver="shelf"))).name == "v0"
    assert [(await engine.volumes.inspect(name)).name for name in ("v0", "v00")] == ["v0", "v00"]
    plugin.lie()
    with pytest.raises(MobyError, match=r"^remove v0: volume v0 is unknown$"):
        await engine.volumes.remove("v0", force=True)
    plugin.lie(Create={"Err": "no room\nleft"})
    with pytest.raises(MobyError, match=r"^create v1: no room left$"):
        await engine.volumes.create(VolumeCreate(name="v1", driver="shelf"))
    plugin.lie(Create={"Err": "500 no room"})
    with pytest.raises(MobyError, match=r"^create v1: VolumeDriver.Create: 500 no room$"):
        await engine.volumes.create(VolumeCreate(name="v1", driver="shelf"))
    assert await engine.volumes.list() == []
    plugin.lie(Remove={"Err": "held"})
    await engine.volumes.create(VolumeCreate(name="v1", driver="shelf"))
    with pytest.raises(MobyError, match=r"^remove v1: held$"):
        await engine.volumes.remove("v1")
    with pytest.raises(MobyError, match=r"^remove v1: held$"):
        await engine.volumes.remove("v1", force=True)
    assert (await engine.volumes.create(VolumeCreate(name="v1", driver="shelf"))).created_at == "0001-01-01T00:00:00Z"
    plugin.lie(List=None)
    monkeypatch.setattr(volume_driver, "SHORT", 0.2)
    listed = await engine.volumes.listed()
    assert [volume.name for volume in listed.volumes] == ["v1"]
    assert listed.warnings == ["list shelf: VolumeDriver.List: plug-in shelf did not answer within 0.2 seconds"]
    plugin.end()
    with pytest.raises(NotFound, match='get v1: error looking up volume plugin shelf: plugin "shelf" not found'):
        await engine.volumes.inspect("v1")
    await engine.volumes.remove("v1", force=True)
    assert await engine.volumes.list() == []


async def test_a_container_has_it_mounted_from_its_start_to_its_end(engine: Engine, busybox: str, plugin: Plugin) -> None:
    made = await engine.containers.create(asked("sh", "-c", "echo one >> /x/file; echo; exec sleep 1000"), name="box")
    assert made.id
    assert [call for call in plugin.calls("Create", "Mount") if call[0] == "Create"] == [
        ("Create", {"Name": "data", "Opts": None})
    ]
    plugin.calls()
    file = plugin.folder / "volumes/data/file"
    for count in (1, 2):
        await engine.containers.start("box")
        [(_, mounted)] = plugin.calls("Mount", "Unmount")
        assert mounted["Name"] == "data" and len(mounted["ID"]) == 64
        with pytest.raises(Conflict, match="remove data: volume is in use"):
            await engine.volumes.remove("data")
        await until(partial(_holds, file, "one\n" * count))
        await engine.containers.stop("box", timeout=0)
        await until(lambda: not os.listdir(engine.paths.plugin_mounts))
        assert plugin.calls("Mount", "Unmount") == [("Unmount", mounted)]
    await engine.containers.remove("box")
    assert os.listdir(engine.paths.plugin_mounts) == []
    # a container with an anonymous one, which goes with it
    anonymous = await engine.containers.create(asked("true", bind="/y"), name="other")
    [(_, created)] = plugin.calls("Create")
    await engine.containers.start(anonymous.id)
    await engine.containers.remove("other", force=True, volumes=True)
    await engine.volumes.close()
    assert [asked["Name"] for _, asked in plugin.calls("Remove")] == [created["Name"]]


async def test_the_same_through_the_api(engine: Engine, busybox: str, plugin: Plugin, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    options = VolumeOptions(driver_config=VolumeDriverConfig(name="shelf", options={"k": "v"}), no_copy=True)
    mount = Mount(type="volume", source="data", target="/x", volume_options=options)
    async with serving(engine, [f"unix://{path}"]), HttpClient(ClientAddress(path=str(path))) as remote:
        host = HostConfig(mounts=[mount], network_mode="none")
        made = await remote.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=host))
        assert plugin.calls("Create", "Mount") == [("Create", {"Name": "data", "Opts": {"k": "v"}})]
        await remote.containers.start(made.id)
        assert len(plugin.calls("Mount")) == 1
        await remote.containers.restart(made.id, timeout=0)
        await remote.containers.remove(made.id, force=True)
        assert [method for method, _ in plugin.calls("Mount", "Unmount")] == ["Unmount", "Mount", "Unmount"]
        told = await remote.volumes.inspect("data")
        assert (told.status, told.scope, told.options) == ({"colour": "green"}, "global", {"k": "v"})
        plugin.lie(List={"Err": "tired"})
        listed = await remote.volumes.listed()
        assert [volume.name for volume in listed.volumes] == ["data"] and listed.warnings == ["list shelf: tired"]
        await remote.volumes.remove("data")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"Mountpoint": "volumes"}, "the Mountpoint 'volumes', which is no absolute path"),
        ({"Mountpoint": "/no/such"}, "the Mountpoint '/no/such', which does not exist"),
        ({"Mountpoint": "/\0"}, "which is no absolute path"),
        ({"Mountpoint": "/\ud800"}, "which does not exist"),
        ({"Mountpoint": 7}, "VolumeDriver.Mount: Mountpoint is not a string"),
        ({"Err": ["x"]}, "VolumeDriver.Mount: Err is not a string"),
        ({"Err": "not today"}, "error while mounting volume '.*/volumes/data': not today$"),
        ("die", "VolumeDriver.Mount: plug-in shelf"),
    ],
)
async def test_lies_about_a_mount_leave_nothing_half_made(
    roots: tuple[Path, Path], plugin: Plugin, answer: object, text: str
) -> None:
    async with Engine.open(*roots) as engine:
        volume = await engine.volumes.create(VolumeCreate(name="data", driver="shelf"))
        plugin.lie(Mount=answer)
        with pytest.raises(MobyError, match=text):
            async with engine.volumes._opened(volume.name):
                pass
        if answer == "die":
            # nobody knows whether it has mounted it: the record stays, until a plug-in answers again
            assert len(os.listdir(engine.paths.plugin_mounts)) == 1
            plugin.start()
            await engine.volumes.mounts.unmount_unused()
            assert [method for method, _ in plugin.calls("Unmount")] == ["Unmount"]
        assert os.listdir(engine.paths.plugin_mounts) == []


async def test_a_plugin_that_hangs_holds_up_nothing_else(engine: Engine, plugin: Plugin) -> None:
    plugin.lie(List=None)
    # more than the threads that all work of an engine shares
    asking = [asyncio.create_task(engine.volumes.listed()) for _ in range(40)]
    calls = plugin.folder / "calls"
    await until(lambda: calls.exists() and calls.read_text().count("List") == len(asking))
    assert await asyncio.to_thread(lambda: 7) == 7
    assert (await engine.volumes.create(VolumeCreate(name="own"))).driver == "local"
    assert not any(task.done() for task in asking)
    plugin.end()
    for listed in await asyncio.gather(*asking):
        assert listed.warnings is not None and listed.warnings[0].startswith("list shelf: VolumeDriver.List: plug-in shelf")


def test_what_a_plugin_may_send(tmp_path: Path) -> None:
    """Bytes that are no answer, or too many, are refused; every form that HTTP has for a body is read."""
    path = str(tmp_path / "s")
    answers: dict[bytes, bytes | str] = {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}": b"{}",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}": b"{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\n\r\n": b"{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{": "has no size",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n{": "larger than 8 MiB",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{": "larger than 8 MiB",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}": "breaks off",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}": "no number",
        b"SSH-2.0-OpenSSH\r\n": "no HTTP",
        b"": "breaks off",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 70000 + b"\n\r\n": "too long",
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (9 << 20): "larger than 8 MiB",
    }
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            for answer in answers:
                peer, _ = listening.accept()
                with peer:
                    while b"\r\n\r\n{}" not in peer.recv(4096):
                        pass
                    try:
                        peer.sendall(answer)
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        for answer, expected in answers.items():
            try:
                assert connection.post(Address("p", path), "X", b"{}", 30)[1] == expected, answer[:60]
            except PluginFailure as error:
                assert isinstance(expected, str) and expected in str(error), (answer[:60], error)
        thread.join()


def test_where_plugins_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "etc", tmp_path / "lib"
    monkeypatch.setattr(discovery, "SOCKETS", str(tmp_path / "run"))
    monkeypatch.setattr(discovery, "SPECIFICATIONS", (str(first), str(second)))
    assert discovery.names() == []
    for folder in (first, second / "deep"):
        folder.mkdir(parents=True)
    (first / "a.spec").write_text("unix:///run/a.sock\n")
    (second / "a.spec").write_text("tcp://never:1")
    (second / "deep/deep.json").write_text(json.dumps({"Name": "x", "Addr": "tcp://[::1]:80", "TLSConfig": {"CertFile": "/c"}}))
    (first / "bad.spec").write_text("nowhere")
    (first / "worse.json").write_text("[" * 10000)
    assert discovery.names() == ["a", "bad", "deep", "worse"]
    assert str(discovery.find("a")) == "/run/a.sock"
    deep = discovery.find("deep")
    assert str(deep) == "[::1]:80" and deep.tls is not None and not deep.tls.verify and deep.tls.certificate == "/c"
    for name in ("bad", "worse"):
        with pytest.raises(PluginFailure, match=f"plug-in {name}: .* names no address"):
            discovery.find(name)
    with pytest.raises(NoPlugin):
        discovery.find("b")


def test_the_next_engine_unmounts_what_killed_processes_left(
    cli: Callable[..., subprocess.CompletedProcess[str]], busybox: str, plugin: Plugin, roots: tuple[Path, Path], tmp_path: Path
) -> None:
    """Of a monitor that was killed, and of an engine that was killed between ``Mount`` and the start."""
    cli(
        "run", "-d", "--name", "box", "--network", "none", "-v", "data:/x", "--volume-driver", "shelf", "busybox", "sleep", "1000"
    )
    mounts = plugin.calls("Mount", "Unmount")
    assert mounts[-1][0] == "Mount"
    mounted = mounts[-1][1]
    state = json.loads(next((roots[0] / "containers").glob("*/state.json")).read_text())
    os.kill(state["monitor"], signal.SIGKILL)
    assert "data" in cli("volume", "ls").stdout
    cli("ps", "-a")
    assert plugin.calls("Unmount") == [("Unmount", mounted)]
    cli("rm", "-f", "box")
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": "volumes.plugin mounted", "action": "kill"}))
    killed = cli(
        "run", "--network", "none", "-v", "data:/x:nocopy", "busybox", "true", env={"MOBY_FAULT": str(fault)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    [(_, mounted)] = plugin.calls("Mount", "Unmount")
    cli("ps", "-a")
    assert plugin.calls("Mount", "Unmount") == [("Unmount", mounted)]
    # a plug-in that is gone when its container ends is told once it is back
    cli("run", "-d", "--name", "late", "--network", "none", "-v", "data:/x:nocopy", "busybox", "sleep", "1000")
    [(_, mounted)] = plugin.calls("Mount", "Unmount")
    plugin.end()
    records = roots[1] / "plugin-mounts"
    cli("rm", "-f", "late")
    assert [path.name for path in records.iterdir()] == [mounted["ID"]]
    plugin.start()
    os.utime(records / mounted["ID"], (0, 0))
    cli("ps", "-a")
    assert plugin.calls("Mount", "Unmount") == [("Unmount", mounted)] and not list(records.iterdir())


@pytest.mark.parametrize("bound", [False, True])
async def test_a_plugin_that_is_starting_is_waited_for(sockets: Path, tmp_path: Path, bound: bool) -> None:
    """Its socket is not there yet, or is and nobody accepts."""
    path = sockets / "late.sock"
    if bound:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    plugins: list[Plugin] = []
    starting = asyncio.get_running_loop().call_later(0.2, lambda: plugins.append(Plugin("late", sockets, tmp_path / "late")))
    try:
        driver = volume_driver.VolumeDriver("late")
        await asyncio.to_thread(functools.partial(driver.activate, 30, expected=not bound))
        assert plugins[0].calls("Plugin.Activate")
    finally:
        starting.cancel()
        for plugin in plugins:
            plugin.end()


async def test_over_the_network_both_sides_show_certificates(
    engine: Engine, busybox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specifications, folder, files = tmp_path / "spec", tmp_path / "far", certificates.make(tmp_path)
    monkeypatch.setattr(discovery, "SOCKETS", str(tmp_path / "none"))
    monkeypatch.setattr(discovery, "SPECIFICATIONS", (str(specifications),))
    specifications.mkdir()
    folder.mkdir()
    port = tmp_path / "port"
    server = [sys.executable, str(SERVER), str(port), str(folder), files.server.certificate, files.server.key]
    with subprocess.Popen([*server, files.server.authority], stderr=subprocess.DEVNULL) as process:
        try:
            while not port.exists():
                await asyncio.sleep(0.01)

            def found_with(tls: Tls, **more: object) -> None:
                secured = {"CAFile": tls.authority, "CertFile": tls.certificate, "KeyFile": tls.key, **more}
                (specifications / "far.json").write_text(
                    json.dumps({"Name": "far", "Addr": f"tcp://127.0.0.1:{port.read_text()}", "TLSConfig": secured})
                )

            for wrong in (files.stranger, files.client._replace(authority=files.stranger.certificate), Tls("", "", "")):
                found_with(wrong)
                with pytest.raises(MobyError) as refused:
                    await engine.volumes.create(VolumeCreate(name="data", driver="far"))
                assert "\n" not in str(refused.value) and "far" in str(refused.value)
            found_with(files.client)
            await engine.volumes.create(VolumeCreate(name="data", driver="far"))
            host = HostConfig(binds=["data:/data"], network_mode="none")
            made = await engine.containers.create(ContainerCreate(image=busybox, cmd=["touch", "/data/word"], host_config=host))
            ended = await engine.containers.wait(made.id, condition="next-exit")
            await engine.containers.start(made.id)
            assert (await ended.result()).status_code == 0
            assert (folder / "volumes/data/word").exists()
            await engine.containers.remove(made.id)
            await engine.volumes.remove("data")
        finally:
            process.kill()
