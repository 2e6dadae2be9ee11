"""The images and their references, as rows."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
import sqlite3
import time
from collections.abc import Iterable

import msgspec

from moby_tui.engine.store.database import Database, decoded
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.schema.base import encode

_decoder = msgspec.json.Decoder(ImageRecord)


class ImageRows:
    """``images`` and ``image_references``. References are canonical: ``repository:tag`` or ``repository@digest``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[ImageRecord]:
        """The newest registered first."""
        return [_record(row) for row in self._database.query("SELECT record FROM images ORDER BY created DESC, rowid DESC")]

    def get(self, image_id: str) -> ImageRecord | None:
        rows = self._database.query("SELECT record FROM images WHERE id = ?", image_id)
        return _record(rows[0]) if rows else None

    def by_reference(self, reference: str) -> ImageRecord | None:
        sql = "SELECT record FROM images JOIN image_references ON image_id = id WHERE reference = ?"
        rows = self._database.query(sql, reference)
        return _record(rows[0]) if rows else None

    def by_prefix(self, prefix: str) -> list[str]:
        """The ids that begin so; ``prefix`` is hexadecimal digits after ``sha256:``. Two at most: more are as ambiguous."""
        low, high = "sha256:" + prefix, "sha256:" + prefix + "g"
        rows = self._database.query("SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2", low, high)
        return [str(row["id"]) for row in rows]

    def references(self) -> dict[str, list[str]]:
        """The references of every image that has any, sorted."""
        names: dict[str, list[str]] = {}
        for row in self._database.query("SELECT reference, image_id FROM image_references ORDER BY reference"):
            names.setdefault(row["image_id"], []).append(row["reference"])
        return names

    def references_of(self, image_id: str) -> list[str]:
        rows = self._database.query("SELECT reference FROM image_references WHERE image_id = ? ORDER BY reference", image_id)
        return [str(row["reference"]) for row in rows]

    def count(self) -> int:
        return int(self._database.query("SELECT count(*) FROM images")[0][0])

    def put(self, record: ImageRecord, references: list[str]) -> None:
        """Registers an image and points the references to it, away from what they named before."""
        with self._database.transaction() as run:
            changed = {record.id, *_owners(run, references)}
            run.execute(
                "INSERT INTO images (id, created, record) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                (record.id, time.time(), encode(record)),
            )
            for reference in references:
                _point(run, reference, record.id)
        self._keep(changed)

    def tag(self, reference: str, image_id: str) -> bool:
        """Points a reference to an image; False if the image is gone."""
        try:
            with self._database.transaction() as run:
                changed = {image_id, *_owners(run, [reference])}
                _point(run, reference, image_id)
        except sqlite3.IntegrityError:
            return False
        self._keep(changed)
        return True

    def untag(self, references: list[str]) -> None:
        with self._database.transaction() as run:
            changed = _owners(run, references)
            run.executemany("DELETE FROM image_references WHERE reference = ?", [(reference,) for reference in references])
        self._keep(changed)

    def remove(self, record: ImageRecord) -> None:
        """Takes an image out. Its layers and blobs are condemned: what no other image has of them goes with the next sweep."""
        with self._database.transaction() as run:
            record_files.drop_image(self._database.root, record.id)
            run.execute("DELETE FROM images WHERE id = ?", (record.id,))
            self._condemn(run, record.content)

    def condemn(self, digests: Iterable[str]) -> None:
        """Layers and blobs that are to go unless an image has them."""
        with self._database.transaction() as run:
            self._condemn(run, digests)

    def condemned(self) -> set[str]:
        return {str(row["digest"]) for row in self._database.query("SELECT digest FROM condemned")}

    def swept(self, digests: Iterable[str]) -> None:
        """The sentence is carried out, or void: an image has them again."""
        with self._database.transaction() as run:
            run.executemany("DELETE FROM condemned WHERE digest = ?", [(digest,) for digest in digests])

    def ids(self) -> set[str]:
        return {str(row["id"]) for row in self._database.query("SELECT id FROM images")}

    def _keep(self, image_ids: Iterable[str]) -> None:
        for image_id in image_ids:
            for row in self._database.query("SELECT record FROM images WHERE id = ?", image_id):
                record_files.keep_image(self._database.root, image_id, self.references_of(image_id), row["record"])

    @staticmethod
    def _condemn(run: sqlite3.Connection, digests: Iterable[str]) -> None:
        run.executemany("INSERT OR IGNORE INTO condemned VALUES (?)", [(digest,) for digest in digests])


def _point(run: sqlite3.Connection, reference: str, image_id: str) -> None:
    run.execute(
        "INSERT INTO image_references (reference, image_id) VALUES (?, ?)"
        " ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id",
        (reference, image_id),
    )


def _owners(run: sqlite3.Connection, references: list[str]) -> set[str]:
    """The images that have these references now."""
    sql = "SELECT image_id FROM image_references WHERE reference = ?"
    return {str(row["image_id"]) for reference in references for row in run.execute(sql, (reference,))}


def _record(row: sqlite3.Row) -> ImageRecord:
    return decoded(_decoder.decode, row["record"], "an image")
