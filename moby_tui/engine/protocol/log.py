"""What a monitor is told of its container's log."""

from __future__ import annotations

from moby_tui.engine.protocol.message import MalformedMessage, Message

#: The drivers that keep the log on this machine, each with the format of its files.
LOCAL_DRIVERS = ("json-file", "local")


class LogSettings(Message):
    """One log. ``max_size`` is in bytes, 0 without bound; ``max_files`` counts the file that is being written too."""

    driver: str = "json-file"
    max_size: int = 10 * 1024 * 1024
    max_files: int = 3
    compress: bool = False
    #: JSON object of labels and environment that stands in each entry; empty for none
    attributes: str = ""
    #: bytes that may wait for a slow driver before output is dropped; 0: the container waits instead
    buffer: int = 0
    #: of ``syslog`` and ``journald``: what to send where, pairs that the driver's module reads
    remote: list[list[str]] = []
    #: whether a log that is sent away is kept here too, to be read back, in the form of ``local``
    cached: bool = False

    def check(self, where: str) -> None:
        if any(len(pair) != 2 for pair in self.remote):
            raise MalformedMessage(f"{where}: remote: expected pairs")

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
