"""Volumes: made, listed, mounted, filled from the image, removed."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.volumes import driver_options, manager, tree_copy
from moby_tui.engine.resources.volumes.manager import ANONYMOUS, VolumeManager
from moby_tui.engine.resources.volumes.populate import DATA, populate
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records.containers import (
    BindOptions,
    ContainerConfig,
    HostConfig,
    Mount,
    MountPoint,
    TmpfsOptions,
    VolumeDriverConfig,
    VolumeOptions,
)
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound, StorageFull
from moby_tui.schema.volume import VolumeCreate


class Volumes(VolumeManager):
    """A manager that remembers its events, and whose users are told to it."""

    def __init__(self, paths: Paths) -> None:
        self.database = Database(paths.database)
        self.events: list[tuple[str, str, str]] = []
        self.users: dict[str, list[str]] = {}
        super().__init__(
            paths, self.database, lambda *event: self.events.append(event[:3]), lambda name: self.users.get(name, [])
        )


@pytest.fixture
def paths(roots: tuple[Path, Path]) -> Paths:
    paths = Paths(*roots)
    paths.make()
    return paths


@pytest.fixture
def volumes(paths: Paths) -> Iterator[Volumes]:
    volumes = Volumes(paths)
    yield volumes
    volumes.database.close()
    trees.remove(paths.volumes)


@pytest.fixture
def image(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    root = tmp_path / "rootfs"
    root.mkdir()
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield root, fd
    os.close(fd)
    trees.remove(root)


async def test_create_is_idempotent_and_tells_once(volumes: Volumes) -> None:
    first = await volumes.create(VolumeCreate(name="data", labels={"a": "b"}))
    Path(first.mountpoint, "file").touch()
    assert await volumes.create(VolumeCreate(name="data", labels={"other": ""})) == first == await volumes.inspect("data")
    assert Path(first.mountpoint, "file").exists() and first.labels == {"a": "b"}
    assert volumes.events == [("volume", "create", "data")]


async def test_without_a_name_it_is_anonymous(volumes: Volumes) -> None:
    volume = await volumes.create(VolumeCreate())
    assert len(volume.name) == 64 and int(volume.name, 16) >= 0
    assert volume.labels == {ANONYMOUS: ""} and Path(volume.mountpoint).is_dir()


@pytest.mark.parametrize("name", ["a", "../x", "a/b", ".lock", "a b", "x" * 256, "ab\n"])
async def test_names_that_cannot_be(volumes: Volumes, name: str) -> None:
    with pytest.raises(InvalidArgument, match="name"):
        await volumes.create(VolumeCreate(name=name))


async def test_what_is_not_there_yet_says_so(volumes: Volumes) -> None:
    with pytest.raises(NotFound, match="error looking up volume plugin rexray"):
        await volumes.create(VolumeCreate(name="data", driver="rexray"))
    assert await volumes.list() == []


async def test_removal(volumes: Volumes, paths: Paths) -> None:
    volume = await volumes.create(VolumeCreate(name="data"))
    Path(volume.mountpoint, "file").touch()
    volumes.users["data"] = ["c1", "c2"]
    with pytest.raises(Conflict, match=r"^remove data: volume is in use - \[c1, c2\]$"):
        await volumes.remove("data", force=True)
    volumes.users.clear()
    await volumes.remove("data")
    assert [path.name for path in paths.volumes.iterdir()] == [".lock"]
    with pytest.raises(NotFound, match=r"^get data: no such volume$"):
        await volumes.remove("data")
    await volumes.remove("data", force=True)
    assert volumes.events[-1] == ("volume", "destroy", "data")


async def test_a_name_never_leads_to_what_was_removed_before_a_crash(volumes: Volumes, paths: Paths) -> None:
    volume = await volumes.create(VolumeCreate(name="data"))
    Path(volume.mountpoint, "secret").touch()
    (paths.volumes / "data").rename(paths.volumes / ".removed-cut-short")  # here the process died
    assert await volumes.populate("data", os.open("/", os.O_PATH), "/absent") is False
    assert list(Path(volume.mountpoint).iterdir()) == []
    await volumes.remove("data")
    assert not list(paths.volumes.glob(".removed-*"))


async def test_filters(volumes: Volumes) -> None:
    await volumes.create(VolumeCreate(name="web-data", labels={"tier": "front"}))
    await volumes.create(VolumeCreate(name="db-data", labels={"tier": "back"}))
    volumes.users["db-data"] = ["c"]

    async def names(**filters: list[str]) -> list[str]:
        return [volume.name for volume in await volumes.list(filters=filters)]

    assert await names() == ["db-data", "web-data"]
    assert await names(name=["web", "nothing"]) == ["web-data"]
    assert await names(name=["^w.b"]) == ["web-data"] and await names(name=["(", "^eb"]) == []
    assert await names(label=["tier"]) == ["db-data", "web-data"]
    assert await names(label=["tier=back"]) == ["db-data"]
    assert await names(dangling=["true"]) == ["web-data"] and await names(dangling=["0"]) == ["db-data"]
    assert await names(driver=["other"]) == []
    with pytest.raises(InvalidArgument, match=r"^invalid filter 'colour'$"):
        await names(colour=["red"])
    with pytest.raises(InvalidArgument, match=r"^invalid filter 'dangling=\[perhaps\]'$"):
        await names(dangling=["perhaps"])


async def test_prune_spares_what_is_named_or_used_unless_all(volumes: Volumes) -> None:
    await volumes.create(VolumeCreate(name="named"))
    await volumes.create(VolumeCreate(name="kept", labels={"keep": ""}))
    await volumes.create(VolumeCreate(name="mounted", driver_opts={"type": "tmpfs", "device": "tmpfs"}))
    free, used = await volumes.create(VolumeCreate()), await volumes.create(VolumeCreate())
    volumes.users[used.name] = ["c"]
    Path(free.mountpoint, "file").write_bytes(b"x" * 10_000)
    os.link(Path(free.mountpoint, "file"), Path(free.mountpoint, "same"))
    pruned = await volumes.prune()
    assert pruned.volumes_deleted == [free.name] and 10_000 <= pruned.space_reclaimed < 30_000
    pruned = await volumes.prune(filters={"all": ["1"], "label!": ["keep"]})
    assert pruned.volumes_deleted == ["named"]
    assert {volume.name for volume in await volumes.list()} == {"kept", "mounted", used.name}


async def test_anonymous_volumes_go_with_their_container_unless_another_uses_them(volumes: Volumes) -> None:
    free, used = await volumes.create(VolumeCreate()), await volumes.create(VolumeCreate())
    volumes.users[used.name] = ["other"]
    volumes.remove_anonymous([free.name, used.name, "never-was"])
    assert await volumes.list() == [used]


# Requests


async def test_everything_a_container_asks_for(volumes: Volumes, tmp_path: Path) -> None:
    config = ContainerConfig(volumes={"/image": {}, "/named": {}})
    host = HostConfig(
        binds=[f"{tmp_path}:/bind:ro,rshared", "data:/named:nocopy", "/anonymous", f"{tmp_path}/new/dir:/made"],
        mounts=[
            Mount(type="bind", source=str(tmp_path), target="/mount/", read_only=True),
            Mount(type="volume", target="/other", volume_options=VolumeOptions(labels={"a": "b"})),
            Mount(type="volume", source="third", target="/third", volume_options=VolumeOptions(no_copy=True)),
            Mount(type="tmpfs", target="/tmp", tmpfs_options=TmpfsOptions(size_bytes=4096, mode=0o1777)),
        ],
        tmpfs={"/run": "rw,size=64k"},
    )
    resolution = await volumes.resolve(config, host)
    shown = [(m.type, m.destination, m.mode, m.rw, m.propagation) for m in resolution.mounts]
    assert shown == [
        ("bind", "/bind", "ro,rshared", False, "rshared"),
        ("volume", "/named", "nocopy", True, ""),
        ("volume", "/anonymous", "", True, ""),
        ("bind", "/made", "", True, "rprivate"),
        ("bind", "/mount", "", False, "rprivate"),
        ("volume", "/other", "", True, ""),
        ("volume", "/third", "", True, ""),
        ("tmpfs", "/tmp", "size=4096,mode=1777", True, ""),
        ("tmpfs", "/run", "rw,size=64k", True, ""),
        ("volume", "/image", "", True, ""),
    ]
    by_target = {mount.destination: mount for mount in resolution.mounts}
    assert (tmp_path / "new/dir").is_dir() and by_target["/bind"].source == str(tmp_path)
    assert by_target["/named"].name == "data" and by_target["/named"].source == (await volumes.inspect("data")).mountpoint
    assert resolution.anonymous == [by_target[target].name for target in ("/anonymous", "/other", "/image")]
    assert [mount.destination for mount in resolution.populated] == ["/anonymous", "/other", "/image"]
    assert (await volumes.inspect(by_target["/other"].name)).labels == {"a": "b", ANONYMOUS: ""}


async def test_a_bind_may_end_with_a_colon(volumes: Volumes) -> None:
    resolution = await volumes.resolve(ContainerConfig(), HostConfig(binds=["data:/b:"]))
    assert [(mount.name, mount.destination, mount.rw) for mount in resolution.mounts] == [("data", "/b", True)]


@pytest.mark.parametrize(
    ("bind", "text"),
    [
        ("./rel:/x", "includes invalid characters for a local volume name.*use absolute path"),
        ("/a:rel", "invalid mount path: 'rel' mount path must be absolute"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/b/..", "destination can't be '/'"),
        ("/a:/b:xx", "invalid mode: xx"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:ro:z", "invalid volume specification: '/a:/b:ro:z'"),
        ("/a:ro", "invalid volume specification: '/a:ro'"),
        (":/b", "invalid volume specification: ':/b'"),
        ("", "invalid volume specification: ''"),
        ("a::", "invalid volume specification: 'a::'"),
        ("ä:/b", "includes invalid characters for a local volume name"),
        ("/a:/b:nocopy", "field VolumeOptions must not be specified"),
        ("name:/b:rshared", "field BindOptions must not be specified"),
    ],
)
async def test_refused_binds(volumes: Volumes, bind: str, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        await volumes.resolve(ContainerConfig(), HostConfig(binds=[bind]))
    assert await volumes.list() == []


@pytest.mark.parametrize(
    ("mount", "error", "text"),
    [
        (
            Mount(type="bind", source="/nowhere/at/all", target="/x"),
            InvalidArgument,
            "bind source path does not exist: /nowhere/at",
        ),
        (Mount(type="bind", source="rel", target="/x"), InvalidArgument, "must be absolute"),
        (Mount(type="tmpfs", source="x", target="/x"), InvalidArgument, "field Source must not be specified"),
        (
            Mount(type="npipe", source="x", target="/x"),
            InvalidArgument,
            'invalid mount config for type "npipe": mount type unknown',
        ),
        (Mount(type="bind", target="/x"), InvalidArgument, "field Source must not be empty"),
        (Mount(type="volume", source="vv"), InvalidArgument, "field Target must not be empty"),
        (
            Mount(type="volume", source="vv", target="/"),
            InvalidArgument,
            'type "volume": invalid specification: destination can\'t be',
        ),
        (Mount(type="volume", source="v", target="/x"), InvalidArgument, "create v: volume name is too short"),
        (
            Mount(
                type="volume", source="vv", target="/x", volume_options=VolumeOptions(driver_config=VolumeDriverConfig(name="no"))
            ),
            NotFound,
            'create vv: error looking up volume plugin no: plugin "no" not found',
        ),
        (Mount(source="x", target="/x"), InvalidArgument, 'for type "": mount type unknown'),
        (
            Mount(type="bind", source="/", target="/x", volume_options=VolumeOptions()),
            InvalidArgument,
            "VolumeOptions must not be specified on mount type",
        ),
        (Mount(type="image", target="/x"), InvalidArgument, "field Source must not be empty"),
        (
            Mount(type="bind", source="/", target="/x", bind_options=BindOptions(read_only_non_recursive=True)),
            InvalidArgument,
            "ReadOnlyNonRecursive but not ReadOnly",
        ),
        (Mount(type="volume", target="/x", volume_options=VolumeOptions(subpath="s")), InvalidArgument, "anonymous volumes"),
    ],
)
async def test_refused_mounts(volumes: Volumes, mount: Mount, error: type[MobyError], text: str) -> None:
    with pytest.raises(error, match=text):
        await volumes.resolve(ContainerConfig(), HostConfig(binds=["/anonymous"], mounts=[mount]))
    assert await volumes.list() == []


async def test_two_mounts_at_one_place_are_refused(volumes: Volumes) -> None:
    with pytest.raises(InvalidArgument, match=r"^Duplicate mount point: /x$"):
        await volumes.resolve(ContainerConfig(), HostConfig(binds=["a1:/x"], tmpfs={"/x/": ""}))


# Population


async def test_an_empty_volume_takes_over_the_image_s_content_with_all_its_attributes(
    volumes: Volumes, image: tuple[Path, int]
) -> None:
    root, fd = image
    place = root / "srv/data"
    (place / "sub").mkdir(parents=True)
    (place / "sub/file").write_bytes(b"hello" * 1000)
    os.link(place / "sub/file", place / "same")
    (place / "link").symlink_to("/etc/passwd")
    os.mkfifo(place / "pipe")
    os.mknod(place / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(place / "same", "user.note", b"\x00\xff")
    os.setxattr(place / "same", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.chown(place / "same", 12, 34)
    (place / "same").chmod(0o4751)
    os.setxattr(place / "same", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    for path in (place / "same", place / "sub", place):
        os.utime(path, ns=(10**18 + 1, 10**18 + 123_456_789))
    os.chown(place, 70, 70)
    place.chmod(0o1770)
    os.utime(place, ns=(10**18 + 1, 10**18 + 123_456_789))
    volume = await volumes.create(VolumeCreate(name="data"))
    assert await volumes.populate("data", fd, "/srv/data")
    copy = Path(volume.mountpoint)
    assert (copy / "sub/file").read_bytes() == b"hello" * 1000
    for name in (".", "sub", "sub/file", "same", "link", "pipe", "null"):
        old, new = (place / name).lstat(), (copy / name).lstat()
        for key in ("st_mode", "st_uid", "st_gid", "st_rdev", "st_mtime_ns"):
            assert getattr(old, key) == getattr(new, key), (name, key)
    assert (copy / "same").stat().st_ino == (copy / "sub/file").stat().st_ino
    assert os.readlink(copy / "link") == "/etc/passwd"
    for name in ("user.note", "security.capability"):
        assert os.getxattr(copy / "same", name) == os.getxattr(place / "same", name)
    assert sorted(os.listdir(copy.parent)) == [DATA, "record.json"]
    (place / "later").touch()
    assert not await volumes.populate("data", fd, "/srv/data") and not (copy / "later").exists()


async def test_a_caller_that_is_cancelled_leaves_no_volume_mounted(volumes: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    mounting, go_on = threading.Event(), threading.Event()
    mount = driver_options.mount

    def slow(options: dict[str, str], place: Path) -> None:
        mounting.set()
        go_on.wait()
        mount(options, place)

    monkeypatch.setattr(driver_options, "mount", slow)
    volume = await volumes.create(VolumeCreate(name="data", driver_opts={"type": "tmpfs", "device": "tmpfs"}))
    holding = asyncio.create_task(volumes.mounts.hold([MountPoint(type="volume", name="data")]))
    await asyncio.to_thread(mounting.wait)
    for _ in range(2):
        holding.cancel()
        await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.wait([holding])
    try:
        assert holding.cancelled() and not os.path.ismount(volume.mountpoint)
        await volumes.remove("data")
    finally:
        subprocess.run(["umount", "--quiet", volume.mountpoint], check=False)


async def test_a_caller_that_is_cancelled_twice_waits_for_the_copying(
    volumes: Volumes, image: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descriptor of the image is closed as soon as it is told."""
    copying, go_on = threading.Event(), threading.Event()

    def slow(*_: object, **_options: object) -> bool:
        copying.set()
        return go_on.wait()

    monkeypatch.setattr(manager, "populate", slow)
    await volumes.create(VolumeCreate(name="data"))
    filling = asyncio.create_task(volumes.populate("data", image[1], "/"))
    await asyncio.to_thread(copying.wait)
    for _ in range(2):
        filling.cancel()
        await asyncio.sleep(0.01)
    still = not filling.done()
    go_on.set()
    await asyncio.wait([filling])
    assert still and filling.cancelled()


async def test_links_of_the_image_do_not_lead_out_of_it(volumes: Volumes, image: tuple[Path, int], tmp_path: Path) -> None:
    root, fd = image
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    (root / "escape").symlink_to(outside)
    (root / "up").symlink_to("../" * 20 + str(outside))
    (root / "inside").mkdir()
    (root / "inside/file").touch()
    (root / "absolute").symlink_to("/inside")
    (root / "file").touch()
    volume = await volumes.create(VolumeCreate(name="data"))
    (root / "loop").symlink_to("loop")
    for destination in ("/escape", "/up", "/absent", "/file", "/file/x", "/loop", "/loop/x"):
        if destination.startswith(("/file", "/loop")):
            with pytest.raises(MobyError, match=r"not directory|symbolic links"):
                await volumes.populate("data", fd, destination)
        else:
            assert not await volumes.populate("data", fd, destination)
        assert list(Path(volume.mountpoint).iterdir()) == []
    assert await volumes.populate("data", fd, "/absolute")
    assert [path.name for path in Path(volume.mountpoint).iterdir()] == ["file"]


@pytest.mark.parametrize("part", ["deep/" * 80 + "er", "a/" + "b" * 250])
def test_a_part_with_a_long_path_is_filled(volumes: Volumes, image: tuple[Path, int], paths: Paths, part: str) -> None:
    root, fd = image
    (root / "srv").mkdir()
    (root / "srv/file").touch()
    (paths.volumes / "data" / DATA / part).mkdir(parents=True)
    assert populate(paths.volumes, "data", fd, "/srv", part)
    assert os.listdir(paths.volumes / "data" / DATA / part) == ["file"]
    assert os.listdir(paths.volumes / "data") == [DATA]


def test_parts_of_names_alike_are_filled_each_for_itself(
    volumes: Volumes, image: tuple[Path, int], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that was cut short is made anew in its own place, and takes nothing from another."""
    root, fd = image
    (root / "srv").mkdir()
    (root / "srv/file").touch()
    data = paths.volumes / "data" / DATA
    for part in ("a/b", "a:b"):
        (data / part).mkdir(parents=True)
    with monkeypatch.context() as patch, pytest.raises(MobyError, match="No such file"):
        patch.setattr(tree_copy, "copy_opened", _fail)
        populate(paths.volumes, "data", fd, "/srv", "a/b")
    (data / "a:b/mine").touch()
    assert not populate(paths.volumes, "data", fd, "/srv", "a:b") and os.listdir(data / "a:b") == ["mine"]
    assert populate(paths.volumes, "data", fd, "/srv", "./a//b") and os.listdir(data / "a/b") == ["file"]
    assert os.listdir(paths.volumes / "data") == [DATA]


def _fail(*_: object) -> None:
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def test_a_copy_for_which_there_was_no_space_is_made_anew(volumes: Volumes, image: tuple[Path, int], paths: Paths) -> None:
    root, fd = image
    (root / "data").mkdir()
    (root / "data/big").write_bytes(b"x" * 300_000)
    asyncio.run(volumes.create(VolumeCreate(name="vol")))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(paths.volumes / "vol")], check=True)
    try:
        (paths.volumes / "vol" / DATA).mkdir()
        (root / "data/small").touch()
        with pytest.raises(StorageFull, match="volume vol"):
            populate(paths.volumes, "vol", fd, "/data")
        assert os.listdir(paths.volumes / "vol") == [DATA] and os.listdir(paths.volumes / "vol" / DATA) == []
        with pytest.raises(StorageFull, match="volume vol"):
            populate(paths.volumes, "vol", fd, "/data", place=str(paths.volumes / "vol" / DATA))
        assert os.listdir(paths.volumes / "vol" / DATA) == []
        subprocess.run(["mount", "-o", "remount,size=1m", str(paths.volumes / "vol")], check=True)
        assert populate(paths.volumes, "vol", fd, "/data")
        assert (paths.volumes / "vol" / DATA / "big").read_bytes() == b"x" * 300_000
    finally:
        subprocess.run(["umount", str(paths.volumes / "vol")], check=True)


def dig(root: Path, depth: int) -> None:
    """Makes a directory in a directory in a directory, deeper than any path can say."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("end", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


async def test_a_deep_tree_is_copied_without_running_out_of_anything(volumes: Volumes, image: tuple[Path, int]) -> None:
    root, fd = image
    (root / "data").mkdir()
    dig(root / "data", 1100)
    volume = await volumes.create(VolumeCreate(name="data"))
    assert await volumes.populate("data", fd, "/data")
    assert Path(f"{volume.mountpoint}/{'d/' * 1100}end").exists()


async def test_a_tree_of_any_depth_is_measured_and_removed(volumes: Volumes, paths: Paths) -> None:
    volume = await volumes.create(VolumeCreate(name="data"))
    dig(Path(volume.mountpoint), 2500)
    (Path(volume.mountpoint) / "link").symlink_to("/")
    assert 0 < await volumes.size("data") < 50_000_000
    await volumes.remove("data")
    assert [path.name for path in paths.volumes.iterdir()] == [".lock"]
