"""A tree of files of which folders are read when they are first opened: what is shown, in which order, and where the cursor is."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from moby_tui.screens.files.entry import Entry

#: The orders of the entries of a folder.
ORDERS = ("name", "size", "modified")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: an entry, how deep it stands, and whether it is a folder that is open. ``note`` says why an open one shows nothing."""

    entry: Entry
    depth: int
    opened: bool = False
    note: str = ""


class FileTree:
    """Paths are absolute; the root is ``/`` and not shown itself. ``cursor`` is the path of the row that has it."""

    def __init__(self) -> None:
        self._folders: dict[str, list[Entry]] = {}
        self._open: set[str] = {"/"}
        self._notes: dict[str, str] = {}
        self._words = ""
        self._changed_only = False
        self._rows: list[Row] | None = None
        self.order = ORDERS[0]
        self.cursor = ""
        #: Where the cursor was, for when its row is gone.
        self._place = 0

    # What is known

    def knows(self, folder: str) -> bool:
        return folder in self._folders

    def put(self, folder: str, entries: Iterable[Entry]) -> None:
        """Takes the entries of a folder."""
        self._folders[folder] = list(entries)
        self._notes.pop(folder, None)
        self._rows = None

    def note(self, folder: str, note: str) -> None:
        """Says in the folder's place why nothing of it is known: it is being read, or cannot be."""
        self._notes[folder] = note
        self._rows = None

    def forget(self) -> None:
        """Everything is to be read again; what is open stays so."""
        self._folders.clear()
        self._notes.clear()
        self._rows = None

    @property
    def unread(self) -> list[str]:
        """Folders that are open and not known, the nearest to the root first."""
        return sorted((path for path in self._open if path not in self._folders and path not in self._notes), key=len)

    # What is shown

    def rows(self) -> list[Row]:
        if self._rows is None:
            self._rows = list(self._below("/", 0))
        return self._rows

    def _below(self, folder: str, depth: int) -> Iterable[Row]:
        """The rows of an open folder. No recursion: what a container has made may be deep."""
        pending: list[Row] = self._rows_of(folder, depth)[::-1]
        while pending:
            row = pending.pop()
            yield row
            if row.opened:
                pending += self._rows_of(row.entry.path, row.depth + 1)[::-1]

    def _rows_of(self, folder: str, depth: int) -> list[Row]:
        entries = [entry for entry in self._folders.get(folder, ()) if self._shows(entry)]
        entries.sort(key=self._key)
        return [self._row(entry, depth) for entry in entries]

    def _row(self, entry: Entry, depth: int) -> Row:
        opened = entry.is_folder and entry.path in self._open
        note = self._notes.get(entry.path, "") if opened else ""
        if opened and not note and self._folders.get(entry.path) == []:
            note = "empty"
        return Row(entry, depth, opened, note)

    def _key(self, entry: Entry) -> tuple[object, ...]:
        if self.order == "size":
            return (not entry.is_folder, -entry.size, entry.name)
        if self.order == "modified":
            return (not entry.is_folder, [-ord(letter) for letter in entry.modified], entry.name)
        return (not entry.is_folder, entry.name)

    def _shows(self, entry: Entry) -> bool:
        if self._changed_only and not entry.mark:
            return False
        if not self._words:
            return True
        return self._matches(entry) or (entry.is_folder and any(self._shows(one) for one in self._folders.get(entry.path, ())))

    def _matches(self, entry: Entry) -> bool:
        return all(word in entry.path.lower() for word in self._words.lower().split())

    @property
    def root_note(self) -> str:
        """Why there is nothing at all."""
        if note := self._notes.get("/"):
            return note
        if not self.rows():
            return "nothing matches" if self._words or self._changed_only else "empty"
        return ""

    def filter(self, words: str) -> None:
        """Shows only paths with all these words, among what was read, and the folders above them."""
        self._words, self._rows = words, None

    def show_changed(self, only: bool) -> None:
        """Shows only what has a mark."""
        self._changed_only, self._rows = only, None

    @property
    def changed_only(self) -> bool:
        return self._changed_only

    def sort(self) -> None:
        """Turns to the next order."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._rows = None

    # The cursor

    @property
    def place(self) -> int:
        """The number of the row with the cursor; of the one that stood there if its own is gone."""
        rows = self.rows()
        for number, row in enumerate(rows):
            if row.entry.path == self.cursor:
                self._place = number
                return number
        return max(min(self._place, len(rows) - 1), 0)

    @property
    def chosen(self) -> Entry | None:
        rows = self.rows()
        return rows[self.place].entry if rows else None

    def go(self, number: int) -> None:
        """Puts the cursor on a row, or on the first or last."""
        if rows := self.rows():
            self._place = min(max(number, 0), len(rows) - 1)
            self.cursor = rows[self._place].entry.path

    def open(self, path: str) -> None:
        """Opens a folder and those that it is in."""
        while path not in ("", "/"):
            self._open.add(path)
            path = posixpath.dirname(path)
        self._rows = None

    def close(self, path: str) -> None:
        self._open.discard(path)
        self._notes.pop(path, None)
        self._rows = None

    def is_open(self, path: str) -> bool:
        return path in self._open

    def leave(self) -> None:
        """Closes the folder under the cursor, or goes to the one that it is in."""
        chosen = self.chosen
        if chosen is None:
            return
        if chosen.is_folder and self.is_open(chosen.path):
            self.close(chosen.path)
        elif (above := posixpath.dirname(chosen.path)) != "/":
            self.cursor = above
