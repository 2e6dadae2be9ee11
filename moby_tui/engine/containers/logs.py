"""The log of a container: the settings of its driver, the path of its file, and a reader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.configuration import log_options as options
from moby_tui.engine.store.paths import ContainerPaths
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import LogOptions


def settings(record: ContainerRecord) -> LogSettings:
    """The settings of the log driver of a container. Raises ``InvalidArgument``, but not for a container that was created: it was checked."""
    config = record.host_config.log_config
    subject = options.Subject(
        id=record.id,
        name=record.name,
        image=record.image,
        image_id=record.image_id,
        command=" ".join((record.path, *record.args)),
        labels=record.config.labels or {},
        env=record.config.env or [],
    )
    return options.resolve(config.type, config.config or {}, subject)


def path(files: ContainerPaths, kept: LogSettings) -> Path:
    """The path of the log, or of its cache. Rotated files lie beside it."""
    return files.log if kept.format == "json-file" else files.local_log


def read(
    record: ContainerRecord, files: ContainerPaths, wanted: LogOptions, alive: Callable[[], bool] = lambda: False
) -> AsyncIterator[tuple[int, bytes]]:
    """A reader of the log. Raises ``InvalidArgument`` if the log driver keeps no log that can be read."""
    # a start asks for the settings alone
    from moby_tui.engine.runtime.client import log_reader as reader

    kept = settings(record)
    if not kept.readable:
        raise InvalidArgument("configured logging driver does not support reading")
    return reader.read(str(path(files, kept)), wanted, alive, kept.format)
