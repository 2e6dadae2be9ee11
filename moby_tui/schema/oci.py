"""Objects of the OCI image specification 1.1 (descriptor, manifest, index, image configuration)."""

# no annotations from __future__: msgspec would have each one compiled and evaluated, in every command that reads such a record
from msgspec import Struct, field

from moby_tui.schema.base import Oci
from moby_tui.schema.container import HealthConfig

MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
MEDIA_LAYER = "application/vnd.oci.image.layer.v1.tar"
MEDIA_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
MEDIA_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


class Platform(Oci, kw_only=True):
    architecture: str
    os: str
    os_version: str = field(default="", name="os.version")
    os_features: list[str] = field(default_factory=list, name="os.features")
    variant: str = ""


class Descriptor(Oci, kw_only=True):
    """``size`` in bytes; ``digest`` as ``sha256:<64 hex>``."""

    media_type: str
    digest: str
    size: int
    urls: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str = ""


class Manifest(Oci, kw_only=True):
    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor
    layers: list[Descriptor]
    annotations: dict[str, str] = field(default_factory=dict)


class Index(Oci, kw_only=True):
    schema_version: int
    media_type: str = ""
    manifests: list[Descriptor]
    annotations: dict[str, str] = field(default_factory=dict)


class HistoryEntry(Struct, kw_only=True, omit_defaults=True):
    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFs(Struct, kw_only=True):
    type: str = "layers"
    diff_ids: list[str] = field(default_factory=list)


class ExecutionConfig(Struct, kw_only=True, omit_defaults=True, rename="pascal"):
    """The defaults a container takes from its image; the wire names are Docker's."""

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
    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str | None = None
    author: str = ""
    comment: str = ""
    config: ExecutionConfig | None = None
    rootfs: RootFs = field(default_factory=RootFs)
    history: list[HistoryEntry] = field(default_factory=list)
