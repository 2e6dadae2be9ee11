"""Images from archives: ``docker save`` (docker-archive), OCI layouts, and plain root file systems (``docker import``).

The archive's members are written to numbered files in staging, and hashed meanwhile; no name in the archive becomes a path.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec

from moby_tui.engine.archive import tar
from moby_tui.engine.archive.compression import GZIP, ZSTD, decompress, detect, pieces_of
from moby_tui.engine.archive.incoming import consume
from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.snapshots.layers import WORTH_A_PROCESS, LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore, Ingest, digest_of
from moby_tui.engine.resources.images.transfer.early import HEAD, EarlyLayers
from moby_tui.engine.resources.images.transfer.pull import Image
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.tasks import all_of, in_thread
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.reference import Reference, parse_tag
from moby_tui.schema import oci
from moby_tui.schema.base import encode

_CHUNK = 1 << 20
_MOST_MEMBERS = 100_000
_DOCUMENT_LIMIT = 4 << 20
_LAYER_TYPES = {GZIP: oci.MEDIA_LAYER_GZIP, ZSTD: oci.MEDIA_LAYER_ZSTD, "": oci.MEDIA_LAYER}
_HEAD = 16
_NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class _DockerImage(msgspec.Struct, rename="pascal"):
    """An item of ``manifest.json`` in a docker-archive."""

    config: str
    layers: list[str] | None = None
    repo_tags: list[str] | None = None


@dataclass(frozen=True)
class Member:
    """A regular file of the archive."""

    file: Path
    size: int
    digest: str

    def read(self, what: str) -> bytes:
        if self.size > _DOCUMENT_LIMIT:
            raise InvalidArgument(f"the archive's {what} has {self.size} bytes; that is too much")
        return self.file.read_bytes()


@dataclass(frozen=True)
class Loaded:
    """An image whose layers are unpacked and whose blobs are in the store, and the references it came with."""

    image: Image
    references: list[Reference]
    #: the name annotation of an OCI layout, which may be a bare tag
    tag: str = ""


@dataclass(frozen=True)
class _Described:
    """An image of an archive before anything of it is stored; ``manifest`` is None if one is to be made."""

    config: oci.ImageConfig
    config_body: bytes
    members: list[Member]
    references: list[Reference]
    tag: str = ""
    manifest: tuple[oci.Manifest, bytes] | None = None


async def receive(archive: AsyncIterator[bytes], file: Path, hashed: hashlib._Hash | None = None) -> None:
    """Writes an archive to a file as it arrives, and adds it to ``hashed``. Raises ``StorageFull``."""

    def write(data: bytes) -> None:
        if hashed is not None:
            hashed.update(data)
        with refusals_told():
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]

    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        buffer = bytearray()
        async for data in archive:
            buffer += data
            if len(buffer) >= _CHUNK:
                await in_thread(write, bytes(buffer))
                buffer.clear()
        await in_thread(write, bytes(buffer))
    finally:
        os.close(fd)


async def take_apart(archive: AsyncIterator[bytes], folder: Path, early: EarlyLayers | None = None) -> Archive:
    """Reads an archive into its members as it arrives. Raises what ``Archive`` does; when cancelled, ends after the last write."""
    return await consume(archive, lambda pieces: Archive(pieces, folder, early))


class Archive:
    """The members of an archive, as files in a claimed folder of staging."""

    def __init__(self, chunks: Iterable[bytes], folder: Path, early: EarlyLayers | None = None) -> None:
        """Blocking. ``early`` unpacks what looks like a layer. Raises ``InvalidArgument`` for what is no tar."""
        self._members: dict[str, Member] = {}
        self._links: dict[str, str] = {}
        folder.mkdir()
        reader = tar.Reader(decompress(chunks))
        for number, entry in enumerate(reader):
            if number >= _MOST_MEMBERS:
                raise InvalidArgument(f"the archive has more than {_MOST_MEMBERS} members; it is no image")
            name = os.fsdecode(tar.clean(entry.name))
            if entry.type == tar.REGULAR and entry.extents is None:
                self._members[name] = _received(name, entry.size, reader.data(), folder / str(number), early)
            elif entry.type in (tar.HARD_LINK, tar.SYMBOLIC_LINK):  # old archives have a link for a layer that occurs twice
                base = "" if entry.type == tar.HARD_LINK else os.path.dirname(name) + "/"
                self._links[name] = os.fsdecode(tar.clean(os.fsencode(base) + entry.link))

    def member(self, name: str) -> Member:
        """Raises ``InvalidArgument`` if there is none."""
        member = self.find(name)
        if member is None:
            raise InvalidArgument(f"invalid archive: {name[:200]!r} is missing in it")
        return member

    def find(self, name: str) -> Member | None:
        name = os.fsdecode(tar.clean(os.fsencode(name)))
        return self._members.get(name) or self._members.get(self._links.get(name, ""))

    def blob(self, descriptor: oci.Descriptor) -> Member:
        """A blob of an OCI layout, verified."""
        member = self.member("blobs/" + descriptor.digest.replace(":", "/"))
        if (member.digest, member.size) != (descriptor.digest, descriptor.size):
            raise InvalidArgument(f"invalid archive: blob {descriptor.digest} is damaged")
        return member


class Loader:
    """Puts the layers and blobs of an archive's images into the stores. The caller registers the images."""

    def __init__(
        self,
        content: ContentStore,
        layers: LayerStore,
        staging_folder: Path,
        wanted: Sequence[oci.Platform] = (),
        early: EarlyLayers | None = None,
    ) -> None:
        """``wanted`` are the platforms whose images are loaded; none: of an index the image for this machine, else all images. ``early``
        has layers that are unpacked already, or soon will be."""
        self.wanted = wanted
        self._early = early
        self._content = content
        self._layers = layers
        self._staging = staging_folder

    async def images(self, archive: Archive) -> list[Loaded]:
        """Every image of the archive, of one name that for this machine last, so that the name means it.

        Raises ``InvalidArgument`` if it holds none, or none of a platform that is wanted, before anything of it is stored.
        """
        described = await self._described(archive)
        self._check_platforms([one.config for one in described])
        if self._early:
            await self._early.only({member.file for one in described for member in one.members})
        here = platforms.host()
        described.sort(key=lambda one: (one.config.os, one.config.architecture) == (here.os, here.architecture))
        return [
            Loaded(await self._store(one.config, one.config_body, one.members, one.manifest), one.references, one.tag)
            for one in described
        ]

    async def _described(self, archive: Archive) -> list[_Described]:
        if archive.find("oci-layout") and (index := archive.find("index.json")):
            # an archive with both forms is read as an OCI layout, which keeps every digest
            return [*self._oci_layout(archive, index.read("index.json"))]
        if listed := archive.find("manifest.json"):
            try:
                items = msgspec.json.decode(listed.read("manifest.json"), type=list[_DockerImage])
            except msgspec.DecodeError as error:
                raise InvalidArgument(f"invalid archive: manifest.json: {error}") from error
            names = [[*map(parse_tag, item.repo_tags or ())] for item in items]
            described = [await self._docker_image(archive, *each) for each in zip(items, names, strict=True)]
            return [one for one in described if one]
        if index := archive.find("index.json"):
            return [*self._oci_layout(archive, index.read("index.json"))]
        raise InvalidArgument(
            "the archive holds neither manifest.json nor index.json; to make an image of a root file system, import it"
        )

    async def _docker_image(self, archive: Archive, item: _DockerImage, names: list[Reference]) -> _Described | None:
        members = [await in_thread(_as_layer, archive.member(name)) for name in item.layers or ()]
        config_body = archive.member(item.config).read("configuration")
        config = manifests.read_config(config_body, len(members), item.config)
        return _Described(config, config_body, members, names) if self._fits(config) else None

    def _oci_layout(self, archive: Archive, body: bytes) -> Iterator[_Described]:
        index = manifests.read(body, oci.MEDIA_INDEX, "index.json")
        assert isinstance(index, oci.Index)
        for descriptor, names in [(descriptor, _names(descriptor)) for descriptor in index.manifests]:
            for document, text in self._choose(archive, descriptor):
                config_body = archive.blob(document.config).read("configuration")
                config = manifests.read_config(config_body, len(document.layers), descriptor.digest)
                if self._fits(config):
                    members = [archive.blob(layer) for layer in document.layers]
                    tag = descriptor.annotations.get(_NAME_ANNOTATIONS[1], "")
                    yield _Described(config, config_body, members, names, tag, (document, text))

    def _fits(self, config: oci.ImageConfig) -> bool:
        return not self.wanted or any(platforms.runs(wanted, _platform(config)) for wanted in self.wanted)

    def _check_platforms(self, found: list[oci.ImageConfig]) -> None:
        for wanted in self.wanted:
            if not any(platforms.runs(wanted, _platform(config)) for config in found):
                raise InvalidArgument(f"the archive holds no image for {platforms.text(wanted)}")
        if not found:
            raise InvalidArgument(f"the archive holds no image for {platforms.text(platforms.host())}")

    def _choose(self, archive: Archive, descriptor: oci.Descriptor) -> Iterator[tuple[oci.Manifest, bytes]]:
        """The manifests a descriptor leads to; through an index, those of the wanted platforms or the one for this machine."""
        body = archive.blob(descriptor).read("manifest")
        document = manifests.read(body, descriptor.media_type, descriptor.digest)
        if isinstance(document, oci.Manifest):
            yield document, body
            return
        present = [item for item in document.manifests if archive.find("blobs/" + item.digest.replace(":", "/"))]
        chosen = [platforms.choose(wanted, present) for wanted in self.wanted or [platforms.host()]]
        for item in {one.digest: one for one in chosen if one}.values():
            body = archive.blob(item).read("manifest")
            inner = manifests.read(body, item.media_type, item.digest)
            if isinstance(inner, oci.Manifest):
                yield inner, body

    async def _store(
        self,
        config: oci.ImageConfig,
        config_body: bytes,
        members: list[Member],
        described: tuple[oci.Manifest, bytes] | None = None,
    ) -> Image:
        await self._unpack(dict(zip(config.rootfs.diff_ids, members, strict=True)))
        await in_thread(self._layers.adopt_attributes, config.rootfs.diff_ids)
        document, body = described or _manifest(config_body, members)
        await in_thread(self._keep, members, [config_body, body])
        return Image(document, digest_of(body), config)

    async def _unpack(self, layers: dict[str, Member]) -> None:
        """Unpacks the layers in parallel, one per processor: they do not depend on each other."""
        async with all_of() as group:
            for diff_id, member in layers.items():
                group.create_task(self._make_layer(member.file, diff_id))

    async def _make_layer(self, file: Path, diff_id: str) -> None:
        if self._early and (layer := await self._early.unpacked(file, diff_id)):
            await self._layers.take_unpacked(layer, diff_id)
        else:
            await self._layers.make_of(file, diff_id)

    def _keep(self, members: list[Member], bodies: list[bytes]) -> None:
        for member in members:
            if not self._content.has(member.digest):
                with refusals_told():
                    self._content.adopt(member.file, member.digest)
        for body in bodies:
            self._content.write(body, self._staging)

    async def root_file_system(self, file: Path, config: oci.ImageConfig) -> Image:
        """Makes a one-layer image of a root file system's tar, compressed or not. Its diff id is added to ``config``."""
        member, diff_id = await in_thread(_root_layer, file)
        config.rootfs = oci.RootFs(diff_ids=[diff_id])
        return await self._store(config, encode(config), [member])


def _platform(config: oci.ImageConfig) -> oci.Platform:
    return oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)


def _root_layer(file: Path) -> tuple[Member, str]:
    """Makes the layer of a root file system; returns its descriptor and diff id. Blocking."""
    member = _as_layer(_member(file))
    digest = hashlib.sha256()
    for chunk in decompress(pieces_of(member.file)):
        digest.update(chunk)
    return member, "sha256:" + digest.hexdigest()


def _as_layer(member: Member) -> Member:
    """The file itself, or decompressed if it is xz or bzip2, for which layers have no media type. Blocking."""
    with member.file.open("rb") as file:
        if detect(file.read(_HEAD)) in _LAYER_TYPES:
            return member
    return _store(decompress(pieces_of(member.file)), member.file.with_name(f"{member.file.name}.tar"))


def _member(file: Path) -> Member:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Member(file, file.stat().st_size, f"sha256:{digest}")


def _manifest(config_body: bytes, members: list[Member]) -> tuple[oci.Manifest, bytes]:
    """Makes the manifest, which a docker-archive does not have."""

    def layer(member: Member) -> oci.Descriptor:
        with member.file.open("rb") as file:
            media_type = _LAYER_TYPES[detect(file.read(_HEAD))]
        return oci.Descriptor(media_type=media_type, digest=member.digest, size=member.size)

    document = oci.Manifest(
        schema_version=2,
        media_type=oci.MEDIA_MANIFEST,
        config=oci.Descriptor(media_type=oci.MEDIA_CONFIG, digest=digest_of(config_body), size=len(config_body)),
        layers=[layer(member) for member in members],
    )
    return document, encode(document)


def _names(descriptor: oci.Descriptor) -> list[Reference]:
    """The names of a layout's entry: containerd's full name, else the layout's own unless it is a bare tag. Raises ``InvalidArgument``."""
    for key in _NAME_ANNOTATIONS:
        name = descriptor.annotations.get(key, "")
        if name and ("/" in name or ":" in name):
            return [parse_tag(name)]
    return []


def _received(name: str, size: int, chunks: Iterator[tar.Piece], file: Path, early: EarlyLayers | None) -> Member:
    """A member of an archive that arrives, which is unpacked meanwhile if it looks like a layer."""
    if early is None or size < WORTH_A_PROCESS:
        return _store(chunks, file)
    head = bytearray()
    for piece in chunks:
        head += piece
        if len(head) >= HEAD:
            break
    if not early.is_worth_it(name, size, bytes(head)):
        return _store(chain([bytes(head)], chunks), file)
    ingest = Ingest(file)
    early.begin(file, ingest, size)
    try:
        ingest.write(head)
        for piece in chunks:
            ingest.write(piece)
    except BaseException:
        ingest.fail(MobyError("the load was interrupted"))
        raise
    return Member(file, size, ingest.digest())


def _store(chunks: Iterable[tar.Piece], file: Path) -> Member:
    digest, size = hashlib.sha256(), 0
    with refusals_told(), file.open("xb") as output:
        for chunk in chunks:
            output.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return Member(file, size, "sha256:" + digest.hexdigest())
