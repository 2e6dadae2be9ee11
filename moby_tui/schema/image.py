"""Images, as the Engine API has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import UNSET, Struct, UnsetType, field

from moby_tui.schema import oci
from moby_tui.schema.base import ZERO_TIME, Wire
from moby_tui.schema.container import ContainerConfig
from moby_tui.schema.oci import Descriptor, Platform


class ManifestSize(Wire, kw_only=True):
    """``content``: bytes as they are stored and sent; ``total``: with the files unpacked."""

    content: int = 0
    total: int = 0


class UnpackedSize(Wire, kw_only=True):
    unpacked: int = 0


class ImageData(Wire, kw_only=True):
    """``containers`` are the ids of those made of it."""

    platform: Platform
    containers: list[str] = field(default_factory=list)
    size: UnpackedSize = field(default_factory=UnpackedSize)


class AttestationData(Wire, kw_only=True):
    """The digest of the manifest that it is about."""

    subject: str = field(default="", name="For")


class ManifestSummary(Wire, kw_only=True):
    """One manifest of an image: ``kind`` is ``image``, ``attestation`` or ``unknown``; ``available``: all of it is here."""

    id: str = field(name="ID")
    descriptor: Descriptor
    available: bool = False
    size: ManifestSize = field(default_factory=ManifestSize)
    kind: str = "unknown"
    image_data: ImageData | None = None
    attestation_data: AttestationData | None = None


class ImageSummary(Wire, kw_only=True):
    """``created`` is Unix seconds; -1 in ``shared_size`` and ``containers`` means not computed."""

    id: str
    parent_id: str = ""
    repo_tags: list[str] = field(default_factory=list)
    repo_digests: list[str] = field(default_factory=list)
    created: int = 0
    size: int = 0
    shared_size: int = -1
    labels: dict[str, str] | None = None
    containers: int = -1
    #: where they were asked for
    manifests: list[ManifestSummary] | UnsetType | None = UNSET


class RootFs(Wire, kw_only=True):
    type: str = "layers"
    layers: list[str] = field(default_factory=list)


class ImageMetadata(Wire, kw_only=True):
    """What only this engine knows of an image. The time of the last tag is not kept."""

    last_tag_time: str = ZERO_TIME


class ImageInspect(Wire, kw_only=True):
    """``id`` is ``sha256:`` and the digest of the image configuration."""

    id: str
    repo_tags: list[str] = field(default_factory=list)
    repo_digests: list[str] = field(default_factory=list)
    parent: str = ""
    comment: str = ""
    created: str = ""
    author: str = ""
    config: ContainerConfig = field(default_factory=ContainerConfig)
    architecture: str = ""
    variant: str = ""
    os: str = "linux"
    size: int = 0
    root_fs: RootFs = field(default_factory=RootFs, name="RootFS")
    metadata: ImageMetadata = field(default_factory=ImageMetadata)


class ImageHistory(Wire, kw_only=True):
    id: str
    created: int
    created_by: str
    tags: list[str] | None = None
    size: int = 0
    comment: str = ""


class ImageDeleted(Wire, kw_only=True, omit_defaults=True):
    """One line of what a removal did: exactly one of the two is set."""

    untagged: str | None = None
    deleted: str | None = None


class ImagesPruned(Wire, kw_only=True):
    images_deleted: list[ImageDeleted] | None = None
    space_reclaimed: int = 0


class BuildPruned(Wire, kw_only=True):
    caches_deleted: list[str] | None = None
    space_reclaimed: int = 0


class ProgressDetail(Struct, kw_only=True, omit_defaults=True):
    current: int = 0
    total: int = 0


class ErrorDetail(Struct, kw_only=True, omit_defaults=True):
    message: str
    code: int = 0


class BuildStep(Struct, kw_only=True, omit_defaults=True):
    """One step of a build that is told live: ``state`` is ``begun``, ``cached``, ``done`` or ``failed``, or empty for what it says
    meanwhile. Times are Unix seconds.

    ``stage`` is the number of the stage that it belongs to, None outside all; ``lines`` the first and the last line of its instruction in
    the Dockerfile, zeros if it has none. A vertex of a graph of operations has its ``digest``, and ``inputs`` are those of its inputs.
    """

    id: int
    name: str = ""
    state: str = ""
    time: float = 0
    #: why it has failed
    error: str = ""
    stage: int | None = None
    lines: tuple[int, int] = (0, 0)
    digest: str = ""
    inputs: list[str] = field(default_factory=list)


class PlannedStep(Struct, frozen=True, omit_defaults=True):
    """An instruction that a build will tell as a step. ``lines``: its first and its last in the Dockerfile."""

    text: str
    lines: tuple[int, int]


class PlannedStage(Struct, frozen=True, omit_defaults=True):
    """A stage of a Dockerfile. ``name`` is empty if it has none; ``base`` is what FROM names; ``needs`` are the numbers of the stages
    that it begins from or copies from; not ``wanted``: the target does without it."""

    name: str
    base: str
    needs: list[int]
    wanted: bool
    steps: list[PlannedStep]


class BuildPlan(Struct, frozen=True, omit_defaults=True):
    """What a build is about to do, told once: its Dockerfile, and the stages in their order there. There are none if the Dockerfile
    cannot be read."""

    dockerfile: str
    source: bytes
    stages: list[PlannedStage] = []


class BuildFault(Struct, frozen=True, omit_defaults=True):
    """Where in the Dockerfile a build has failed: the first and the last line of the instruction."""

    lines: tuple[int, int]


class Progress(
    Struct, kw_only=True, omit_defaults=True, rename={"progress_detail": "progressDetail", "error_detail": "errorDetail"}
):
    """One line of the JSON stream of pull, push, load, import and build.

    After the first line has been sent an error can only be told in ``error_detail`` and, for older clients, ``error``.
    """

    status: str | None = None
    id: str | None = None
    progress_detail: ProgressDetail | None = None
    stream: str | None = None
    aux: dict[str, str | int] | None = None
    error: str | None = None
    error_detail: ErrorDetail | None = None
    #: of a build that is told live
    step: BuildStep | None = None
    plan: BuildPlan | None = None
    fault: BuildFault | None = None
    #: a piece of what a build makes for its caller, of the output (counted from 0, the caches after them) of this number
    output: bytes | None = None
    number: int = 0


class RegistryAuth(Struct, kw_only=True, omit_defaults=True):
    """Header ``X-Registry-Auth``, base64url JSON."""

    username: str = ""
    password: str = ""
    auth: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class HeldLogin(RegistryAuth, kw_only=True):
    """A login that stays with the caller, who gets tokens from token servers itself; in the same process as the engine.

    ``token`` gives the token of a token server (realm) for a service and scopes, ``login`` the login itself, for a registry that takes
    no tokens. Both raise ``MobyError``.
    """

    token: Callable[[str, str, list[str]], Awaitable[str]]
    login: Callable[[], Awaitable[RegistryAuth | None]]


class SearchResult(Struct, kw_only=True):
    """One repository of ``GET /images/search``; the names on the wire are these."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class DistributionInspect(Wire, kw_only=True):
    """What a reference is in its registry: its manifest or index, and the platforms that this serves."""

    descriptor: oci.Descriptor
    platforms: list[oci.Platform] = field(default_factory=list)


class RegistryManifest(Wire, kw_only=True):
    """A manifest or index as its registry has it. ``content``: the bytes that the digest is of (base64 on the wire); ``descriptor`` has
    the platform of an image, from its configuration."""

    descriptor: oci.Descriptor
    content: bytes


class ManifestUpload(Wire, kw_only=True):
    """A manifest or index for a registry. ``source``: the repository of the same registry whose blobs a manifest names, if another."""

    media_type: str
    content: bytes
    source: str = ""
