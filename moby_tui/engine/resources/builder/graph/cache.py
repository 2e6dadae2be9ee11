"""The build cache: what an instruction made of which image, as small files ``cache/build/<key>``.

A key is a digest of the inputs and the instructions (``BuiltImage.chain``), the same on any machine. The files hold configurations; the
layers they name are kept for as long as they do (``pruning.held``). An entry whose layers are gone is deleted when it is looked up.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from moby_tui.engine.resources.builder.graph.histories import Histories
from moby_tui.engine.resources.builder.image import BuiltImage, Layer
from moby_tui.engine.resources.builder.llb.vertices import Names
from moby_tui.engine.resources.builder.wire import step_to_keep, step_to_use
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.store.disk import refusals_told
from moby_tui.engine.store.records import build_steps
from moby_tui.schema.base import encode

#: With more entries than this the oldest half is deleted.
_MOST_ENTRIES = 2000


class Elsewhere(Protocol):
    """A cache of another engine."""

    async def find(self, key: str) -> BuiltImage | None:
        """The image of a step, after its layers were fetched; None if the cache lacks it."""
        ...


class Listed(Protocol):
    """A cache in BuildKit's form."""

    async def layers(self, names: Names, below: BuiltImage) -> list[Layer] | None:
        """What the step with these names has added to ``below``: a layer, which was fetched, or none. None if the cache lacks the step."""
        ...


class BuildCache:
    """Safe in any number of processes: an entry is renamed into place, and entries with the same key are equal.

    What comes from ``others`` is used but not stored, nor are steps on top of it: this build's caller trusts these caches, the next may not.
    """

    def __init__(self, folder: Path, layers: LayerStore, content: ContentStore, others: Iterable[Elsewhere] = ()) -> None:
        self._folder = folder
        self._layers = layers
        self._content = content
        self.others = list(others)
        self.listed: list[Listed] = []
        #: the only images whose steps count as cached; None: every step does
        self.histories: Histories | None = None
        #: the build is one of the classic wire
        self.is_classic = False
        #: steps have to be named as BuildKit names them: such caches are read or written
        self.is_named = False
        #: BuildKit's names of the steps that this build has found or made, by key; without those that have none
        self.names: dict[str, Names] = {}
        #: the steps that this build has found or made, by key
        self.trail: dict[str, BuiltImage] = {}
        self._borrowed: set[str] = set()

    @staticmethod
    def key(parent: str, created_by: str, content: str) -> str:
        """``content`` is the digest of the instruction's source files, if any."""
        return hashlib.sha256("\0".join((parent, created_by, content)).encode("utf-8", "surrogateescape")).hexdigest()

    def without_others(self) -> BuildCache:
        """This cache without the caches of other engines."""
        return BuildCache(self._folder, self._layers, self._content)

    async def find(self, key: str) -> BuiltImage | None:
        image = self._own(key)
        if image is not None and self.histories is not None and not self.histories.has(image):
            image = None
        if image is None:
            for other in self.others:
                if (image := await other.find(key)) is not None:
                    self._borrowed.add(key)
                    break
        if image is not None:
            self.trail[key] = image
        return image

    def find_in_histories(self, created_by: str, below: BuiltImage) -> list[Layer] | None:
        """What a step adds to an image, by the histories of other images."""
        return self.histories.layers(created_by, below) if self.histories is not None else None

    async def find_layers(self, names: Names, below: BuiltImage) -> list[Layer] | None:
        """What a step with these names adds to an image, by the caches in BuildKit's form."""
        for listed in self.listed:
            if (layers := await listed.layers(names, below)) is not None:
                return layers
        return None

    def _own(self, key: str) -> BuiltImage | None:
        file = self._folder / key
        try:
            image = step_to_use(build_steps.read(file.read_bytes()))
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError:
            image = None
        if image is None or not self.is_whole(image):
            file.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):
            os.utime(file)
        return image

    def put(self, key: str, image: BuiltImage, parent: str, *, is_borrowed: bool = False) -> None:
        """Stores a step. ``parent`` is the key of the step below. ``is_borrowed``: its layer is from the cache of another engine."""
        self.trail[key] = image
        if is_borrowed or parent in self._borrowed:
            self._borrowed.add(key)
            return
        with refusals_told():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._folder / f"{key}.{os.getpid()}"
            new.write_bytes(encode(step_to_keep(image, classic=self.is_classic)))
            new.rename(self._folder / key)
        self._limit()

    def is_whole(self, image: BuiltImage) -> bool:
        return all(map(self._layers.has, image.config.rootfs.diff_ids)) and all(
            self._content.has(blob.digest) for blob in image.blobs
        )

    def _limit(self) -> None:
        names = os.listdir(self._folder)
        if len(names) <= _MOST_ENTRIES:
            return
        ages: list[tuple[float, Path]] = []
        for name in names:
            with suppress(FileNotFoundError):
                ages.append(((self._folder / name).stat().st_mtime, self._folder / name))
        for _, file in sorted(ages)[: len(ages) // 2]:
            file.unlink(missing_ok=True)
