"""Databases that earlier commits made (``data/``), opened by this one."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from moby_tui.engine.kernel import fault
from moby_tui.engine.recovery import rebuild
from moby_tui.engine.store import database as databases
from moby_tui.engine.store import losses, networks
from moby_tui.engine.store.containers import ContainerStore
from moby_tui.engine.store.database import VERSION, Database
from moby_tui.engine.store.images import ImageRows
from moby_tui.engine.store.migrations import migration
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.volumes import VolumeRows
from moby_tui.errors import MobyError

DATA = Path(__file__).parent / "data"
FORMATS = [1, 2, 3]
IMAGE = "sha256:6bb78bea000144feda9d1aeb0a251c0174e00bde439e73f9eb1a96a59d6c9bcd"


def data_root(folder: Path, version: int) -> Paths:
    """A data root of this format, with the folders that the rows belong to."""
    paths = Paths(folder / "d", folder / "r")
    paths.make()
    with closing(sqlite3.connect(paths.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((DATA / f"format_{version}.sql").read_text().replace("@DATA_ROOT@", str(paths.data_root)))
        for (ident,) in connection.execute("SELECT id FROM containers"):
            (paths.container(ident).data / "upper").mkdir(parents=True)
    (paths.volumes / "kept-vol" / "_data").mkdir(parents=True)
    return paths


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return [f"version {version}", *connection.iterdump()]


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {str(row[0]) for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}


def test_every_format_after_the_first_has_its_step_and_its_file() -> None:
    assert sorted(migration.STEPS) == list(range(2, VERSION + 1))
    assert {path.name for path in DATA.glob("*.sql")} == {f"format_{number}.sql" for number in range(1, VERSION + 1)}


@pytest.mark.parametrize("name", ["a b", "a?mode=ro", "a#b", "a%41", "a%", "ä"])
def test_the_path_of_a_database_may_have_characters_of_a_uri(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    Database(tmp_path / name / "moby.db").close()
    assert (tmp_path / name / "moby.db").stat().st_size and [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("version", FORMATS)
def test_a_data_root_of_each_format_becomes_one_of_today(tmp_path: Path, version: int) -> None:
    paths = data_root(tmp_path, version)
    before = dump(paths.database)
    database = Database(paths.database)
    try:
        assert database.query("PRAGMA user_version")[0][0] == VERSION
        kept, ended = ContainerStore(database).get("kept"), ContainerStore(database).get("ended")
        assert (kept.config.env, kept.config.labels, kept.host_config.memory) == (
            ["A=b", "PATH=/bin"],
            {"key": "value"},
            64 << 20,
        )
        assert [(mount.type, mount.destination, mount.rw) for mount in kept.mounts] == [
            ("bind", "/host", False),
            ("volume", "/data", True),
            ("tmpfs", "/scratch", True),
        ]
        assert (ended.path, ended.args, ended.host_config.restart_policy.name) == ("sh", ["-c", "exit 3"], "no")
        images = ImageRows(database)
        assert [image.id for image in images.all()] == [IMAGE] and images.condemned() == set()
        names = ["docker.io/library/busybox:latest", "example.org/box:1"]
        assert images.references_of(IMAGE) == names
        own = {network.name: network for network in networks.load(database) if network.name not in networks.PREDEFINED}
        assert list(own) == ([] if version == 1 else ["kept-net"])
        _check_record_files(paths, database, names)
        if version < VERSION:
            assert losses.check_complete(paths, database) == []
    finally:
        database.close()
    Database(tmp_path / "new.db").close()
    assert tables(paths.database) == tables(tmp_path / "new.db")
    backup = migration.backup_path(paths.database, version)
    assert dump(backup) == before if version < VERSION else not backup.exists()
    Database(paths.database).close()


def _check_record_files(paths: Paths, database: Database, names: list[str]) -> None:
    """Each says what the row says."""
    version = database.query("PRAGMA user_version")[0][0]
    files = {
        row["id"]: paths.container(row["id"]).data / record_files.RECORD for row in database.query("SELECT id FROM containers")
    }
    if not any(path.exists() for path in files.values()):
        # a data root of today: nothing has migrated it
        assert version == VERSION
        return
    for row in database.query("SELECT id, name, record FROM containers"):
        kept = record_files.read(files[row["id"]])
        assert kept is not None and (kept.name, bytes(kept.record)) == (row["name"], row["record"])
    image = record_files.read(record_files.image_path(paths.data_root, IMAGE))
    assert image is not None and image.references == names
    volume = record_files.read(paths.volumes / "kept-vol" / record_files.RECORD)
    assert volume is not None and b'"vol":"yes"' in bytes(volume.record)
    rows = {
        row["id"]: row["record"] for row in database.query("SELECT id, name, record FROM networks") if row["name"] == "kept-net"
    }
    assert record_files.read_networks(paths.data_root) == rows


@pytest.mark.parametrize("step", [2, 3])
def test_a_step_that_fails_leaves_the_former_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    paths = data_root(tmp_path, 1)
    before = dump(paths.database)

    def fail(connection: sqlite3.Connection, _: Path) -> None:
        connection.execute("DELETE FROM containers")
        raise MobyError("no")

    with monkeypatch.context() as patch:
        patch.setitem(migration.STEPS, step, fail)
        with pytest.raises(MobyError, match=r"^no$"):
            Database(paths.database)
    assert dump(paths.database) == before
    Database(paths.database).close()
    assert dump(paths.database)[0] == f"version {VERSION}"


@pytest.mark.parametrize("hit", [1, 2])
def test_killed_between_two_steps(tmp_path: Path, hit: int) -> None:
    paths = data_root(tmp_path, 1)
    before = dump(paths.database)
    plan = tmp_path / "fault"
    plan.write_text(json.dumps({"point": "migration.step done", "hit": hit, "action": "kill"}))
    program = "import sys, pathlib; from moby_tui.engine.store.database import Database; Database(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, fault.VARIABLE: str(plan)}
    done = subprocess.run([sys.executable, "-c", program, str(paths.database)], env=environment)
    assert done.returncode == -signal.SIGKILL
    assert dump(paths.database) == before
    Database(paths.database).close()
    assert dump(paths.database)[0] == f"version {VERSION}"


def test_a_newer_data_root_is_refused(tmp_path: Path) -> None:
    paths = data_root(tmp_path, VERSION)
    with closing(sqlite3.connect(paths.database)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = paths.database.read_bytes()
    with pytest.raises(MobyError, match=f"written by a newer moby \\(format {VERSION + 1}\\)") as refused:
        Database(paths.database)
    assert "\n" not in refused.value.message and paths.database.read_bytes() == before


def test_two_engines_migrate_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first, and finds nothing to do."""
    paths = data_root(tmp_path, 2)
    calls = []
    step = migration.STEPS[3]

    def count(connection: sqlite3.Connection, root: Path) -> None:
        calls.append(root)
        step(connection, root)

    monkeypatch.setitem(migration.STEPS, 3, count)
    with closing(databases._connect(paths.database)) as late:
        Database(paths.database).close()
        backup = migration.backup_path(paths.database, 2).read_bytes()
        migration.migrate(late, paths.database)
    assert len(calls) == 1 and migration.backup_path(paths.database, 2).read_bytes() == backup
    assert not migration.backup_path(paths.database, 3).exists()


async def test_a_lost_database_is_rebuilt_from_the_record_files_of_an_earlier_commit(tmp_path: Path) -> None:
    """The step to format 3 writes each row into its record file as it is, so with all that the API's structs had."""
    paths = data_root(tmp_path, 2)
    Database(paths.database).close()
    for path in paths.data_root.glob("moby.db*"):
        path.unlink()
    assert '"Scope":"local"' in (paths.volumes / "kept-vol" / record_files.RECORD).read_text()
    report = await rebuild.recover(paths)
    assert (report.containers, report.images, report.volumes) == (2, 1, 1)
    database = Database(paths.database)
    try:
        [volume] = VolumeRows(database).all()
        assert (volume.name, volume.labels, volume.driver) == ("kept-vol", {"vol": "yes"}, "local")
        [network] = [network for network in networks.load(database) if network.name == "kept-net"]
        assert network.labels == {"net": "yes"} and [pool.subnet for pool in network.ipam.config or []] == ["10.99.0.0/24"]
        [image] = ImageRows(database).all()
        assert (image.id, image.config.config and image.config.config.cmd) == (IMAGE, ["sh"])
    finally:
        database.close()
