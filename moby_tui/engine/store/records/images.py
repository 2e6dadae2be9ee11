"""Images as they are kept on disk: rows of ``images``, and the records in the folder ``images``.

``resources/images/wire.py`` converts the configuration to and from that of the OCI image specification, which a registry has.
"""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
from msgspec import Struct, field

from moby_tui.engine.store.records import Form
from moby_tui.engine.store.records.containers import HealthConfig


class HistoryEntry(Struct, kw_only=True, omit_defaults=True):
    """The line of one step that made the image. ``created`` is a time as RFC 3339; ``empty_layer``: the step made no layer."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFs(Struct, kw_only=True):
    """The layers by the digests of their unpacked tars, the lowest first."""

    type: str = "layers"
    diff_ids: list[str] = field(default_factory=list)


class ExecutionConfig(Form):
    """The defaults that a container takes from its image."""

    user: str = ""
    exposed_ports: dict[str, dict[str, str]] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    volumes: dict[str, dict[str, str]] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    healthcheck: HealthConfig | None = None
    shell: list[str] | None = None
    args_escaped: bool = False
    on_build: list[str] | None = None


class ImageConfig(Struct, kw_only=True, omit_defaults=True):
    """What the engine uses of an image's configuration. The configuration itself, with all that it has, is a blob."""

    architecture: str
    os: str
    variant: str = ""
    created: str | None = None
    author: str = ""
    comment: str = ""
    config: ExecutionConfig | None = None
    rootfs: RootFs = field(default_factory=RootFs)
    history: list[HistoryEntry] = field(default_factory=list)


class ImageRecord(Struct, kw_only=True):
    """An image whose layers are unpacked. ``id`` is the digest of its configuration, ``manifest`` that of its manifest.

    ``size`` and ``layer_sizes`` are in bytes, unpacked. ``blobs`` are the digests of all that belongs to it in the content store, the
    manifest among them.
    """

    id: str
    manifest: str
    config: ImageConfig
    size: int
    layer_sizes: list[int]
    blobs: list[str]

    @property
    def content(self) -> set[str]:
        """The digests of all that it has in the stores of layers and blobs."""
        return {*self.config.rootfs.diff_ids, *self.blobs}
