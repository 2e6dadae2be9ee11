"""The types of the blocking face: the operations of ``api/operations`` with every call blocking. Written by packaging/make-blocking."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Literal, Protocol, overload

from moby_tui.schema.base import Filters
from moby_tui.schema.build import BuildOptions, Caller
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
    LogOptions,
    PathChange,
    PathStat,
    PortChanges,
    PortsChanged,
    Top,
)
from moby_tui.schema.event import Event
from moby_tui.schema.exec import ExecCreate, ExecInspect, ExecStart
from moby_tui.schema.exploration import FileChange, ImageExploration
from moby_tui.schema.files import FolderEntry
from moby_tui.schema.history import Figures, HistoryStatus, KeptLine, Remembered
from moby_tui.schema.image import (
    BuildPruned,
    DistributionInspect,
    ImageDeleted,
    ImageHistory,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    ManifestUpload,
    Progress,
    RegistryAuth,
    RegistryManifest,
    SearchResult,
)
from moby_tui.schema.network import Network, NetworkCreate, NetworkCreated, NetworksPruned
from moby_tui.schema.oci import Descriptor
from moby_tui.schema.provenance import Attestation, Verification, VerifyOptions
from moby_tui.schema.secret import Secret, SecretCreate, SecretCreated
from moby_tui.schema.stats import Stats
from moby_tui.schema.system import Check, DiskUsage, Info, Login, PruneOptions, PruneReport, Version
from moby_tui.schema.traffic import Exposure, Finding, Shape
from moby_tui.schema.volume import Volume, VolumeCreate, VolumeList, VolumesPruned


class Stream(Protocol):
    """See ``moby_tui.schema.stream.Stream``."""

    @property
    def tty(self) -> bool: ...
    def read_raw(self, size: int = 65536) -> bytes: ...
    def output(self) -> Iterator[tuple[int, bytes]]: ...
    def write(self, data: bytes) -> None: ...
    def close_stdin(self) -> None: ...
    def close(self) -> None: ...


class ExitWait(Protocol):
    """A wait that is already registered: no exit after its making is missed."""

    def result(self) -> ContainerExit: ...

    def close(self) -> None: ...


class Containers(Protocol):
    """``ref`` is a full id, a name, or a unique prefix of an id."""

    def list(
        self, *, all: bool = False, limit: int = 0, size: bool = False, filters: Filters | None = None
    ) -> list[ContainerSummary]:
        """Lists the running containers, or all of them."""
        ...

    def create(self, config: ContainerCreate, *, name: str = "", platform: str = "") -> ContainerCreated:
        """Makes a container of an image that is here; it does not run yet."""
        ...

    @overload
    def run(
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

        See ``moby_tui.running``, which is every client's. Raises ``ContainerFailed`` if the command does not end with 0.
        """
        ...

    @overload
    def run(
        self,
        image: str | ContainerCreate,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        platform: str = "",
        remove: bool = False,
        detach: Literal[True],
    ) -> str: ...

    def prune(self, *, filters: Filters | None = None) -> ContainersPruned:
        """Removes the containers that do not run."""
        ...

    def inspect(self, ref: str, *, size: bool = False) -> ContainerInspect:
        """Tells of a container; with ``size`` also how much disk its files use."""
        ...

    def start(self, ref: str) -> None:
        """Starts a container."""
        ...

    def stop(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Sends the signal to stop, and kills what has not ended after ``timeout`` seconds; -1 is for ever."""
        ...

    def restart(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Stops a container and starts it."""
        ...

    def kill(self, ref: str, *, signal: str = "KILL") -> None:
        """Sends a signal to a container's first process."""
        ...

    def pause(self, ref: str) -> None:
        """Freezes the processes of a container."""
        ...

    def unpause(self, ref: str) -> None:
        """Lets the processes of a paused container go on."""
        ...

    def rename(self, ref: str, name: str) -> None:
        """Gives a container another name."""
        ...

    def update(self, ref: str, changes: ContainerUpdate) -> ContainerUpdated:
        """Changes limits and restart policy. What is zero, empty or None in ``changes`` stays as it is."""
        ...

    def change_ports(self, ref: str, changes: PortChanges) -> PortsChanged:
        """Publishes and withdraws ports, at once if the container runs."""
        ...

    def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        """Removes a container; with ``force`` also one that runs, with ``volumes`` also its anonymous volumes."""
        ...

    def remove_link(self, name: str) -> None:
        """Undoes a link of the default bridge, by the name that it gives: ``LINKING/ALIAS``."""
        ...

    def wait(self, ref: str, *, condition: str = "not-running") -> ExitWait:
        """Waits for an exit: ``not-running``, ``next-exit`` or ``removed``. The headers come when the wait is registered."""
        ...

    def attach(self, ref: str, options: AttachOptions) -> Stream:
        """Joins input and output of a container's first process; before its start, from the first byte on."""
        ...

    def logs(self, ref: str, options: LogOptions) -> Iterator[tuple[int, bytes]]:
        """What a container has written: ``(STDOUT or STDERR, one line with its newline)``."""
        ...

    def stats(self, ref: str, *, stream: bool = True, one_shot: bool = False) -> Iterator[Stats]:
        """How much a container uses, every second."""
        ...

    def top(self, ref: str, ps_args: str = "-ef") -> Top:
        """The processes of a container, as ``ps`` of the host tells of them."""
        ...

    def resize(self, ref: str, *, height: int, width: int) -> None:
        """Gives a container's terminal another size."""
        ...

    def changes(self, ref: str) -> builtins.list[PathChange]:
        """What a container has changed in the files of its image."""
        ...

    def exec_create(self, ref: str, config: ExecCreate) -> str:
        """Makes a further process of a running container, and returns its id; it does not run yet."""
        ...

    def exec_start(self, exec_id: str, options: ExecStart) -> Stream | None:
        """Starts such a process, and joins its input and output; None when ``options.detach``."""
        ...

    def exec_inspect(self, exec_id: str) -> ExecInspect:
        """Tells of such a process."""
        ...

    def exec_resize(self, exec_id: str, *, height: int, width: int) -> None:
        """Gives such a process's terminal another size."""
        ...

    def files(self, ref: str, path: str = "/") -> Iterator[FolderEntry]:
        """What is in a folder of a container, by name; of one that runs as it sees it."""
        ...

    def archive_stat(self, ref: str, path: str) -> PathStat:
        """Tells of a path in a container, in the header X-Docker-Container-Path-Stat."""
        ...

    def archive_get(self, ref: str, path: str) -> tuple[PathStat, Iterator[bytes]]:
        """An uncompressed tar of a path in a container; its first entry is the path's base name."""
        ...

    def archive_put(
        self,
        ref: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        """Unpacks a tar, plain or compressed, into a directory of a container."""
        ...

    def commit(
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
        """Makes an image of a container's files and configuration, and returns its id.

        ``changes`` are Dockerfile instructions; what ``config`` has wins over the container's own. The container is paused meanwhile.
        """
        ...

    def export(self, ref: str) -> Iterator[bytes]:
        """A tar of a container's files, without those of its volumes."""
        ...


class Images(Protocol):
    """``ref`` is an id, the beginning of one, or a name with or without tag or digest."""

    def list(
        self,
        *,
        all: bool = False,
        digests: bool = False,
        filters: Filters | None = None,
        shared_size: bool = False,
        manifests: bool = False,
    ) -> builtins.list[ImageSummary]:
        """Lists images."""
        ...

    def push(
        self, reference: str, *, all_tags: bool = False, platform: str = "", auth: RegistryAuth | None = None
    ) -> Iterator[Progress]:
        """Sends an image to the registry that its name names; without a tag, every tag of the name."""
        ...

    def pull(
        self, reference: str, *, platform: str = "", all_tags: bool = False, auth: RegistryAuth | None = None
    ) -> Iterator[Progress]:
        """Fetches an image (``fromImage``), or makes one of a tar of a root file system (``fromSrc``).

        A failure is raised, not told in the progress.
        """
        ...

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool = False, platforms: Sequence[str] = ()) -> Iterator[Progress]:
        """Takes in the images of an archive that ``save`` has made; ``platforms``: those alone, each of which must be there."""
        ...

    def save(self, refs: Sequence[str], *, platforms: Sequence[str] = ()) -> Iterator[bytes]:
        """An uncompressed tar of images: OCI layout and ``docker save`` archive in one."""
        ...

    def import_tar(
        self,
        archive: AsyncIterator[bytes] | str,
        *,
        reference: str = "",
        message: str = "",
        changes: builtins.list[str] | None = None,
        platform: str = "",
    ) -> Iterator[Progress]:
        """Makes an image of one layer. ``archive``: a tar of a root file system, or the http(s) address from which the engine fetches it."""
        ...

    def inspect(self, ref: str, *, platform: str = "") -> ImageInspect:
        """Tells of an image."""
        ...

    def history(self, ref: str, *, platform: str = "") -> builtins.list[ImageHistory]:
        """The layers of an image, and the instructions that made them."""
        ...

    def tag(self, ref: str, target: str) -> None:
        """Gives an image a further name."""
        ...

    def remove(
        self, ref: str, *, force: bool = False, prune: bool = True, platforms: Sequence[str] = ()
    ) -> builtins.list[ImageDeleted]:
        """Takes a name from an image, and removes the image with its last name; ``platforms``: removes the images of those alone."""
        ...

    def prune(self, *, filters: Filters | None = None) -> ImagesPruned:
        """Removes the images without a name; with the filter ``dangling=false`` all that no container uses."""
        ...

    def explore(self, ref: str) -> ImageExploration:
        """What each layer adds, changes and deletes, and the bytes that nobody can see any more."""
        ...

    def layer_files(self, ref: str, *, layer: int | None = None) -> Iterator[FileChange]:
        """What one layer (the lowest is 0), or each, does to which path."""
        ...

    def files(self, ref: str, path: str = "/", *, layer: int | None = None) -> Iterator[FolderEntry]:
        """What is in a folder of an image, by name, or in what a layer and those below it show."""
        ...

    def archive_stat(self, ref: str, path: str, *, layer: int | None = None) -> PathStat:
        """Tells of a path in an image, in the header X-Docker-Container-Path-Stat."""
        ...

    def archive_get(self, ref: str, path: str, *, layer: int | None = None) -> tuple[PathStat, Iterator[bytes]]:
        """A tar of a path in an image, or in what a layer and those below it show; its first entry is the path's base name."""
        ...

    def verify(self, ref: str, options: VerifyOptions, *, auth: RegistryAuth | None = None) -> Verification:
        """Tells which of the keys have signed the image. Raises ``Forbidden`` if none has."""
        ...

    def attestations(
        self, ref: str, *, statements: bool = False, predicate_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Attestation]:
        """Bills of materials, provenance and the like that are attached to the image in its registry; nothing of it is verified.

        ``statements``: with what they say. ``predicate_type``: those alone whose type has this in it.
        """
        ...


class Networks(Protocol):
    """``ref`` is an id, a name, or a unique prefix of an id."""

    def list(self, *, filters: Filters | None = None) -> builtins.list[Network]:
        """Lists networks, without their containers."""
        ...

    def create(self, config: NetworkCreate) -> NetworkCreated:
        """Makes a network."""
        ...

    def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        """Removes the networks that no container is in."""
        ...

    def connect(self, ref: str, container: str, config: EndpointSettings | None = None) -> None:
        """Puts a container into a network, at once if it runs."""
        ...

    def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        """Takes a container out of a network."""
        ...

    def exposure(self) -> builtins.list[Exposure]:
        """Which ports of the running containers are reachable from outside of the host, and why."""
        ...

    def examine(self) -> builtins.list[Finding]:
        """What blocks or breaks the traffic of the networks, and what to do about it. Nothing is changed."""
        ...

    def shapes(self, container: str) -> builtins.list[Shape]:
        """For each network of a running container how what it sends there is treated."""
        ...

    def shape(self, container: str, shape: Shape) -> None:
        """Delays, loses or limits what a running container sends into a network, or into each; for as long as it runs."""
        ...

    def inspect(self, ref: str, *, verbose: bool = False) -> Network:
        """Tells of a network and of the containers in it."""
        ...

    def remove(self, ref: str) -> None:
        """Removes a network that no container is in."""
        ...


class Volumes(Protocol):
    def list(self, *, filters: Filters | None = None) -> list[Volume]:
        """Lists volumes: ``listed`` without its warnings."""
        ...

    def listed(self, *, filters: Filters | None = None) -> VolumeList:
        """Lists volumes, with warnings of plug-ins that do not say what they have."""
        ...

    def create(self, config: VolumeCreate) -> Volume:
        """Makes a volume; one that is there already with the same driver and options is the answer."""
        ...

    def prune(self, *, filters: Filters | None = None) -> VolumesPruned:
        """Removes the anonymous volumes that no container uses; with the filter ``all=true`` those with a name too."""
        ...

    def inspect(self, name: str) -> Volume:
        """Tells of a volume."""
        ...

    def remove(self, name: str, *, force: bool = False) -> None:
        """Removes a volume that no container uses; with ``force`` it need not be there."""
        ...

    def rename(self, name: str, new: str) -> None:
        """Renames a volume that no container uses."""
        ...

    def clone(self, name: str, new: str) -> Volume:
        """Copies a volume with all that is in it."""
        ...

    def copy(self, name: str, path: str, to: str, to_path: str, *, follow_link: bool = False) -> None:
        """Copies a path of a volume into another volume, all of it or nothing."""
        ...

    def files(self, name: str, path: str = "/") -> Iterator[FolderEntry]:
        """What is in a folder of a volume, by name."""
        ...

    def delete_file(self, name: str, path: str) -> None:
        """Deletes a file of a volume, or a folder with all that is in it."""
        ...

    def archive_stat(self, name: str, path: str) -> PathStat:
        """Tells of a path in a volume, in the header X-Docker-Container-Path-Stat."""
        ...

    def archive_get(self, name: str, path: str) -> tuple[PathStat, Iterator[bytes]]:
        """A tar of a path in a volume; its first entry is the path's base name."""
        ...

    def archive_put(
        self,
        name: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        """Unpacks a tar, plain or compressed, into a directory of a volume."""
        ...


class Secrets(Protocol):
    """``ref`` is a name, an id or the beginning of one."""

    def list(self, *, filters: Filters | None = None) -> builtins.list[Secret]:
        """Lists secrets, without what they hold."""
        ...

    def create(self, config: SecretCreate) -> SecretCreated:
        """Keeps a secret, encrypted on disk."""
        ...

    def inspect(self, ref: str) -> Secret:
        """Tells of a secret, without what it holds."""
        ...

    def remove(self, ref: str) -> None:
        """Removes a secret that no container has."""
        ...


class History(Protocol):
    """``ref`` is a name, an id or the beginning of one, of a container that exists or of one that the history remembers."""

    def status(self) -> HistoryStatus:
        """Whether the engine keeps a history of its containers, how much, and since when."""
        ...

    def containers(self) -> builtins.list[Remembered]:
        """Lists the containers of which the history has something, those that were removed too, the newest first."""
        ...

    def figures(self, ref: str, *, since: float | None = None, until: float | None = None, step: int = 0) -> Iterator[Figures]:
        """What a container used from one time to another. ``step`` is in seconds: the samples of each step are told as their mean."""
        ...

    def log(self, ref: str) -> Iterator[KeptLine]:
        """The end of the log of a removed container."""
        ...


class Builder(Protocol):
    def build(
        self,
        context: AsyncIterator[bytes] | None = None,
        options: BuildOptions | None = None,
        contexts: Mapping[str, AsyncIterator[bytes]] | None = None,
        caller: Caller | None = None,
    ) -> Iterator[Progress]:
        """Builds an image of a context and a Dockerfile.

        A tar of the context, or nothing where ``options.remote`` names one; ``contexts`` are what ``options.contexts`` says comes along,
        in its order; ``caller`` supplies the rest while the build runs (an engine in this process alone takes one).

        The last line with ``aux`` has the image's ``ID``; ``output`` are pieces of what was asked for as a file.
        """
        ...

    def prune(
        self,
        *,
        all: bool = False,
        filters: Filters | None = None,
        reserved_space: int = 0,
        max_used_space: int = 0,
        min_free_space: int = 0,
    ) -> BuildPruned:
        """Removes what builds have left for later ones, what was used last of all.

        In bytes: the cache keeps ``reserved_space`` in any case, and at most ``max_used_space``, or less for ``min_free_space`` to be free
        on its disk. With none of them, and if the disk has enough free space, everything goes.
        """
        ...


class Events(Protocol):
    def stream(
        self, *, since: float | None = None, until: float | None = None, filters: Filters | None = None
    ) -> Iterator[Event]:
        """Past events from ``since`` (Unix seconds), then live ones until ``until`` (None: for ever); no gap, no repeat. Without
        ``since``: all past ones if there is an ``until``, else none."""
        ...


class System(Protocol):
    def ping(self) -> None:
        """Answers if the engine is there; the headers tell what it speaks."""
        ...

    def version(self) -> Version:
        """The versions of the engine and of its parts."""
        ...

    def info(self) -> Info:
        """What the engine has, how it is configured and what it runs on."""
        ...

    def login(self, auth: RegistryAuth) -> Login:
        """Asks a registry whether it takes a login; nothing is kept."""
        ...

    def disk_usage(self) -> DiskUsage:
        """How much disk images, containers, volumes and build cache use."""
        ...

    def examine(self) -> list[Check]:
        """What of the kernel, control groups, capabilities, firewall and file system is there, and what is missing. Nothing is changed."""
        ...

    def prunable(self, options: PruneOptions) -> PruneReport:
        """What the prunes of these kinds would take away, one after the other, and how many bytes come back. Nothing is changed."""
        ...


class Registry(Protocol):
    """Docker's API has an operation for ``search`` and ``inspect``, moby's own for ``manifest`` and ``put_manifest``: an engine elsewhere
    does these alone.

    ``auth`` is the login; the engine in this process finds a stored one itself. ``insecure``: the registry's certificate is not checked,
    and one without TLS is spoken to over plain HTTP.
    """

    def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, auth: RegistryAuth | None = None
    ) -> builtins.list[SearchResult]:
        """Repositories of Docker Hub, or of the registry that the term begins with."""
        ...

    def inspect(self, reference: str, *, auth: RegistryAuth | None = None) -> DistributionInspect:
        """The descriptor and the platforms of an image in its registry."""
        ...

    def manifest(self, reference: str, *, insecure: bool = False, auth: RegistryAuth | None = None) -> RegistryManifest:
        """A manifest or index as its registry has it."""
        ...

    def put_manifest(
        self, reference: str, upload: ManifestUpload, *, insecure: bool = False, auth: RegistryAuth | None = None
    ) -> Descriptor:
        """Puts a manifest or index into its registry, byte by byte as it is. The blobs of a manifest are mounted from ``source``.

        Raises ``NotFound`` for a blob that the registry does not mount, ``InvalidArgument`` for what is no manifest or has another digest
        than the reference."""
        ...

    def list(self, server: str = "", *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        """The repositories of a registry, of those that let themselves be listed."""
        ...

    def tags(self, repository: str, *, auth: RegistryAuth | None = None) -> builtins.list[str]:
        """The tags of a repository."""
        ...

    def referrers(
        self, reference: str, *, artifact_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Descriptor]:
        """What refers to a manifest: signatures, bills of materials."""
        ...

    def remove(self, reference: str, *, auth: RegistryAuth | None = None) -> str:
        """By digest a manifest with all its tags, by tag the tag alone; what is deleted.

        Raises ``Forbidden`` if the registry does not let that be done."""
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
    def history(self) -> History: ...

    @property
    def events(self) -> Events: ...

    @property
    def system(self) -> System: ...
