"""What the monitor needs to know of a container's log, in plain values (light imports)."""

from __future__ import annotations

from typing import NamedTuple

#: The drivers that keep the log on this machine, each with the format of its files.
LOCAL_DRIVERS = ("json-file", "local")


class LogSettings(NamedTuple):
    """One log. ``max_size`` is in bytes, 0 without bound; ``max_files`` counts the written one too."""

    driver: str = "json-file"
    max_size: int = 10 * 1024 * 1024
    max_files: int = 3
    compress: bool = False
    #: JSON object of labels and environment that stands in each entry; empty for none
    attributes: str = ""
    #: Bytes that may wait for a slow driver before output is dropped; 0: the container waits instead
    buffer: int = 0
    #: Of ``syslog`` and ``journald``: what to send where, as the driver's module reads it
    remote: tuple[tuple[str, str], ...] = ()
    #: Whether a log that is sent away is kept here too, to be read back, in the form of ``local``
    cached: bool = False

    @property
    def apart(self) -> bool:
        """Whether the driver may be slow without limit, so that it has a process of its own."""
        return bool(self.buffer or self.remote)

    @property
    def readable(self) -> bool:
        return self.driver in LOCAL_DRIVERS or self.cached

    @property
    def format(self) -> str:
        """The format of the files that are read back."""
        return "json-file" if self.driver == "json-file" else "local"

    @classmethod
    def of(cls, values: list[object]) -> LogSettings:
        """From what JSON made of it."""
        return cls._make(tuple(tuple(pair) for pair in value) if isinstance(value, list) else value for value in values)
