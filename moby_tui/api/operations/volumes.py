"""Volumes, and what is in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from moby_tui.api.operations.fields import field, filters
from moby_tui.api.operations.operation import TAR, delete, get, head, post, put
from moby_tui.schema.base import Filters
from moby_tui.schema.container import PathStat
from moby_tui.schema.files import FolderEntry
from moby_tui.schema.volume import Volume, VolumeCreate, VolumeList, VolumesPruned


class Volumes(Protocol):
    async def list(self, *, filters: Filters | None = None) -> list[Volume]:
        """Lists volumes: ``listed`` without its warnings."""
        ...

    @get("/volumes", filters("dangling", "driver", "label", "name"))
    async def listed(self, *, filters: Filters | None = None) -> VolumeList:
        """Lists volumes, with warnings of plug-ins that do not say what they have."""
        ...

    @post("/volumes/create", status=201, errors=(409,))
    async def create(self, config: VolumeCreate) -> Volume:
        """Makes a volume; one that is there already with the same driver and options is the answer."""
        ...

    @post("/volumes/prune", filters("all", "label", "label!"), since="1.25")
    async def prune(self, *, filters: Filters | None = None) -> VolumesPruned:
        """Removes the anonymous volumes that no container uses; with the filter ``all=true`` those with a name too."""
        ...

    @get("/volumes/{name}", errors=(404,))
    async def inspect(self, name: str) -> Volume:
        """Tells of a volume."""
        ...

    @delete("/volumes/{name}", errors=(404, 409))
    async def remove(self, name: str, *, force: bool = False) -> None:
        """Removes a volume that no container uses; with ``force`` it need not be there."""
        ...

    @post("/moby/volumes/{name}/rename", field("new", "name"), errors=(404, 409), needs="volume rename")
    async def rename(self, name: str, new: str) -> None:
        """Renames a volume that no container uses."""
        ...

    @post(
        "/moby/volumes/{name}/clone",
        field("new", "name"),
        status=201,
        errors=(404, 409),
        abandoned=True,
        needs="volume clone",
    )
    async def clone(self, name: str, new: str) -> Volume:
        """Copies a volume with all that is in it."""
        ...

    @post(
        "/moby/volumes/{name}/copy",
        field("path", kind="path"),
        field("to_path", "toPath", kind="path"),
        field("follow_link", "followLink"),
        errors=(404,),
        abandoned=True,
        needs="volume cp between volumes",
    )
    async def copy(self, name: str, path: str, to: str, to_path: str, *, follow_link: bool = False) -> None:
        """Copies a path of a volume into another volume, all of it or nothing."""
        ...

    @get("/moby/volumes/{name}/files", field("path", kind="path"), errors=(404,), needs="volume files")
    def files(self, name: str, path: str = "/") -> AsyncIterator[FolderEntry]:
        """What is in a folder of a volume, by name."""
        ...

    @delete("/moby/volumes/{name}/files", field("path", kind="path"), errors=(404,), needs="deleting files of volumes")
    async def delete_file(self, name: str, path: str) -> None:
        """Deletes a file of a volume, or a folder with all that is in it."""
        ...

    @head("/moby/volumes/{name}/archive", field("path", kind="path"), errors=(404,), needs="volume cp", answer=PathStat)
    async def archive_stat(self, name: str, path: str) -> PathStat:
        """Tells of a path in a volume, in the header X-Docker-Container-Path-Stat."""
        ...

    @get("/moby/volumes/{name}/archive", field("path", kind="path"), errors=(404,), needs="volume cp", media=TAR)
    async def archive_get(self, name: str, path: str) -> tuple[PathStat, AsyncIterator[bytes]]:
        """A tar of a path in a volume; its first entry is the path's base name."""
        ...

    @put(
        "/moby/volumes/{name}/archive",
        field("path", kind="path"),
        field("no_overwrite_dir_non_dir", "noOverwriteDirNonDir"),
        field("copy_uid_gid", "copyUIDGID"),
        status=200,
        errors=(403, 404),
        needs="volume cp",
    )
    async def archive_put(
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
