"""The database is lost, damaged, or not the one that belongs to the data root: nothing is deleted, and it can be rebuilt."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.engine.recovery import rebuild
from moby_tui.engine.store.database import DatabaseDamaged
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.volume import VolumeCreate

Cli = Callable[..., subprocess.CompletedProcess[str]]
Roots = tuple[Path, Path]


def _listed(root: Path) -> list[tuple[str, int]]:
    """Every file below a folder, with its size; the space that is held back may be given up."""
    return sorted((str(path), path.lstat().st_size) for path in root.rglob("*") if path.is_file())


def _copy(database: Path, to: Path) -> None:
    source, target = sqlite3.connect(database), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


def _remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)


def _missing(database: Path) -> None:
    _remove(database)


def _missing_with_its_log(database: Path) -> None:
    _remove(database)
    Path(f"{database}-wal").write_bytes(os.urandom(5000))
    Path(f"{database}-shm").write_bytes(bytes(32768))


def _empty(database: Path) -> None:
    _remove(database)
    database.touch()


def _cut_in_half(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def _header_overwritten(database: Path) -> None:
    with database.open("r+b") as file:
        file.write(os.urandom(100))


def _pages_overwritten(database: Path) -> None:
    """All but the first, which holds the schema."""
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def _of_another_program(database: Path) -> None:
    _remove(database)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


def _of_another_program_with_our_number(database: Path) -> None:
    _of_another_program(database)
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 3")
    connection.close()


def _a_folder(database: Path) -> None:
    _remove(database)
    database.mkdir()
    (database / "file").touch()


def _new(database: Path) -> None:
    """As another program, or an older moby, made it."""
    from moby_tui.engine.store.database import Database

    _remove(database)
    Database(database).close()


LOSSES = [
    _missing,
    _missing_with_its_log,
    _empty,
    _cut_in_half,
    _header_overwritten,
    _pages_overwritten,
    _of_another_program,
    _of_another_program_with_our_number,
    _a_folder,
    _new,
]


async def _furnish(roots: Roots) -> dict[str, str]:
    """A container that runs, one that has ended, one that never ran, a volume with content; their ids."""
    async with Engine.open(*roots) as engine:
        await engine.volumes.create(VolumeCreate(name="kept", labels={"a": "b"}))
        host = HostConfig(binds=["kept:/kept"])
        script = "echo here >/kept/file; echo mine >/mine; exec sleep 600"
        ids = {}
        for name, command in (("runs", script), ("ended", "echo mine >/mine"), ("created", "true")):
            asked = ContainerCreate(image="busybox", cmd=["sh", "-c", command], host_config=host)
            ids[name] = (await engine.containers.create(asked, name=f"first-{name}")).id
        for name in ("runs", "ended"):
            await engine.containers.start(ids[name])
        await (await engine.containers.wait(ids["ended"])).result()
        await engine._parts.until_put_away(engine._parts.get(ids["ended"]))
        for name, ident in ids.items():
            await engine.containers.rename(ident, name)
        await engine.images.tag("busybox", "other:1")
        await engine.networks.create(NetworkCreate(name="front", labels={"a": "b"}))
    return ids


async def _remove_all(roots: Roots) -> None:
    async with Engine.open(*roots) as engine:
        for container in await engine.containers.list(all=True):
            await engine.containers.remove(container.id, force=True, volumes=True)
        for network in await engine.networks.list(filters={"type": ["custom"]}):
            await engine.networks.remove(network.id)


@pytest.mark.parametrize("lose", LOSSES)
async def test_nothing_is_deleted_and_all_comes_back(roots: Roots, busybox: str, cli: Cli, lose: Callable[[Path], None]) -> None:
    ids = await _furnish(roots)
    lose(roots[0] / "moby.db")
    (roots[0] / "moby.db.backup").unlink()
    before = _listed(roots[0])
    for command in (["ps", "-a"], ["images"], ["volume", "ls"], ["rm", "-f", "runs"], ["system", "prune", "-f"]):
        done = cli(*command, check=False)
        assert (done.returncode, done.stdout) == (1, ""), (command, done.stderr)
        assert done.stderr.count("\n") == 1 and "moby system recover" in done.stderr, done.stderr
    done = cli("run", "--rm", "busybox", "true", check=False)
    assert done.returncode == 125 and "moby system recover" in done.stderr, done.stderr
    with pytest.raises(MobyError, match="moby system recover"):
        async with Engine.open(*roots):
            pass
    assert _listed(roots[0]) == before
    assert "Recovered: 3 containers" in cli("system", "recover").stdout
    assert "nothing was changed" in cli("system", "recover").stdout
    await _check(roots, ids, cli)


async def _check_recovery(roots: Roots, refusal: str) -> None:
    """A data root with a single image is refused with one line, rebuilt, and whole again."""
    with pytest.raises(DatabaseDamaged, match=refusal) as refused:
        async with Engine.open(*roots):
            pass
    assert "\n" not in str(refused.value) and "moby system recover" in str(refused.value)
    assert (await rebuild.recover(Paths(*roots))).images == 1
    async with Engine.open(*roots) as engine:
        assert [image.repo_tags for image in await engine.images.list()] == [["busybox:latest"]]


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, _link_to_itself])
async def test_what_is_no_file_has_the_name_of_one(roots: Roots, busybox: str, make: Callable[[Path], None]) -> None:
    """SQLite opens pipes, and says "disk I/O error" or "readonly database" of what is no file."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = roots[0] / f"moby.db{suffix}"
        file.unlink(missing_ok=True)
        make(file)
        await _check_recovery(roots, f"{file}: (is not a regular file|too many levels of symbolic links); ")


async def test_schema_is_no_text(roots: Roots, busybox: str) -> None:
    """SQLite's error quotes the schema, and Python decodes the error (UnicodeDecodeError)."""
    database = roots[0] / "moby.db"
    content = database.read_bytes()
    assert b"PRIMARY KEY, name" in content
    database.write_bytes(content.replace(b"PRIMARY KEY, name", b"PRIMARY \xcc\xff\xfe, name"))
    await _check_recovery(roots, "its schema is no text; ")


async def _check(roots: Roots, ids: dict[str, str], cli: Cli) -> None:
    async with Engine.open(*roots) as engine:
        found = {container.names[0]: container for container in await engine.containers.list(all=True)}
        assert {name: container.id for name, container in found.items()} == {f"/{name}": ident for name, ident in ids.items()}
        assert [found[f"/{name}"].state for name in ids] == ["running", "exited", "created"]
        (volume,) = await engine.volumes.list()
        assert (volume.name, volume.labels) == ("kept", {"a": "b"})
        network = await engine.networks.inspect("front")
        assert (network.labels, len(network.ipam.config or [])) == ({"a": "b"}, 1)
        await engine.networks.remove("front")
        (image,) = await engine.images.list()
        assert sorted(image.repo_tags) == ["busybox:latest", "other:1"]
    assert cli("exec", "runs", "cat", "/mine", "/kept/file").stdout == "mine\nhere\n"
    assert cli("stop", "-t", "0", "runs").stdout == "runs\n"
    assert cli("start", "-a", "ended").returncode == 0
    assert cli("run", "--rm", "-v", "kept:/k", "busybox", "cat", "/k/file").stdout == "here\n"
    await _remove_all(roots)
    assert not any((roots[0] / "containers").iterdir())


async def test_from_files_alone(roots: Roots, busybox: str, cli: Cli) -> None:
    """Without records and backup: what runs can be stopped and removed, images and volumes keep their content."""
    ids = await _furnish(roots)
    root = roots[0]
    _remove(root / "moby.db")
    (root / "moby.db.backup").unlink()
    for path in (*root.glob("containers/*/record.json"), *root.glob("images/*"), *root.glob("volumes/*/record.json")):
        path.unlink()
    told = cli("system", "recover").stdout
    # the one that never ran has nothing but the layer that was made for it
    assert "Recovered: 2 containers, 1 images, 1 volumes" in told and told.count("its record is lost") == 3, told
    name = f"recovered-{ids['runs'][:12]}"
    assert name in cli("ps", "--format", "{{.Names}}").stdout
    assert cli("logs", name).returncode == 0
    assert cli("exec", name, "cat", "/kept/file").stdout == "here\n"
    for ident in (ids["runs"], ids["ended"]):
        assert cli("rm", "-f", ident).returncode == 0
    image = cli("images", "-q").stdout.strip()
    assert cli("run", "--rm", "-v", "kept:/k", image, "cat", "/k/file").stdout == "here\n"


async def test_older_copy(roots: Roots, busybox: str, cli: Cli, tmp_path: Path) -> None:
    """What came since is known again, what went since does not come back."""
    root = roots[0]
    async with Engine.open(*roots) as engine:
        gone = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["true"]), name="gone")).id
        await engine.volumes.create(VolumeCreate(name="gone"))
    _copy(root / "moby.db", tmp_path / "old")
    async with Engine.open(*roots) as engine:
        await engine.containers.remove(gone)
        await engine.volumes.remove("gone")
    ids = await _furnish(roots)
    _remove(root / "moby.db")
    shutil.copy(tmp_path / "old", root / "moby.db")
    before = _listed(root / "containers")
    done = cli("ps", "-a", check=False)
    assert done.returncode == 1 and "older than the data root" in done.stderr and "moby system recover" in done.stderr
    assert _listed(root / "containers") == before
    assert "Recovered: 3 containers" in cli("system", "recover").stdout
    await _check(roots, ids, cli)


async def test_last_changes_lost_in_a_power_cut(roots: Roots, busybox: str, tmp_path: Path) -> None:
    """The machine went down before the log of the database was written through: the next engine rebuilds it, unasked."""
    database = Paths(*roots).database
    async with Engine.open(*roots) as engine:
        kept = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"]), name="kept")
    _copy(database, tmp_path / "older.db")
    with sqlite3.connect(tmp_path / "older.db") as connection:
        connection.execute("UPDATE engine SET value = 'the boot before' WHERE key = 'boot'")
    connection.close()
    async with Engine.open(*roots) as engine:
        lost = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"]), name="lost")
    _remove(database)
    shutil.copy(tmp_path / "older.db", database)
    async with Engine.open(*roots) as engine:
        listed = await engine.containers.list(all=True)
    assert {row.id: row.names[0] for row in listed} == {kept.id: "/kept", lost.id: "/lost"}
    assert len(list(database.parent.glob("moby.db.damaged-*"))) == 1


@pytest.mark.parametrize("what", ["image", "volume"])
async def test_older_copy_that_lacks_one_thing(roots: Roots, busybox: str, cli: Cli, tmp_path: Path, what: str) -> None:
    root = roots[0]
    _copy(root / "moby.db", tmp_path / "old")
    async with Engine.open(*roots) as engine:
        if what == "volume":
            await engine.volumes.create(VolumeCreate(name="since"))
        else:
            async for _ in engine.images.pull("moby/hello"):
                pass
    _remove(root / "moby.db")
    shutil.copy(tmp_path / "old", root / "moby.db")
    # old enough to be swept
    for path in (*root.glob("layers/*"), *root.glob("blobs/sha256/*"), root / "cache" / "swept"):
        if path.exists():
            os.utime(path, (1, 1))
    assert f"does not know {what}" in cli("images", check=False).stderr
    cli("system", "recover")
    names = cli("volume", "ls", "-q").stdout if what == "volume" else cli("run", "--rm", "moby/hello").stdout
    assert names


async def test_newer_format_is_refused_by_name(roots: Roots, busybox: str, cli: Cli) -> None:
    with sqlite3.connect(roots[0] / "moby.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = _listed(roots[0])
    for command in (["ps"], ["system", "recover"]):
        done = cli(*command, check=False)
        assert done.returncode == 1 and "newer moby (format 99)" in done.stderr and done.stderr.count("\n") == 1
    assert _listed(roots[0]) == before


async def test_deleted_while_an_engine_has_it_open(roots: Roots, busybox: str, cli: Cli) -> None:
    """It writes nothing to a file without a name."""
    async with Engine.open(*roots) as engine:
        ident = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["true"]), name="kept")).id
        _remove(roots[0] / "moby.db")
        for _ in range(2):
            with pytest.raises(MobyError, match="removed or replaced"):
                await engine.containers.create(ContainerCreate(image="busybox", cmd=["true"]), name="other")
            with pytest.raises(MobyError, match="removed or replaced"):
                await engine.volumes.create(VolumeCreate(name="other"))
            await engine.containers.settle()
            assert len(await engine.containers.list(all=True)) == 1
            told = cli("system", "recover").stdout
        assert "nothing was changed" in told
    assert cli("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}").stdout == f"{ident} kept\n"


async def test_containers_folder_is_not_there(roots: Roots, busybox: str, cli: Cli) -> None:
    """A disk that is not mounted: no row is deleted for it."""
    ids = await _furnish(roots)
    os.rename(roots[0] / "containers", roots[0] / "elsewhere")
    assert "no folder containers" in cli("ps", "-a", check=False).stderr
    os.rename(roots[0] / "elsewhere", roots[0] / "containers")
    await _check(roots, ids, cli)


async def test_damaged_row(roots: Roots, busybox: str, cli: Cli) -> None:
    """The pages are sound, what a row holds is not: one line for every command that meets it."""
    ids = await _furnish(roots)
    with sqlite3.connect(roots[0] / "moby.db") as connection:
        connection.execute("UPDATE containers SET record = substr(record, 1, 100) WHERE name = 'ended'")
    connection.close()
    done = cli("ps", "-a", check=False)
    assert done.returncode == 1 and "the row of container ended" in done.stderr and done.stderr.count("\n") == 1
    cli("system", "recover")
    await _check(roots, ids, cli)


@pytest.mark.parametrize("command", [["ps", "-a"], ["images"], ["volume", "ls"], ["network", "ls"], ["inspect", "x"], ["info"]])
async def test_damage_that_a_query_meets(roots: Roots, busybox: str, cli: Cli, command: list[str]) -> None:
    """The tables' pages are overwritten one by one: a command that does not read them works, another says so in a line."""
    await _furnish(roots)
    database = roots[0] / "moby.db"
    good = database.read_bytes()
    told = 0
    for page in range(1, len(good) // 4096):
        database.write_bytes(good[: page * 4096] + b"\xa5" * 4096 + good[(page + 1) * 4096 :])
        done = cli(*command, check=False)
        assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 1, done.stderr
        told += "moby system recover" in done.stderr
    assert told
    database.write_bytes(good)
    await _remove_all(roots)


async def test_backup_is_whole_and_is_used(roots: Roots, busybox: str, cli: Cli) -> None:
    """A row whose container has no record of its own comes from the backup."""
    root = roots[0]
    ids = await _furnish(roots)
    os.utime(root / "moby.db.backup", (1, 1))
    cli("ps")
    with sqlite3.connect(root / "moby.db.backup") as connection:
        assert connection.execute("SELECT count(*) FROM containers").fetchone() == (3,)
    connection.close()
    _header_overwritten(root / "moby.db")
    for path in (*root.glob("containers/*/record.json"), *root.glob("images/*"), *root.glob("volumes/*/record.json")):
        path.unlink()
    assert "Recovered: 3 containers" in cli("system", "recover").stdout
    await _check(roots, ids, cli)


async def test_backup_is_not_made_of_what_is_damaged(roots: Roots, busybox: str, cli: Cli) -> None:
    root = roots[0]
    await _furnish(roots)
    os.utime(root / "moby.db.backup", (1, 1))
    backup = (root / "moby.db.backup").read_bytes()
    _pages_overwritten(root / "moby.db")
    for _ in range(2):
        cli("ps", "-a", check=False)
    assert (root / "moby.db.backup").read_bytes() == backup
    cli("system", "recover")
    await _remove_all(roots)


async def test_data_root_of_the_format_before(roots: Roots, busybox: str, cli: Cli) -> None:
    """Records are written for what has none yet."""
    ids = await _furnish(roots)
    root = roots[0]
    for path in (*root.glob("containers/*/record.json"), *root.glob("images/*"), *root.glob("volumes/*/record.json")):
        path.unlink()
    with sqlite3.connect(root / "moby.db") as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    cli("ps")
    _remove(root / "moby.db")
    (root / "moby.db.backup").unlink()
    cli("system", "recover")
    await _check(roots, ids, cli)


def test_unborn_is_only_what_was_never_used(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 64)
    folder.mkdir()
    assert record_files.is_unborn(folder)
    (folder / record_files.UNCOMMITTED).write_text("{}")
    (folder / "upper").mkdir()
    (folder / "work").mkdir()
    assert record_files.is_unborn(folder)
    for name in ("upper/file", "state.json", record_files.RECORD, "container-json.log", "hosts"):
        (folder / name).touch()
        assert not record_files.is_unborn(folder), name
        (folder / name).unlink()
    assert record_files.is_unborn(folder)


async def test_what_others_put_there_is_left_alone(roots: Roots, busybox: str, cli: Cli) -> None:
    """The folders may be mount points of their own."""
    for place in ("containers", "volumes"):
        (roots[0] / place / "lost+found").mkdir()
    assert cli("ps", "-aq").stdout == ""
    assert (roots[0] / "containers" / "lost+found").is_dir()


async def test_daemon_refuses_in_one_line(roots: Roots, busybox: str, cli: Cli) -> None:
    async with Engine.open(*roots) as engine:
        await engine.containers.create(ContainerCreate(image="busybox", cmd=["true"]), name="kept")
    _remove(roots[0] / "moby.db")
    before = _listed(roots[0])
    done = cli("daemon", check=False)
    assert done.returncode == 1 and "moby system recover" in done.stderr and "Traceback" not in done.stderr
    assert _listed(roots[0]) == before
    cli("system", "recover")


async def test_recovery_of_nothing(tmp_path: Path, cli: Cli) -> None:
    done = cli("--data-root", str(tmp_path / "nowhere"), "system", "recover", check=False)
    assert done.returncode == 1 and "does not exist" in done.stderr
    assert not (tmp_path / "nowhere").exists()
    assert Paths(tmp_path, tmp_path).backup == tmp_path / "moby.db.backup"
