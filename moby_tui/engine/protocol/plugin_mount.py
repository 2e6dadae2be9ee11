"""What an engine writes down of a volume that a plug-in mounts for a container, for the monitor and for later engines."""

from __future__ import annotations

from moby_tui.engine.protocol.message import Message


class PluginMount(Message):
    """``Mount`` of ``volume`` was, or is about to be, asked of ``plugin``; the record's file is called by the mount's ID."""

    plugin: str
    volume: str
