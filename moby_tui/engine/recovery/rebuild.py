"""``moby system recover``: the rows of a lost, damaged or older database, made anew of what lies on disk.

A container, image or volume is taken from its own record (``store/records/record_files.py``), else from what can be read of the old database,
else from the backup, else from its files alone. Containers may run meanwhile: their monitors need no database.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from moby_tui.engine.recovery import containers, images, networks, volumes
from moby_tui.engine.recovery.found import Found, Sources
from moby_tui.engine.store import losses, rebuilding
from moby_tui.engine.store.database import FILES, VERSION, Database
from moby_tui.engine.store.locks import FileLock
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.salvage import Salvage, salvage
from moby_tui.errors import MobyError, Unavailable


class Recovered(msgspec.Struct, kw_only=True):
    """``whole``: there was nothing to do. The numbers are of rows.

    ``remarks`` say what could not be rebuilt, a line each; ``aside`` is where the former database is now.
    """

    whole: bool = False
    containers: int = 0
    images: int = 0
    volumes: int = 0
    remarks: list[str] = []
    aside: str = ""


async def recover(paths: Paths) -> Recovered:
    """Raises ``MobyError`` if the database is that of a newer moby, ``Unavailable`` while somebody else recovers it."""
    if not paths.data_root.is_dir():
        raise MobyError(f"data root {paths.data_root} does not exist; name it with --data-root")
    paths.make()
    lock = FileLock(paths.exec_root / "recovery.lock")
    if not lock.try_acquire():
        raise Unavailable(f"the database of {paths.data_root} is being recovered by another process")
    try:
        old = salvage(paths.database, paths.staging)
        if old.version > VERSION and old.whole:
            raise MobyError(f"data root {paths.data_root} was written by a newer moby (format {old.version}); use that one")
        if _is_complete(paths, old):
            return Recovered(whole=True)
        return await _rebuild(paths, Sources(paths, old, salvage(paths.backup, paths.staging)))
    finally:
        lock.release()


def _is_complete(paths: Paths, old: Salvage) -> bool:
    """Whether an engine would take the database as it is: it can be read, row by row, and knows all that is there."""
    if not old.whole or not all(kind.is_readable(old) for kind in (containers, images, volumes, networks)):
        return False
    try:
        losses.check_present(paths)
        database = Database(paths.database)
    except MobyError:
        return False
    try:
        return not losses.find_strays(paths, database).any
    except MobyError:
        return False
    finally:
        database.close()


async def _rebuild(paths: Paths, sources: Sources) -> Recovered:
    draft = paths.database.with_name("moby.db.rebuilt")
    _remove(draft)
    recovered = Found()
    database = Database(draft)
    try:
        containers.find(sources, recovered)
        volumes.find(sources, recovered)
        await images.find(sources, recovered)
        values = {**sources.backup.rows("engine"), **sources.old.rows("engine")}
        rebuilding.write(
            database,
            recovered.containers.values(),
            recovered.images.values(),
            recovered.volumes.values(),
            {key: str(value[0]) for key, value in values.items()},
        )
        networks.restore(paths, database, sources, recovered)
        rebuilding.close(database)
    except BaseException:
        database.close()
        _remove(draft)
        raise
    _sync(draft)
    aside = _set_aside(paths.database)
    os.rename(draft, paths.database)
    _write_records(paths, recovered)
    recovered.remarks += [
        f"process {pid} still has the former database open: end it, or what it does is lost" for pid in _holders(aside)
    ]
    return Recovered(
        containers=len(recovered.containers),
        images=len(recovered.images),
        volumes=len(recovered.volumes),
        remarks=recovered.remarks,
        aside=aside,
    )


def _write_records(paths: Paths, found: Found) -> None:
    """What was found elsewhere has its own record now."""
    for kind in (containers, images, volumes):
        kind.keep(paths, found)


def _set_aside(path: Path) -> str:
    """Gives the former database and what belongs to it another name; that, or nothing if nothing was there."""
    stem = f"{path}.damaged-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}"
    # one process can rebuild several times in a second
    candidates = (f"{stem}-{number}" for number in itertools.count())
    name = next(name for name in candidates if not any(os.path.lexists(f"{name}{suffix}") for suffix in FILES))
    moved = ""
    for suffix in FILES:
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{name}{suffix}")
            moved = name
    return moved


def _holders(aside: str) -> list[int]:
    """The processes that have the former database open."""
    holders = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if aside and os.readlink(f"/proc/{pid}/fd/{name}").startswith(aside):
                        holders.add(int(pid))
    return sorted(holders)


def _remove(path: Path) -> None:
    for suffix in FILES:
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
