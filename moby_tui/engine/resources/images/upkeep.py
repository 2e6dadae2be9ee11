"""What an engine that opens a data root may have to do for the images there: looked for without importing what does it."""

from __future__ import annotations

import os
import time

from moby_tui.engine.kernel.process import boot_id
from moby_tui.engine.store import disk
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import StorageReadOnly

#: What was fetched whole by a pull that did not end is kept this long (seconds) for another try.
GRACE = 3600.0


def is_due(paths: Paths, database: Database) -> bool:
    """Whether ``ImageManager.collect_rubbish`` would find something to do."""
    if isinstance(disk.refusal(paths.data_root), StorageReadOnly):
        return False
    return is_staging_used(paths) or not is_of_this_boot(paths) or is_sweep_due(paths, database)


def is_staging_used(paths: Paths) -> bool:
    """Whether somebody makes something, or was killed while making it."""
    with os.scandir(paths.staging) as entries:
        return any(True for _ in entries)


def is_of_this_boot(paths: Paths) -> bool:
    """Whether ``note_boot`` was called since the machine started."""
    try:
        return (paths.cache / "boot").read_text() == boot_id()
    except FileNotFoundError:
        return False


def note_boot(paths: Paths) -> None:
    """Notes that, since the machine was started, an engine has repaired what a power cut damaged."""
    (paths.cache / "boot").write_text(boot_id())


def is_sweep_due(paths: Paths, database: Database) -> bool:
    """Whether a removal was cut short, or nobody has swept for as long as what is unused is kept."""
    try:
        age = time.time() - (paths.cache / "swept").stat().st_mtime
    except FileNotFoundError:
        return True
    return age > GRACE or database.has_condemned()


def note_sweep(paths: Paths) -> None:
    (paths.cache / "swept").touch()
