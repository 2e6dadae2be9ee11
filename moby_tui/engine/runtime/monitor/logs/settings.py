"""What the monitor needs to know of a container's log, in plain values (light imports)."""

from __future__ import annotations

from collections import namedtuple

#: The drivers that keep the log on this machine, each with the format of its files.
LOCAL_DRIVERS = ("json-file", "local")


# not typing's: importing that would cost every monitor 0.7 MB
class LogSettings(
    namedtuple(
        "LogSettings",
        ("driver", "max_size", "max_files", "compress", "attributes", "buffer", "remote", "cached"),
        defaults=("json-file", 10 * 1024 * 1024, 3, False, "", 0, (), False),
    )
):
    """One log. ``max_size`` is in bytes, 0 without bound; ``max_files`` counts the written one too."""

    __slots__ = ()

    driver: str
    max_size: int
    max_files: int
    compress: bool
    #: JSON object of labels and environment that stands in each entry; empty for none
    attributes: str
    #: Bytes that may wait for a slow driver before output is dropped; 0: the container waits instead
    buffer: int
    #: Of ``syslog`` and ``journald``: what to send where, as the driver's module reads it
    remote: tuple[tuple[str, str], ...]
    #: Whether a log that is sent away is kept here too, to be read back, in the form of ``local``
    cached: bool

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
