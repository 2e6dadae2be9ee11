"""``cp`` of a container that does not run: its volumes, binds and images are there as they will be when it starts.

The right values are those of dockerd 28.5.
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from ctypes import CDLL
from pathlib import Path

import pytest

import namespaces
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def new(tmp_path: Path) -> str:
    (tmp_path / "new").write_text("new")
    return str(tmp_path / "new")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of the host, with a file ``of-host``."""
    (tmp_path / "host/sub").mkdir(parents=True)
    (tmp_path / "host/of-host").write_text("host")
    return tmp_path / "host"


def create(cli: Cli, *arguments: str) -> None:
    cli("create", "--name", "box", "--network", "none", *arguments)


def content(cli: Cli, path: str) -> str | None:
    """What a file of the container holds; None where ``cp`` finds none."""
    done = cli("cp", f"box:{path}", "-", check=False, encoding="latin-1")
    if done.returncode != 0:
        assert "Could not find" in done.stderr
        return None
    with tarfile.open(fileobj=io.BytesIO(done.stdout.encode("latin-1"))) as archive:
        first = archive.getmembers()[0]
        file = archive.extractfile(first) if first.isreg() else None
        return file.read().decode() if file else "other"


MOUNTS = [
    ["-v", "named:/m"],
    ["-v", "/m"],
    ["-v", "HOST:/m"],
    ["--mount", "type=bind,src=HOST,dst=/m"],
    ["--mount", "type=volume,src=parts,dst=/m,volume-subpath=a/b"],
    ["--mount", "type=volume,dst=/m,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=HOST"],
]


PATHS = ["/m", "/to-m", "/bin/../m", "/m/."]


@pytest.mark.parametrize(("option", "path"), [(option, PATHS[number % 4]) for number, option in enumerate(MOUNTS)])
def test_what_is_copied_in_is_there_after_the_start(
    cli: Cli, busybox: str, new: str, host: Path, option: list[str], path: str
) -> None:
    cli("run", "--rm", "--network", "none", "-v", "parts:/v", busybox, "mkdir", "-p", "/v/a/b")
    links = host.parent / "links"
    links.mkdir()
    (links / "to-m").symlink_to("/m")
    create(cli, *(word.replace("HOST", str(host)) for word in option), busybox, "cat", "/m/new")
    cli("cp", f"{links}/.", "box:/")
    cli("cp", new, f"box:{path}")
    assert cli("start", "-a", "box").stdout == "new"
    assert content(cli, "/m/new") == content(cli, "/to-m/new") == "new"
    assert (content(cli, "/m/of-host") == "host") == ("HOST" in "".join(option))
    assert all("/new" not in line for line in cli("diff", "box").stdout.splitlines())


def test_files_images_and_what_is_mounted_below(cli: Cli, busybox: str, new: str, host: Path) -> None:
    create(
        cli,
        *(
            "-v",
            f"{host}:/m",
            "-v",
            "inner:/m/sub/deeper",
            "-v",
            f"{host}/of-host:/file",
            "-v",
            "outer:/o",
            "-v",
            f"{host}:/o/in",
        ),
        *("--mount", "type=image,src=busybox,dst=/image", "--mount", "type=image,src=busybox,dst=/part,image-subpath=bin"),
        *(busybox, "cat", "/m/sub/deeper/new", "/o/in/of-host"),
    )
    cli("cp", new, "box:/m/sub/deeper")
    assert not (host / "sub/deeper/new").exists() and (host / "sub/deeper").is_dir()
    assert [content(cli, path) for path in ("/file", "/o/in/of-host", "/image/bin", "/part/sh", "/m/sub/deeper/new")] == [
        *("host", "host", "other", "other", "new")
    ]
    assert cli("start", "-a", "box").stdout == "newhost"


def test_a_tmpfs_is_empty_until_the_start(cli: Cli, busybox: str, new: str) -> None:
    create(cli, "--tmpfs", "/t", "--mount", "type=tmpfs,dst=/u", busybox, "ls", "/t", "/u")
    cli("cp", new, "box:/x")
    assert content(cli, "/x") == "new" and content(cli, "/t") is None
    cli("start", "-a", "box")
    assert content(cli, "/t") == "other"
    cli("cp", new, "box:/t")
    assert cli("start", "-a", "box").stdout.split() == ["/t:", "/u:"]


def test_a_volume_that_is_a_file_system_is_let_go(cli: Cli, busybox: str, new: str, roots: tuple[Path, Path]) -> None:
    cli("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "memory")
    create(cli, "-v", "memory:/m", busybox, "true")
    cli("cp", new, "box:/m")
    assert content(cli, "/m/new") is None
    assert not os.path.ismount(roots[0] / "volumes/memory/_data")


def _mounts_but_of_other_tests(*own: Path) -> list[str]:
    """The lines of mountinfo; in the session's folder, which other workers mount in meanwhile, those of these folders only."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(namespaces.folder()) not in line or any(f"{folder}/" in line for folder in own)]


@pytest.mark.parametrize("shared", ["private", "rshared", "rslave"])
def test_nothing_of_it_is_seen_on_the_host(cli: Cli, busybox: str, host: Path, shared: str, roots: tuple[Path, Path]) -> None:
    subprocess.run(["mount", "--bind", host, host], check=True)
    subprocess.run(["mount", "--make-shared", host], check=True)
    try:
        create(cli, "-v", f"{host}:/m:{shared}", "-v", "named:/m/sub", busybox, "true")
        before = _mounts_but_of_other_tests(host.parent, roots[0].parent)
        assert content(cli, "/m/of-host") == "host"
        assert _mounts_but_of_other_tests(host.parent, roots[0].parent) == before
    finally:
        subprocess.run(["umount", host], check=True)


def test_docker_s_three_files(cli: Cli, busybox: str, new: str) -> None:
    create(cli, "--hostname", "named", "--dns", "192.0.2.9", busybox, "true")
    assert content(cli, "/etc/hostname") == ""
    cli("start", "-a", "box")
    assert content(cli, "/etc/hostname") == "named\n"
    assert "127.0.0.1" in str(content(cli, "/etc/hosts")) and "192.0.2.9" in str(content(cli, "/etc/resolv.conf"))
    done = cli("cp", new, "box:/etc/hosts", check=False)
    assert done.returncode != 0 and "busy" in done.stderr
    assert "127.0.0.1" in str(content(cli, "/etc/hosts"))


def test_a_running_container_s_mounts_are_not_taken_away(cli: Cli, busybox: str, new: str, host: Path) -> None:
    """A name that something is mounted on is not replaced: the mount would go with it, in the container too."""
    cli("run", "-d", "--name", "box", "--network", "none", "-v", f"{host}/of-host:/file", busybox, "sleep", "1000")
    for path in ("/file", "/etc/hosts"):
        done = cli("cp", new, f"box:{path}", check=False)
        assert done.returncode != 0 and "busy" in done.stderr
    assert cli("exec", "box", "cat", "/file").stdout == "host" and (host / "of-host").read_text() == "host"
    cli("rm", "-f", "box")


RENAME_EXCHANGE = 2
renameat2 = CDLL(None).renameat2
READ_ONLY = "mounted volume is marked read-only"
ROOT = "container rootfs is marked read-only"


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("read_only_root", [False, True])
def test_what_is_read_only(cli: Cli, busybox: str, new: str, host: Path, running: bool, read_only_root: bool) -> None:
    links = host / "link-to-rw"
    links.symlink_to("/rw")
    options = ["-v", "rw:/rw", "-v", "ro:/ro:ro", "-v", f"{host}:/b:ro", "-v", "below:/b/sub", "--tmpfs", "/t"]
    options += ["--mount", "type=image,src=busybox,dst=/image", *(["--read-only"] if read_only_root else [])]
    create(cli, *options, busybox, "sleep", "1000")
    if running:
        cli("start", "box")
    root = ROOT if read_only_root else ""
    expected = {
        **{"/rw": "", "/b/sub": "", "/b/link-to-rw": "", "/rw/../rw": ""},
        **{"/ro": READ_ONLY, "/b": READ_ONLY, "/image": READ_ONLY, "/image/bin": READ_ONLY, "/rw/../ro": READ_ONLY},
        **{"/tmp": root, "/": root, "/rw/../tmp": root},
    }
    for path, refused in expected.items():
        done = cli("cp", new, f"box:{path}", check=False)
        assert (done.returncode != 0, refused in done.stderr) == (bool(refused), True), (path, done.stderr)
    cli("rm", "-f", "box")


def test_docker_s_three_files_are_read_only_with_the_root(cli: Cli, busybox: str) -> None:
    script = "for i in hosts hostname resolv.conf; do echo x > /etc/$i; done"
    for options, wanted in (["--read-only"], 3), ([], 0):
        done = cli("run", "--rm", "--network", "none", *options, busybox, "sh", "-c", script, check=False)
        assert done.stderr.count("Read-only file system") == wanted


async def pieces(*names: str) -> AsyncIterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        for name in names:
            writer.addfile(tarfile.TarInfo(name), io.BytesIO())
    yield buffer.getvalue()


async def made(engine: Engine, image: str, **host: object) -> str:
    asked = ContainerCreate(image=image, cmd=["true"], host_config=HostConfig(network_mode="none", **host))  # type: ignore[arg-type]
    return (await engine.containers.create(asked)).id


async def test_the_statuses(engine: Engine, busybox: str, host: Path) -> None:
    box = await made(engine, busybox, binds=[f"{host}:/m:ro", f"{host}/of-host:/file"])
    found = await engine.containers.archive_stat(box, "/m/of-host")
    assert (found.name, found.size) == ("of-host", 4)
    with pytest.raises(NotFound):
        await engine.containers.archive_stat(box, "/m/absent")
    with pytest.raises(NotFound):
        await engine.containers.archive_put(box, "/m/absent", pieces("x"))
    for path in ("/file", "/m/of-host", "/bin/sh"):
        with pytest.raises(InvalidArgument, match="extraction point is not a directory"):
            await engine.containers.archive_put(box, path, pieces("x"))
    with pytest.raises(InvalidArgument, match=READ_ONLY):
        await engine.containers.archive_put(box, "/m", pieces("x"))
    # an archive that goes into the mount from above meets the kernel's own refusal
    with pytest.raises(InvalidArgument, match="read-only"):
        await engine.containers.archive_put(box, "/", pieces("m/x"))
    # a folder that holds a mount is not emptied to make place for a file
    with pytest.raises(MobyError):
        await engine.containers.archive_put(box, "/", pieces("m"))
    assert sorted(os.listdir(host)) == ["of-host", "sub"]


async def test_a_folder_that_holds_a_mount_is_not_emptied(engine: Engine, busybox: str, host: Path) -> None:
    box = await made(engine, busybox, binds=[f"{host}:/a/b/m"])
    with pytest.raises(MobyError):
        await engine.containers.archive_put(box, "/", pieces("a"))
    assert sorted(os.listdir(host)) == ["of-host", "sub"]


async def test_mounts_that_cannot_be(engine: Engine, busybox: str, host: Path) -> None:
    gone = host.parent / "gone"
    gone.mkdir()
    asked = await made(engine, busybox, binds=[f"{gone}:/m", f"{host}/of-host:/bin"])
    with pytest.raises(MobyError, match=r"cannot show what container .* has mounted: /bin"):
        await engine.containers.archive_stat(asked, "/etc")
    removed = await made(engine, busybox, binds=[f"{gone}:/m"])
    gone.rmdir()
    assert (await engine.containers.archive_stat(removed, "/m")).name == "m"


async def test_export_leaves_out_what_is_mounted(engine: Engine, busybox: str, host: Path) -> None:
    box = await made(engine, busybox, binds=[f"{host}:/m"])
    await engine.containers.archive_stat(box, "/m/of-host")
    exported = b"".join([piece async for piece in engine.containers.export(box)])
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        assert [name for name in archive.getnames() if name.startswith("m")] == ["m"]


async def test_links_in_a_volume_that_others_change_lead_nowhere_else(engine: Engine, busybox: str, tmp_path: Path) -> None:
    """CVE-2018-15664: a volume of a container that is copied to, changed by another one meanwhile."""
    shared, outside = tmp_path / "shared", tmp_path / "outside"
    for folder in (shared / "real", outside):
        folder.mkdir(parents=True)
    (outside / "secret").write_text("secret")
    box = await made(engine, busybox, binds=[f"{shared}:/m", f"{tmp_path}/shared:/m/real/deep"])
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            with suppress(OSError):
                (shared / "link").symlink_to("../" * 12 + str(outside).lstrip("/"))
            with suppress(OSError):
                renameat2(-100, os.fsencode(shared / "link"), -100, os.fsencode(shared / "real"), RENAME_EXCHANGE)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        for _ in range(12):
            for attempt in (
                engine.containers.archive_put(box, "/m/real", pieces("planted", "deep/planted")),
                engine.containers.archive_stat(box, "/m/real/secret"),
            ):
                try:
                    found = await attempt
                except MobyError:
                    continue
                assert found is None, "the host's secret was found"
            await asyncio.sleep(0)
    finally:
        stop.set()
        thread.join()
    assert [path.name for path in outside.iterdir()] == ["secret"]


async def test_a_cancelled_caller_leaves_the_root_open_to_its_thread(
    engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor would be another file's by then."""
    in_thread, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    def stat(root: int, *_: object) -> None:
        before = os.fstat(root)
        in_thread.set()
        assert goes_on.wait(30)
        if os.path.samestat(before, os.fstat(root)):
            ended.set()

    monkeypatch.setattr("moby_tui.engine.archive.files.stat", stat)
    config = ContainerCreate(image=busybox, host_config=HostConfig(network_mode="none"))
    container = (await engine.containers.create(config)).id
    task = asyncio.ensure_future(engine.containers.archive_stat(container, "/"))
    await asyncio.to_thread(in_thread.wait, 30)
    task.cancel()
    for _ in range(10):  # all that the cancelled call does without its thread
        await asyncio.sleep(0)
    goes_on.set()
    with suppress(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 30)
