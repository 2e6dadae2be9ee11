"""Answers about containers in the form that a client gets, kept for as long as nothing that is in them has changed.

What an answer says comes from the database, and from files that engines and monitors write: each process may change them at any time. So
each answer is kept together with what it was made of, and that is looked at before the answer is given again: the version of the database,
and the bytes of the files. Both are read before an answer is made, so that what changes meanwhile is seen at the next request.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.containers.views import health, inspection, view
from moby_tui.engine.policy import apparmor
from moby_tui.engine.store.database import Version
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.engine.store.state import DAMAGED, State
from moby_tui.errors import NotFound
from moby_tui.schema.base import Filters
from moby_tui.schema.container import ContainerInspect, ContainerSummary

#: Containers of which answers are kept: some kilobytes of each.
MOST = 512
#: Bytes of a file. What is made of a larger one is not kept.
_LARGEST = 256 * 1024

#: The contents of the files that an answer is made of; None for an answer that cannot be kept.
_Sources = tuple[bytes, ...] | None


class _Answer(NamedTuple):
    """``status`` is the text of a row that changes by itself, ``health`` what is in it beside the state."""

    sources: _Sources
    encoded: bytes
    health: str = ""
    status: str = ""


class _Container:
    """A container: its files, its state as it was last read, and the answers by their form."""

    def __init__(self, files: ContainerPaths, record: ContainerRecord) -> None:
        self.id = record.id
        self.state = State()
        self.answers: dict[Hashable, _Answer] = {}
        self._files = files
        self._state_file = str(files.state)
        self._state_content: bytes | None = None
        self._is_checked = health.is_checked(record)

    def exists(self) -> bool:
        return os.path.exists(self._files.data)

    def sources(self, parts: Parts) -> _Sources:
        """Reads the files, and with them ``state``, which is right if the answer can be kept."""
        content = _read(self._state_file)
        if content is None:
            return None
        if content != self._state_content:
            self._state_content, self.state = content, State.read(self._state_file)
        if self.state.status == DAMAGED or parts.is_orphan_at(self._files, self.state):
            return None
        contents = [content, *map(_read, self._described_in())]
        if self.state.alive and _has_entries(self._files.execs):
            return None
        known = tuple(content for content in contents if content is not None)
        return known if len(known) == len(contents) else None

    def _described_in(self) -> list[str]:
        """The other files that an answer is made of."""
        files = self._files
        checks = [str(files.health)] if self._is_checked else []
        if not self.state.alive:
            return checks
        return [*checks, str(files.network), *([str(files.bundle)] if apparmor.enabled() else [])]


def _read(path: str) -> bytes | None:
    """What is in a file: nothing if it is missing, None if that cannot be told or is too much."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    except OSError:
        return None
    try:
        content = os.read(fd, _LARGEST)
    except OSError:
        return None
    finally:
        os.close(fd)
    return content if len(content) < _LARGEST else None


def _has_entries(folder: os.PathLike[str]) -> bool:
    with suppress(FileNotFoundError):
        return bool(os.listdir(folder))
    return False


class KeptAnswers:
    """The answers of one engine. A ``form`` names what ``encode`` makes of an object: answers of one form have one ``encode``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._version: Version | None = None
        self._forget()

    def inspect(self, ref: str, form: Hashable, encode: Callable[[ContainerInspect], bytes]) -> bytes:
        """The answer of ``inspect``. Raises ``NotFound``."""
        self._see_version()
        container = self._references.get(ref)
        record = None
        if container is None or not container.exists():
            record = self._parts.get(ref)
            container = self._references[ref] = self._known(record)
        sources = container.sources(self._parts)
        kept = container.answers.get(form)
        if kept is not None and sources is not None and kept.sources == sources:
            return kept.encoded
        record = record or self._parts.get(ref)
        encoded = encode(inspection.inspect(self._parts, record, self._parts.current_state(record)))
        container.answers[form] = _Answer(sources, encoded)
        return encoded

    def list(
        self,
        form: Hashable,
        encode: Callable[[ContainerSummary], bytes],
        *,
        everything: bool,
        limit: int = 0,
        filters: Filters | None = None,
    ) -> builtins.list[bytes]:
        """The rows of a list, newest first. ``everything``: also those that do not run."""
        self._see_version()
        records = self._read_all()
        rows: builtins.list[bytes] = []
        for container in self._listed or ():
            with suppress(NotFound):  # removed meanwhile
                row = self._row(container, records.get(container.id), form, encode, everything, filters)
                if row is not None:
                    rows.append(row)
                    if len(rows) == limit:
                        break
        return rows

    def _row(
        self,
        container: _Container,
        record: ContainerRecord | None,
        form: Hashable,
        encode: Callable[[ContainerSummary], bytes],
        everything: bool,
        filters: Filters | None,
    ) -> bytes | None:
        """A row; None for a container that is not to be listed."""
        parts, sources = self._parts, container.sources(self._parts)
        state = container.state
        if sources is None or filters:
            record = record or parts.get(container.id)
            state = parts.current_state(record) if sources is None else state
        if not (everything or state.alive) or (filters and record and not view.matches(parts, record, state, filters)):
            return None
        kept = container.answers.get(form)
        is_right = kept is not None and sources is not None and kept.sources == sources
        if kept is not None and is_right and kept.status == view.status_text(state, kept.health):
            return kept.encoded
        record = record or parts.get(container.id)
        row = view.summary(parts, record, state, self._network_ids, self._image_ids, self._linked.get(record.id, ()))
        checked = row.health.status if row.health and record.config.healthcheck else ""
        kept = container.answers[form] = _Answer(sources, encode(row), checked, row.status)
        return kept.encoded

    def _see_version(self) -> None:
        version = self._parts.store.version()
        if version is None or version != self._version:
            self._forget()
            self._version = version

    def _forget(self) -> None:
        self._containers: dict[str, _Container] = {}
        self._references: dict[str, _Container] = {}
        #: all containers in the order of a list, if they were read
        self._listed: builtins.list[_Container] | None = None
        self._linked: dict[str, builtins.list[str]] = {}
        self._network_ids = cache(self._parts.store.network_ids)
        self._image_ids = cache(self._parts.store.image_ids)

    def _known(self, record: ContainerRecord) -> _Container:
        """The container of a record, which is kept if there is room."""
        container = self._containers.get(record.id)
        if container is None:
            container = _Container(self._parts.paths.container(record.id), record)
            if len(self._containers) < MOST:
                self._containers[record.id] = container
        return container

    def _read_all(self) -> dict[str, ContainerRecord]:
        """Sees to it that the containers are in order; returns the records if they had to be read."""
        if self._listed is not None and len(self._listed) <= MOST:
            here = set(os.listdir(self._parts.paths.containers))
            if all(container.id in here for container in self._listed):
                return {}
        records = self._parts.list()
        self._linked = view.link_names(records)
        self._listed = [self._known(record) for record in records]
        return {record.id: record for record in records}
