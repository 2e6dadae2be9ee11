"""A build as it is asked for, and what it says of its steps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct, field

from moby_tui.errors import MobyError
from moby_tui.schema import oci
from moby_tui.schema.container import HostConfig
from moby_tui.schema.image import RegistryAuth
from moby_tui.schema.operations import Assembly, Graph, Lookup, Process, Sandbox
from moby_tui.schema.stream import Stream

#: Each as the part of ``BuildOptions.contexts`` that says: it comes with the build, under its name.
UPLOADED = "upload"
#: The same, of an OCI layout: after a colon may stand the tag or digest of the image that is meant.
UPLOADED_LAYOUT = "oci-layout"


#: As the part of ``BuildOptions.contexts`` before a colon: an image in a store of the ``Caller``, as ``STORE@DIGEST``.
STORED = "stored"
#: An OCI layout that is a cache of another engine's.
UPLOADED_CACHE = "cache"
#: As the part of ``BuildOptions.contexts`` before a colon: a folder of the ``Caller``, with this name there.
FOLDER = "folder"
#: The same: an image that another build of this engine has made, by its id. It need not be stored.
MADE = "made"


class Packing(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """How an output has an image: ``compression`` of the layers that the build has made is ``gzip``, ``zstd`` or ``uncompressed``, by default
    as they are; ``force``: of those of base images too. ``docker_types``: Docker's media types in place of OCI's."""

    compression: str = ""
    level: int | None = None
    force: bool = False
    docker_types: bool = False


class Annotation(Struct, frozen=True):
    """``kind`` is what it annotates: ``manifest``, ``manifest-descriptor``, ``index`` or ``index-descriptor``; ``platform`` that of the one
    image that is meant, empty for all."""

    key: str
    value: str
    kind: str = "manifest"
    platform: str = ""


class Output(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Where a result goes. ``kind`` is ``image`` (the store), ``registry``, ``local``, ``tar``, ``oci`` or ``docker``; what the last four
    make comes back as ``Progress.output``, or goes to the ``Caller``. ``cacheonly``: nowhere.

    ``split``: files of each platform are in a folder of their own; by default if there are several platforms. ``store`` is a store of the
    ``Caller`` that takes an OCI layout's blobs, in place of one archive. ``by_digest``: what is pushed gets no tag.
    """

    kind: str
    push: bool = False
    packing: Packing = Packing()
    split: bool | None = None
    store: str = ""
    by_digest: bool = False
    annotations: tuple[Annotation, ...] = ()


class CacheTarget(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Where the steps of a build are told for others: ``kind`` is ``inline`` (in the image), ``registry`` (as ``reference``) or ``local``
    (an OCI layout, as ``Progress.output``, or in the store ``reference`` of the ``Caller``). Not ``everything``: those of the last stage
    alone."""

    kind: str
    reference: str = ""
    everything: bool = False


class Provenance(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A statement beside the image of what it was made from and how: https://slsa.dev/provenance/v0.2.

    ``arguments`` are what the client asked the ``frontend`` for. Not ``everything``: without build arguments, labels and the Dockerfile.
    ``vcs`` is what the client knows of the context's repository; ``builder`` and ``is_reproducible`` are told as they are.
    """

    frontend: str
    arguments: dict[str, str] = field(default_factory=dict)
    everything: bool = False
    vcs: dict[str, str] = field(default_factory=dict)
    builder: str = ""
    is_reproducible: bool = False


class Scan(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A bill of materials beside the image: made by ``scanner``, the name of an image, which is given ``parameters`` as variables."""

    scanner: str
    parameters: dict[str, str] = field(default_factory=dict)


class StoredCache(Struct, frozen=True):
    """A build cache in a store of the ``Caller``: the digest of its manifest."""

    store: str
    digest: str


class BuildOptions(Struct, kw_only=True, omit_defaults=True):
    """``dockerfile`` is its name in the context; ``dockerfile_text`` is what it says where it lies elsewhere."""

    #: by which the engine's events name the build; empty: one is made
    id: str = ""
    dockerfile: str = "Dockerfile"
    dockerfile_text: bytes | None = None
    #: an ignore file that lies beside such a Dockerfile
    ignore_text: bytes | None = None
    #: where the context is fetched from, where none is sent: a repository, or a tar or Dockerfile behind http
    remote: str = ""
    #: the ``Caller``'s folders with the context and with the Dockerfile (and its ignore file), by their names there
    folder: str = ""
    dockerfile_folder: str = ""
    #: by name: ``UPLOADED``, an address as in ``remote``, ``docker-image://name``, ``target:stage``, ``folder:name``, ``made:id``.
    #: ``name::platform`` counts for that platform alone
    contexts: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    build_args: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)
    #: by id, the socket of an agent or private keys; on the engine's machine
    ssh: dict[str, list[str]] = field(default_factory=dict)
    #: ``network.host``, ``security.insecure``
    allow: list[str] = field(default_factory=list)
    #: the Dockerfile is checked, and nothing is made
    check: bool = False
    target: str = ""
    #: none: this machine's
    platforms: list[str] = field(default_factory=list)
    pull: bool = False
    no_cache: bool = False
    #: stages that are made anew
    no_cache_filter: list[str] = field(default_factory=list)
    #: of images, or of caches in a registry; those that are files come as ``UPLOADED_CACHE``
    cache_from: list[str] = field(default_factory=list)
    #: caches that the ``Caller`` has
    cache_stores: list[StoredCache] = field(default_factory=list)
    cache_to: list[CacheTarget] = field(default_factory=list)
    provenance: Provenance | None = None
    #: the provenance that the ``Caller`` is told of
    recorded: Provenance | None = None
    scan: Scan | None = None
    #: none: an image in the store
    outputs: list[Output] = field(default_factory=list)
    #: what RUN steps are given: network, hosts, shared memory, limits
    host: HostConfig = field(default_factory=HostConfig)
    #: RUN steps at a time; 0: as many as there are processors, and at least 8
    jobs: int = 0
    #: logins, by registry, of a caller elsewhere
    auths: dict[str, RegistryAuth] = field(default_factory=dict)
    #: tells each step as it goes, rather than the classic builder's lines one stage after another
    live: bool = False
    #: as dockerd's classic builder: standard error is red, only the Dockerfile's own steps are told, and of all cached steps
    #: those of the local images in ``cache_from`` count, if it names any
    classic: bool = False
    #: the containers of RUN steps that stay, with the images of their steps: ``all``, ``failed``, or none
    kept: str = ""
    #: a step that fails is kept to be looked at: ``aux`` names its container, which the caller ends
    debug: bool = False
    #: the Dockerfile is read as one whatever frontend it names: another one has asked for its build
    any_syntax: bool = False
    #: a graph of operations, in place of a Dockerfile
    graph: Graph | None = None
    #: something else in place of a Dockerfile; it needs a ``Caller``
    task: Lookup | Assembly | Sandbox | None = None


class Warned(Struct, frozen=True):
    """A warning of the build checks. ``rule`` is BuildKit's name for it; ``lines`` are the first and the last of the Dockerfile."""

    rule: str
    text: str
    description: str
    address: str
    lines: tuple[int, int]
    dockerfile: str
    source: bytes


class Target(Struct, frozen=True):
    """A stage of a Dockerfile; one without a name has an empty one. ``lines`` are the first and the last of its FROM."""

    name: str
    description: str
    base: str
    default: bool
    lines: tuple[int, int]


class Parameter(Struct, frozen=True):
    """A build argument, a secret or an agent that a target takes; ``value`` is that of the argument."""

    name: str
    description: str
    value: str
    required: bool
    lines: tuple[int, int]


class Outline(Struct, frozen=True):
    target: Target
    arguments: list[Parameter]
    secrets: list[Parameter]
    agents: list[Parameter]


class Examined(Struct, frozen=True):
    """What a build with ``BuildOptions.check`` has found. ``error`` is why the Dockerfile cannot be built; then there is no more."""

    dockerfile: str
    source: bytes
    warned: list[Warned]
    targets: list[Target]
    outline: Outline | None
    error: MobyError | None = None


class Made(Struct, frozen=True):
    """An image that a build has made, before it is exported. ``manifest`` describes it; its platform is set. ``files`` gives a descriptor of
    its root for the block, blocking, and raises ``MobyError`` if it has no layer."""

    id: str
    config: oci.ImageConfig
    manifest: oci.Descriptor
    files: Callable[[], AbstractContextManager[int]]


class Sent(NamedTuple):
    """What a caller sent of a folder: ``size`` in bytes; ``changed`` is True if the folder is another than before.

    ``inventory`` tells the next ``fill`` what is in the folder now; empty if that would be too much to keep.
    """

    size: int
    changed: bool
    inventory: bytes = b""


class StepProcess(Protocol):
    """A process in a container of a build. ``stream`` has its input and output."""

    stream: Stream

    async def resize(self, height: int, width: int) -> None: ...
    async def kill(self, signal: int) -> None: ...
    async def result(self) -> int:
        """Waits for its exit code."""
        ...


class StepContainer(Protocol):
    """A container of a build; ``config`` is the configuration of the image that it was asked for with. It ends with its first process."""

    config: oci.ImageConfig

    async def start(self, process: Process) -> StepProcess:
        """Raises ``Forbidden`` for what the build does not allow, and what a start raises."""
        ...


class Caller(Protocol):
    """Who has asked for a build and supplies what it needs, at the time it needs it; in the same process as the engine.

    Each method raises ``MobyError``: ``Unavailable`` if the caller is gone.
    """

    #: a later build of a caller with the same key has the same folders: only changed files are sent
    key: str

    async def fill(
        self,
        folder: str,
        into: Path,
        *,
        exclude: Sequence[str] = (),
        only: Sequence[str] = (),
        include: Sequence[str] = (),
        inventory: bytes = b"",
    ) -> Sent:
        """Makes ``into`` equal to a folder of the caller.

        ``exclude``: patterns as in ``.dockerignore``. ``include``: patterns of what is sent; all if empty. ``only``: these paths, which may
        have wildcards and be missing, and what their symbolic links lead to; all if empty. ``inventory`` is that of the last ``fill``, if
        nobody has changed the folder since: the folder is not looked at then unless the caller's is another.
        """
        ...

    async def secret(self, ident: str) -> bytes | None: ...
    async def login(self, domain: str) -> RegistryAuth | None: ...
    def agent(self, ident: str, folder: Path) -> AbstractAsyncContextManager[str | None]:
        """A socket of an agent, until the end of the block; it may be made in ``folder``, which only root reads."""
        ...

    async def made(self, images: Sequence[Made]) -> oci.ImageConfig | None:
        """Called with the image of each platform. The build exports them once this returns.

        What it returns is the configuration for the image of a graph of operations, which has none of its own.
        """
        ...

    def tell_provenance(self, platform: oci.Platform, predicate: bytes) -> None:
        """Called with the provenance (https://slsa.dev/provenance/v0.2, JSON) of each image, before ``made``."""
        ...

    def graph(self, data: bytes) -> Graph:
        """The graph of operations that a file of a build has. Raises ``InvalidArgument``, ``NotImplementedYet``."""
        ...

    async def use(self, container: StepContainer) -> None:
        """Called with the container of a ``Sandbox``, which is removed once this returns."""
        ...

    def find(self, digest: str, config: bytes) -> None:
        """Called with what a ``Lookup`` has found. ``digest`` is that in the registry; empty if the image was here."""
        ...

    def warn(self, warned: Warned) -> None: ...
    def tell(self, examined: Examined) -> None:
        """Called instead of ``made`` by a build that only checks."""
        ...

    def blob(self, store: str, digest: str) -> AsyncIterator[bytes]:
        """A blob of one of the caller's stores, not verified. Raises ``NotFound``."""
        ...

    async def take_blob(self, store: str, blob: oci.Descriptor, pieces: AsyncIterator[bytes]) -> None:
        """Stores a blob, unless it is there."""
        ...

    def tell_cache(self, manifest: oci.Descriptor) -> None:
        """Called with what ``take_blob`` took last: the manifest of an exported cache."""
        ...

    async def take_trees(self, number: int, roots: Sequence[tuple[str, Path]]) -> None:
        """Takes the output of this number (counted from 0) as a folder: each root's files are in a folder of it with the name before it,
        or in the folder itself if the name is empty."""
        ...

    async def take_file(self, number: int, pieces: AsyncIterator[bytes]) -> None: ...
