"""Images: what there is, sent and fetched, named and removed; what is in them and who made them."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from moby_tui.api.operations.fields import Field, extra, field, filters, made
from moby_tui.api.operations.operation import TAR, delete, get, head, post
from moby_tui.schema.base import Filters
from moby_tui.schema.container import PathStat
from moby_tui.schema.exploration import FileChange, ImageExploration
from moby_tui.schema.files import FolderEntry
from moby_tui.schema.image import ImageDeleted, ImageHistory, ImageInspect, ImagesPruned, ImageSummary, Progress, RegistryAuth
from moby_tui.schema.provenance import Attestation, Verification, VerifyOptions


def _platform(since: str) -> Field:
    return field("platform", kind="platform", since=since)


class Images(Protocol):
    """``ref`` is an id, the beginning of one, or a name with or without tag or digest."""

    @get(
        "/images/json",
        filters("before", "dangling", "label", "label!", "reference", "since", "until"),
        field("shared_size", "shared-size", since="1.42"),
        field("manifests", since="1.47"),
        extra("filter"),
    )
    async def list(
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

    @post("/images/{reference:.*}/push", extra("tag"), *made("all_tags"), _platform("1.46"), errors=(404,), lasting=True)
    def push(
        self, reference: str, *, all_tags: bool = False, platform: str = "", auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        """Sends an image to the registry that its name names; without a tag, every tag of the name."""
        ...

    @post(
        "/images/create",
        *(extra("fromImage"), extra("tag"), extra("fromSrc"), extra("repo"), extra("message"), extra("changes", "texts")),
        *made("reference", "all_tags"),
        field("platform", since="1.32"),
        uploads=TAR,
        errors=(404,),
        lasting=True,
    )
    def pull(
        self, reference: str, *, platform: str = "", all_tags: bool = False, auth: RegistryAuth | None = None
    ) -> AsyncIterator[Progress]:
        """Fetches an image (``fromImage``), or makes one of a tar of a root file system (``fromSrc``).

        A failure is raised, not told in the progress.
        """
        ...

    @post("/images/load", field("platforms", "platform", "platforms", since="1.48"), field("quiet", absent=True), abandoned=True)
    def load(
        self, archive: AsyncIterator[bytes], *, quiet: bool = False, platforms: Sequence[str] = ()
    ) -> AsyncIterator[Progress]:
        """Takes in the images of an archive that ``save`` has made; ``platforms``: those alone, each of which must be there."""
        ...

    @get(
        "/images/get", field("refs", "names"), field("platforms", "platform", "platforms", since="1.48"), errors=(404,), media=TAR
    )
    def save(self, refs: Sequence[str], *, platforms: Sequence[str] = ()) -> AsyncIterator[bytes]:
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
    ) -> AsyncIterator[Progress]:
        """Makes an image of one layer. ``archive``: a tar of a root file system, or the http(s) address from which the engine fetches it."""
        ...

    @get("/images/{ref:.*}/json", extra("manifests", "flag", default=False, since="1.48"), _platform("1.49"), errors=(404,))
    async def inspect(self, ref: str, *, platform: str = "") -> ImageInspect:
        """Tells of an image."""
        ...

    @get("/images/{ref:.*}/history", _platform("1.48"), errors=(404,))
    async def history(self, ref: str, *, platform: str = "") -> builtins.list[ImageHistory]:
        """The layers of an image, and the instructions that made them."""
        ...

    @post("/images/{ref:.*}/tag", field("target", "repo", "reference"), status=201, errors=(404, 409))
    async def tag(self, ref: str, target: str) -> None:
        """Gives an image a further name."""
        ...

    @delete(
        "/images/{ref:.*}",
        field("prune", "noprune", "inverse"),
        field("platforms", kind="platforms", since="1.50"),
        errors=(404, 409),
    )
    async def remove(
        self, ref: str, *, force: bool = False, prune: bool = True, platforms: Sequence[str] = ()
    ) -> builtins.list[ImageDeleted]:
        """Takes a name from an image, and removes the image with its last name; ``platforms``: removes the images of those alone."""
        ...

    @post("/images/prune", filters("dangling", "label", "label!", "until"), since="1.25")
    async def prune(self, *, filters: Filters | None = None) -> ImagesPruned:
        """Removes the images without a name; with the filter ``dangling=false`` all that no container uses."""
        ...

    @get("/moby/images/{ref:.*}/explore", errors=(404,), needs="exploring an image")
    async def explore(self, ref: str) -> ImageExploration:
        """What each layer adds, changes and deletes, and the bytes that nobody can see any more."""
        ...

    @get("/moby/images/{ref:.*}/files", errors=(404,), needs="exploring an image")
    def layer_files(self, ref: str, *, layer: int | None = None) -> AsyncIterator[FileChange]:
        """What one layer (the lowest is 0), or each, does to which path."""
        ...

    @get("/moby/images/{ref:.*}/folder", field("path", kind="path"), errors=(404,), needs="listing an image's files")
    def files(self, ref: str, path: str = "/", *, layer: int | None = None) -> AsyncIterator[FolderEntry]:
        """What is in a folder of an image, by name, or in what a layer and those below it show."""
        ...

    @head(
        "/moby/images/{ref:.*}/archive",
        field("path", kind="path"),
        errors=(404,),
        needs="reading an image's files",
        answer=PathStat,
    )
    async def archive_stat(self, ref: str, path: str, *, layer: int | None = None) -> PathStat:
        """Tells of a path in an image, in the header X-Docker-Container-Path-Stat."""
        ...

    @get(
        "/moby/images/{ref:.*}/archive",
        field("path", kind="path"),
        errors=(404,),
        needs="reading an image's files",
        media=TAR,
    )
    async def archive_get(self, ref: str, path: str, *, layer: int | None = None) -> tuple[PathStat, AsyncIterator[bytes]]:
        """A tar of a path in an image, or in what a layer and those below it show; its first entry is the path's base name."""
        ...

    @post("/moby/images/{ref:.*}/verify", errors=(403, 404), abandoned=True, needs="verifying an image")
    async def verify(self, ref: str, options: VerifyOptions, *, auth: RegistryAuth | None = None) -> Verification:
        """Tells which of the keys have signed the image. Raises ``Forbidden`` if none has."""
        ...

    @get("/moby/images/{ref:.*}/attestations", field("predicate_type", "type"), errors=(404,), needs="reading attestations")
    async def attestations(
        self, ref: str, *, statements: bool = False, predicate_type: str = "", auth: RegistryAuth | None = None
    ) -> builtins.list[Attestation]:
        """Bills of materials, provenance and the like that are attached to the image in its registry; nothing of it is verified.

        ``statements``: with what they say. ``predicate_type``: those alone whose type has this in it.
        """
        ...
