"""What takes how much of the data root: parts that add up to what du(1) says of it, and each thing's own share."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from moby_tui.engine.kernel.trees import Meter
from moby_tui.engine.resources.builder import pruning
from moby_tui.engine.resources.images.store.staging import PARTIAL
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.engine.store.state import ZERO_TIME
from moby_tui.schema.system import BuildCache, DiskPart

LAYERS, BLOBS, CACHE, UNUSED = "Image layers", "Image blobs", "Build cache", "Unused layers and blobs"
CONTAINERS, VOLUMES, ENGINE = "Containers", "Volumes", "Engine"


class Survey:
    """One look at the data root; all sizes are bytes on disk. Blocking."""

    def __init__(self, paths: Paths, records: list[ImageRecord]) -> None:
        self._meter = Meter()
        self._layers = self._each(paths.layers, "sha256:")
        self._blobs = self._each(paths.blobs / "sha256", "sha256:")
        self.containers = self._each(paths.data_root / "containers")
        self.volumes = self._each(paths.volumes)
        self._owners = Counter(digest for record in records for digest in record.content)
        #: of each image all that it has, and what it shares with others
        self.images = {record.id: self._share(record) for record in records}
        self._cached: set[str] = set()
        self.build_cache = [self._step(entry) for entry in pruning.entries(paths.build_steps)] + self._mounts(paths)
        self._begun = self._each(paths.staging, only=PARTIAL)
        self.parts = self._parts(paths)

    @property
    def images_size(self) -> int:
        return sum(part.size for part in self.parts if part.name in (LAYERS, BLOBS))

    def _each(self, folder: Path, prefix: str = "", only: str = "") -> dict[str, int]:
        """What is in a folder and begins with ``only``, by name."""
        try:
            return {prefix + entry.name: self._meter.of(entry) for entry in folder.iterdir() if entry.name.startswith(only)}
        except FileNotFoundError:
            return {}

    def _size(self, digest: str) -> int:
        return self._layers.get(digest, 0) + self._blobs.get(digest, 0)

    def _share(self, record: ImageRecord) -> tuple[int, int]:
        sizes = {digest: self._size(digest) for digest in record.content}
        return sum(sizes.values()), sum(size for digest, size in sizes.items() if self._owners[digest] > 1)

    def _step(self, entry: pruning.Entry) -> BuildCache:
        """A layer that several steps name is the first one's; what an image has is the image's."""
        own = {digest for digest in entry.digests if digest not in self._owners} - self._cached
        self._cached |= own
        return BuildCache(
            id=entry.file.name,
            description=entry.description,
            in_use=not own and bool(entry.digests),
            shared=any(digest in self._owners for digest in entry.digests),
            size=self._meter.of(entry.file) + sum(map(self._size, own)),
            created_at=entry.created,
            last_used_at=_moment(entry.file),
        )

    def _mounts(self, paths: Paths) -> list[BuildCache]:
        if not paths.build_mounts.exists():
            return []
        return [self._mount(place) for place in sorted(paths.build_mounts.iterdir())]

    def _mount(self, place: Path) -> BuildCache:
        """A cache mount, or a context. No file says when it was made: the last use stands for it, since clients read a time there."""
        used = _moment(place)
        return BuildCache(
            id=place.name, type=pruning.kind(place), size=self._meter.of(place), created_at=used or ZERO_TIME, last_used_at=used
        )

    def _parts(self, paths: Paths) -> list[DiskPart]:
        content = {*self._layers, *self._blobs}
        sizes = {
            LAYERS: sum(size for digest, size in self._layers.items() if digest in self._owners),
            BLOBS: sum(size for digest, size in self._blobs.items() if digest in self._owners),
            UNUSED: sum(map(self._size, content - self._owners.keys() - self._cached)) + sum(self._begun.values()),
            CACHE: sum(entry.size for entry in self.build_cache),
            CONTAINERS: sum(self.containers.values()),
            VOLUMES: sum(self.volumes.values()),
            ENGINE: self._rest(paths),
        }
        return [DiskPart(name=name, size=size) for name, size in sizes.items()]

    def _rest(self, paths: Paths) -> int:
        """The folders themselves, the database, the journal, what is half-made: all that is nobody's."""
        alone = [paths.layers, paths.blobs / "sha256", paths.data_root / "containers", paths.volumes]
        alone += [paths.build_steps, paths.build_mounts]
        around = self._meter.of(paths.blobs, {b"sha256"}) + self._meter.of(paths.cache, {b"build", b"build-mounts"})
        around += self._meter.of(paths.staging, {name.encode() for name in self._begun})
        measured = {b"layers", b"blobs", b"containers", b"volumes", b"cache", b"staging"}
        return sum(map(self._meter.alone, alone)) + around + self._meter.of(paths.data_root, measured)


def _moment(path: Path) -> str | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat().replace("+00:00", "Z")
    except FileNotFoundError:
        return None
