"""What every engine answers, near or far: the in-process engine and the remote one over HTTP both are a ``Client``.

All calls are coroutines or asynchronous iterators in schema types, and raise the errors of ``moby_tui.errors``. A
``ref`` is a full id, a name, or a unique prefix of an id.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, overload

from moby_tui.schema.base import Filters
from moby_tui.schema.container import (
    AttachOptions,
    ContainerConfig,
    ContainerCreate,
    ContainerCreated,
    ContainerExit,
    ContainerInspect,
    ContainersPruned,
    ContainerSummary,
    ContainerUpdate,
    ContainerUpdated,
    EndpointSettings,
    ExecCreate,
    ExecInspect,
    ExecStart,
    LogOptions,
    PathChange,
    PathStat,
    PortChanges,
    PortsChanged,
    Top,
)
from moby_tui.schema.event import Event
from moby_tui.schema.image import (
    BuildPruned,
    DistributionInspect,
    ImageDeleted,
    ImageHistory,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    Progress,
    RegistryAuth,
    SearchResult,
)
from moby_tui.schema.network import Network, NetworkCreate, NetworkCreated, NetworksPruned
from moby_tui.schema.oci import Descriptor
from moby_tui.schema.stats import Stats
from moby_tui.schema.stream import Stream
from moby_tui.schema.system import DiskUsage, Info, Login, PruneOptions, PruneReport, Version
from moby_tui.schema.traffic import Exposure, Finding, Shape
from moby_tui.schema.volume import Volume, VolumeCreate, VolumeFile, VolumeList, VolumesPruned

if TYPE_CHECKING:
    from moby_tui.schema.build import BuildOptions
    from moby_tui.schema.exploration import FileChange, ImageExploration
    from moby_tui.schema.provenance import Attestation, Verification, VerifyOptions
    from moby_tui.schema.secret import Secret, SecretCreate, SecretCreated


class ExitWait(Protocol):
    """A wait that is already registered: no exit after its making is missed."""

    async def result(self) -> ContainerExit: ...
    async def close(self) -> None: ...


class Archives(Protocol):
    """What has files that ``cp`` reaches: the containers, or the volumes, of an engine."""

    async def inspect(self, ref: str, /) -> object: ...
    async def archive_stat(self, ref: str, path: str, /) -> PathStat: ...
    async def archive_get(self, ref: str, path: str, /) -> tuple[PathStat, AsyncIterator[bytes]]: ...
    async def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        /,
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None: ...


class Containers(Protocol):
    async def list(
        self, *, all: bool = False, limit: int = 0, size: bool = False, filters: Filters | None = None
    ) -> list[ContainerSummary]: ...
    async def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated: ...
    @overload
    async def run(
        self,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: Literal[False] = False,
    ) -> bytes:
        """Creates, starts and awaits: what the command wrote to its standard output, or the id with ``detach``.

        See ``moby_tui.running``, which is every client's. Raises ``ContainerFailed`` where the command does not end with 0.
        """
        ...

    @overload
    async def run(
        self,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: Literal[True],
    ) -> str: ...
    async def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect: ...
    async def start(self, ref: str) -> None: ...
    async def stop(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None: ...
    async def restart(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None: ...
    async def kill(self, ref: str, *, signal: str = "KILL") -> None: ...
    async def pause(self, ref: str) -> None: ...
    async def unpause(self, ref: str) -> None: ...
    async def rename(self, ref: str, name: str) -> None: ...
    async def update(self, ref: str, changes: ContainerUpdate) -> ContainerUpdated:
        """What is zero, empty or None in ``changes`` stays as it is."""
        ...

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None: ...
    async def change_ports(self, ref: str, changes: PortChanges) -> PortsChanged:
        """Publishes and withdraws ports, at once where the container runs. Not in the Docker Engine API."""
        ...

    async def remove_link(self, name: str) -> None:
        """Undoes a link of the default bridge, by the name that it gives: ``LINKING/ALIAS``."""
        ...

    async def prune(self, *, filters: Filters | None = None) -> ContainersPruned: ...

    async def wait(self, ref: str, *, condition: str = "not-running") -> ExitWait:
        """Conditions as in the API: ``not-running``, ``next-exit``, ``removed``."""
        ...

    async def attach(self, ref: str, options: AttachOptions) -> Stream:
        """Works on a created container too: the stream then begins with the first byte it will ever write."""
        ...

    def logs(self, ref: str, options: LogOptions) -> AsyncIterator[tuple[int, bytes]]:
        """Yields ``(STDOUT or STDERR, one line with its newline)``."""
        ...

    def stats(self, ref: str, *, stream: bool = True, one_shot: bool = False) -> AsyncIterator[Stats]: ...
    async def top(self, ref: str, ps_args: str = "-ef") -> Top: ...
    async def resize(self, ref: str, *, height: int, width: int) -> None: ...
    async def changes(self, ref: str) -> builtins.list[PathChange]: ...

    async def exec_create(self, ref: str, config: ExecCreate) -> str: ...
    async def exec_start(self, exec_id: str, options: ExecStart) -> Stream | None:
        """None when ``options.detach``."""
        ...

    async def exec_inspect(self, exec_id: str) -> ExecInspect: ...
    async def exec_resize(self, exec_id: str, *, height: int, width: int) -> None: ...

    async def archive_stat(self, ref: str, path: str) -> PathStat: ...
    async def archive_get(self, ref: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        """An uncompressed tar of the path; its first entry is the path's base name."""
        ...

    async def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        """Unpacks a tar (plain or compressed) into an existing directory of the container."""
        ...

    async def commit(
        self,
        ref: str,
        *,
        reference: str = "",
        message: str = "",
        author: str = "",
        changes: Sequence[str] = (),
        config: ContainerConfig | None = None,
        pause: bool = True,
    ) -> str:
        """Makes an image of the container's files and configuration, and returns its id.

        ``changes`` are Dockerfile instructions; what ``config`` has wins over the container's own. The container is paused meanwhile.
        """
        ...

    def export(self, ref: str) -> AsyncIterator[bytes]: ...


class Images(Protocol):
    async def list(
        self,
        *,
        all: bool = False,
        digests: bool = False,
        filters: Filters | None = None,
        shared_size: bool = False,
        manifests: bool = False,
    ) -> list[ImageSummary]: ...
    def push(
        self, reference: str, *, all_tags: bool = False, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        """Sends an image to the registry that its name names."""
        ...

    def pull(
        self, reference: str, *, platform: str = "", all_tags: bool = False, auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        """A failure is raised, not told in the progress."""
        ...

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool = False, platform: str = "") -> AsyncIterator[Progress]: ...
    def save(self, refs: Sequence[str], *, platforms: Sequence[str] = ()) -> AsyncIterator[bytes]:
        """An uncompressed tar of the images: OCI layout and ``docker save`` archive in one."""
        ...

    def import_tar(
        self,
        archive: AsyncIterator[bytes] | str,
        *,
        reference: str = "",
        message: str = "",
        changes: builtins.list[str] | None = None,
        platform: str = "",
    ) -> AsyncIterator[Progress]:
        """Makes an image of one layer. ``archive``: a tar of a root file system, or the http(s) address from which the engine fetches it."""
        ...

    async def inspect(self, ref: str, *, platform: str = "") -> ImageInspect: ...
    async def history(self, ref: str, *, platform: str = "") -> builtins.list[ImageHistory]: ...
    async def tag(self, ref: str, target: str) -> None: ...
    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> builtins.list[ImageDeleted]: ...
    async def prune(self, *, filters: Filters | None = None) -> ImagesPruned: ...
    async def explore(self, ref: str) -> ImageExploration:
        """What each layer adds, changes and deletes, and the bytes that nobody can see any more."""
        ...

    def layer_files(self, ref: str, *, layer: int | None = None) -> AsyncIterator[FileChange]:
        """What one layer (the lowest is 0), or each, does to which path."""
        ...

    async def verify(self, ref: str, options: VerifyOptions, *, auth: RegistryAuth | None = None) -> Verification:
        """Whether one of the keys has signed the image; raises ``Forbidden`` where none has."""
        ...

    async def attestations(
        self, ref: str, *, statements: bool = False, predicate_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Attestation]:
        """Bills of materials, provenance and the like that are attached to the image in its registry; nothing of it is verified.

        ``statements``: with what they say. ``predicate_type``: those alone whose type has this in it.
        """
        ...


class Networks(Protocol):
    async def list(self, *, filters: Filters | None = None) -> list[Network]: ...
    async def inspect(self, ref: str, *, verbose: bool = False) -> Network: ...
    async def create(self, config: NetworkCreate) -> NetworkCreated: ...
    async def remove(self, ref: str) -> None: ...
    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned: ...
    async def connect(self, ref: str, container: str, config: EndpointSettings | None = None) -> None: ...
    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None: ...
    async def exposure(self) -> builtins.list[Exposure]:
        """Which ports of the running containers are reachable from outside of the host, and why."""
        ...

    async def examine(self) -> builtins.list[Finding]:
        """What blocks or breaks the traffic of the networks, and what to do about it. Nothing is changed."""
        ...

    async def shapes(self, container: str) -> builtins.list[Shape]:
        """For each network of a running container how what it sends there is treated."""
        ...

    async def shape(self, container: str, shape: Shape) -> None:
        """Delays, loses or limits what a running container sends into a network, or into each; for as long as it runs."""
        ...


class Volumes(Protocol):
    async def list(self, *, filters: Filters | None = None) -> list[Volume]: ...
    async def listed(self, *, filters: Filters | None = None) -> VolumeList:
        """The same with warnings of plug-ins that do not say what they have."""
        ...

    async def create(self, config: VolumeCreate) -> Volume: ...
    async def inspect(self, name: str) -> Volume: ...
    async def remove(self, name: str, *, force: bool = False) -> None: ...
    async def prune(self, *, filters: Filters | None = None) -> VolumesPruned: ...
    async def rename(self, name: str, new: str) -> None:
        """Of a volume that no container uses. This and what follows is moby's own, not Docker's."""
        ...

    async def clone(self, name: str, new: str) -> Volume: ...
    def files(self, name: str, path: str = "/") -> AsyncIterator[VolumeFile]:
        """What is in a folder of a volume, by name."""
        ...

    async def archive_stat(self, name: str, path: str) -> PathStat: ...
    async def archive_get(self, name: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        """A tar of a path in a volume, as of one in a container."""
        ...

    async def archive_put(
        self,
        name: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None: ...


class Secrets(Protocol):
    """Moby's own: Docker's engine has secrets for a swarm's services alone. ``ref`` is a name, an id or the beginning of one."""

    async def list(self, *, filters: Filters | None = None) -> list[Secret]: ...
    async def create(self, config: SecretCreate) -> SecretCreated: ...
    async def inspect(self, ref: str) -> Secret: ...
    async def remove(self, ref: str) -> None: ...


class Builder(Protocol):
    def build(
        self,
        context: AsyncIterator[bytes] | None = None,
        options: BuildOptions | None = None,
        contexts: Mapping[str, AsyncIterator[bytes]] | None = None,
    ) -> AsyncIterator[Progress]:
        """A tar of the context, or nothing where ``options.remote`` names one; ``contexts`` are what ``options.contexts`` says comes along,
        in its order. The last line with ``aux`` has the image's ``ID``; ``output`` are pieces of what was asked for as a file."""
        ...

    async def prune(self, *, all: bool = False, filters: Filters | None = None, keep_storage: int = 0) -> BuildPruned: ...


class Events(Protocol):
    def stream(
        self, *, since: float | None = None, until: float | None = None, filters: Filters | None = None
    ) -> AsyncIterator[Event]:
        """Past events from ``since`` (Unix seconds), then live ones until ``until`` (None: for ever); no gap, no repeat. Without
        ``since``: all past ones where there is an ``until``, else none."""
        ...


class System(Protocol):
    async def ping(self) -> None: ...
    async def version(self) -> Version: ...
    async def info(self) -> Info: ...
    async def login(self, auth: RegistryAuth) -> Login:
        """Asks a registry whether it takes a login; nothing is kept."""
        ...

    async def disk_usage(self) -> DiskUsage: ...
    async def prunable(self, options: PruneOptions) -> PruneReport:
        """What the prunes of these kinds would take away, one after the other, and how many bytes come back. Nothing is changed."""
        ...


class Registry(Protocol):
    """What registries have; nothing is pulled. Docker's API has a door for ``search`` and ``inspect``: a remote engine does these alone.

    ``auth`` is the login; the engine in this process finds a stored one itself."""

    async def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, auth: RegistryAuth | None = None
    ) -> builtins.list[SearchResult]:
        """Repositories of Docker Hub, or of the registry that the term begins with."""
        ...

    async def inspect(self, reference: str, *, auth: RegistryAuth | None = None) -> DistributionInspect: ...
    async def list(self, server: str = "", *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        """The repositories of a registry, of those that let themselves be listed."""
        ...

    async def tags(self, repository: str, *, auth: RegistryAuth | None = None) -> builtins.list[str]: ...
    async def referrers(
        self, reference: str, *, artifact_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Descriptor]:
        """What refers to a manifest: signatures, bills of materials."""
        ...

    async def remove(self, reference: str, *, auth: RegistryAuth | None = None) -> str:
        """By digest a manifest with all its tags, by tag the tag alone; what is deleted.

        Raises ``Forbidden`` where the registry does not let that be done."""
        ...


class Client(Protocol):
    """An engine to talk to. Use as ``async with connect(host) as client``."""

    @property
    def containers(self) -> Containers: ...
    @property
    def images(self) -> Images: ...
    @property
    def networks(self) -> Networks: ...
    @property
    def volumes(self) -> Volumes: ...
    @property
    def secrets(self) -> Secrets: ...
    @property
    def builder(self) -> Builder: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def events(self) -> Events: ...
    @property
    def system(self) -> System: ...
    async def close(self) -> None: ...
    async def __aenter__(self) -> Client: ...
    async def __aexit__(self, *exc: object) -> None: ...
