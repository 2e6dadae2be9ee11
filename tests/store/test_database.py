"""The database as several threads of one engine use it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from moby_tui.engine.store.database import Database


def test_threads_write_one_after_another(tmp_path: Path) -> None:
    """Builds that end at the same time record their images on threads: "cannot commit - no transaction is active"."""
    database = Database(tmp_path / "moby.db")

    def write(writer: int) -> None:
        for number in range(50):
            with database.transaction() as connection:
                connection.execute("INSERT INTO engine (key, value) VALUES (?, '')", (f"{writer}-{number}",))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert len(database.query("SELECT key FROM engine")) == 200
    database.close()
