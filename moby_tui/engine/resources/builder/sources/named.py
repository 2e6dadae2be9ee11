"""Named contexts: ``--build-context name=…`` replaces an image or a stage, or gives a folder to copy from.

https://docs.docker.com/build/concepts/context/#named-contexts
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moby_tui.engine.resources.builder.image import BuiltImage, configured, scratch
from moby_tui.engine.resources.builder.narration import Narration
from moby_tui.engine.resources.builder.sources.context import Context, Sources
from moby_tui.engine.resources.builder.sources.stores import Layout
from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.resources.images.transfer.load import Archive, Loader
from moby_tui.engine.tasks import in_thread
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.reference import parse
from moby_tui.schema import oci
from moby_tui.schema.base import decode
from moby_tui.schema.build import FOLDER, MADE, STORED, UPLOADED, UPLOADED_CACHE, UPLOADED_LAYOUT
from moby_tui.schema.operations import Part

if TYPE_CHECKING:
    from moby_tui.engine.resources.images.transfer.pull import Image

_IMAGE = "docker-image://"
_STAGE = "target:"
_OF_PLATFORM = "::"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Named:
    """A named context: files, a sent image, the name of an image, or the name of a stage."""

    tree: Context | None = None
    image: BuiltImage | None = None
    reference: str = ""
    stage: str = ""


class NamedContexts:
    """The named contexts by their names in the Dockerfile; the name of an image matches in any of its spellings.

    A name may end in ``::`` and a platform: see ``of``.
    """

    def __init__(self, found: Mapping[str, Named], archives: Iterable[Archive] = ()) -> None:
        #: caches that the caller has sent, as OCI layouts
        self.archives = list(archives)
        self._all = dict(found)
        self._found = {key: named for name, named in found.items() for key in (name.lower(), canonical(name))}

    def of(self, platform: oci.Platform) -> NamedContexts:
        """As a build for this platform sees them: ``name::platform`` as ``name``, in place of one that is for all."""
        wanted = platforms.text(platform)
        for_all, own = dict[str, Named](), dict[str, Named]()
        for key, named in self._all.items():
            name, _, of = key.partition(_OF_PLATFORM)
            if not of:
                for_all[name] = named
            elif platforms.text(platforms.parse(of)) == wanted:
                own[name] = named
        return NamedContexts(for_all | own, self.archives)

    def find(self, name: str) -> Named | None:
        return self._found.get(name.lower()) or self._found.get(canonical(name)) if self._found and name else None


def canonical(name: str) -> str:
    """The name of an image in its longest spelling, or in lower case if it is none."""
    try:
        return parse(name).tagged().canonical
    except InvalidArgument:
        return name.lower()


async def gather(
    wanted: Mapping[str, str],
    uploads: Mapping[str, AsyncIterator[bytes]],
    sources: Sources,
    loader: Loader,
    content: ContentStore,
    narration: Narration,
) -> NamedContexts:
    """Fetches the contexts; those that the caller sends come in their order. Raises ``InvalidArgument``, ``Unavailable``."""
    contexts, archives = {}, []
    for name, source in wanted.items():
        if not name or "\0" in name:
            raise InvalidArgument("a build context needs a name: write --build-context name=path")
        kind, _, which = source.partition(":")
        if kind in (UPLOADED, UPLOADED_LAYOUT, UPLOADED_CACHE):
            if name not in uploads:
                raise InvalidArgument(f"build context {name[:80]!r} was not sent")
            if kind == UPLOADED_CACHE:
                archives.append(await sources.archive(uploads[name]))
            elif kind == UPLOADED_LAYOUT:
                contexts[name] = Named(image=await _layout(name, which, uploads[name], sources, loader))
            else:
                contexts[name] = Named(tree=await _tree(await sources.sent(uploads[name])))
        elif kind == STORED:
            contexts[name] = Named(image=await _stored(name, which, sources, loader, narration))
        elif kind == MADE:
            contexts[name] = Named(image=made(which, content))
        elif kind == FOLDER:
            contexts[name] = Named(tree=await _folder(name, which, sources, narration))
        elif source.startswith(_IMAGE):
            contexts[name] = Named(reference=parse(source.removeprefix(_IMAGE)).familiar)
        elif source.startswith(_STAGE):
            contexts[name] = Named(stage=source.removeprefix(_STAGE))
        else:
            contexts[name] = Named(tree=await _tree(await sources.fetched(source)))
    return NamedContexts(contexts, archives)


async def _tree(context: Context) -> Context:
    await in_thread(context.leave_out_ignored)
    return context


def made(digest: str, content: ContentStore) -> BuiltImage:
    """The image that another build has made, by the digest of its manifest. Raises ``NotFound``."""
    if not _DIGEST.fullmatch(digest) or not content.has(digest):
        raise NotFound(f"no build has made the image {digest[:80]}, or it is not there any more")
    document = manifests.read(content.read(digest), "", digest)
    if not isinstance(document, oci.Manifest):
        raise InvalidArgument(f"{digest} is an index of images, not an image")
    config = decode(content.read(document.config.digest), oci.ImageConfig)
    return BuiltImage(document.config.digest, config, document.layers)


def part(part: Part, content: ContentStore) -> BuiltImage:
    """A part of an assembly, with the configuration that it gets. Raises ``NotFound``."""
    platform = platforms.parse(part.platform) if part.platform else platforms.host()
    return configured(made(part.manifest, content) if part.manifest else scratch(platform), part.config)


async def _folder(name: str, folder: str, sources: Sources, narration: Narration) -> Context:
    """A folder of the caller, without what its own ``.dockerignore`` names."""
    with narration.step(f"[context {name}] load .dockerignore"):
        there, size = await sources.files(folder, [".dockerignore"])
        narration.tell_bytes(f"transferring {name}:", size)
    with narration.step(f"[context {name}] load from client"):
        context, size = await sources.folder(folder, there.ignore())
        narration.tell_bytes(f"transferring {name}:", size)
    return context


async def _layout(name: str, which: str, pieces: AsyncIterator[bytes], sources: Sources, loader: Loader) -> BuiltImage:
    """The image of an OCI layout: by digest, by tag, or the only one."""
    images = await loader.images(await sources.archive(pieces))
    chosen = [loaded.image for loaded in images if not which or which in _names_of(loaded.image, loaded.tag)]
    if len({image.digest for image in chosen}) != 1:
        reason = f"has no image {which[:80]!r}" if which else "has several images: name one, as in oci-layout://path:tag"
        raise InvalidArgument(f"build context {name[:80]!r} {reason}")
    return built(chosen[0])


async def _stored(name: str, which: str, sources: Sources, loader: Loader, narration: Narration) -> BuiltImage:
    """The image in a store of the caller's, as ``STORE@DIGEST``."""
    store, _, digest = which.rpartition("@")
    with narration.step(f"[context {name}] oci-layout://{name}@{digest}"):
        return await in_layout(sources.layout(store), digest, loader)


async def in_layout(layout: Layout, digest: str, loader: Loader) -> BuiltImage:
    """The image with this digest in a store of the caller's, whose layers are fetched. Raises ``NotFound``, ``InvalidArgument``."""
    for blob in (await layout.open(digest)).layers:
        await layout.fetch(blob)
    [loaded] = await loader.images(layout)
    return built(loaded.image)


def _names_of(image: Image, tag: str) -> tuple[str, ...]:
    return image.digest, image.manifest.config.digest, tag


def built(image: Image) -> BuiltImage:
    """A sent image, whose layers are stored, as a base."""
    return BuiltImage(image.manifest.config.digest, image.config, image.manifest.layers)
