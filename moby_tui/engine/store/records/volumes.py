"""Volumes as they are kept on disk: rows of ``volumes``, and the records in their folders.

``resources/volumes/wire.py`` converts to and from the Engine API's structs.
"""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
from moby_tui.engine.store.records import Form


class VolumeRecord(Form):
    """One volume. ``options`` are those that its driver was given; ``created_at`` is a time as RFC 3339.

    ``mountpoint`` is the folder of its content, of a plug-in's volume what the plug-in said when the row was written.
    """

    name: str
    driver: str = "local"
    mountpoint: str = ""
    created_at: str = ""
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    scope: str = "local"
