"""The list of a cache in BuildKit's form (``application/vnd.buildkit.cacheconfig.v0``): records of steps, and the layers that they made.

https://github.com/moby/buildkit/blob/v0.25.1/cache/remotecache/v1/doc.go. What comes from elsewhere is hostile: links may be missing, or go
in circles. So a list is only asked whether it has a given step, and never followed from one record to the next.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import field

from moby_tui.engine.resources.builder.image import Layer
from moby_tui.engine.resources.builder.llb.vertices import Names, Vertex
from moby_tui.errors import InvalidArgument
from moby_tui.reference import is_digest
from moby_tui.schema import oci
from moby_tui.schema.base import decode, encode

MEDIA_TYPE = "application/vnd.buildkit.cacheconfig.v0"
#: The digest of a layer's content, as an annotation of its descriptor.
DIFF_ID = "containerd.io/uncompressed"
#: The most layers of one image that are followed.
_MOST_LAYERS = 1000


class CacheLayer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``parent`` is the number of the layer below; -1 for none."""

    blob: str
    parent: int = 0


class CacheResult(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The image of a step, by the number of its uppermost layer."""

    layer: int
    created_at: str = field(name="createdAt", default="")


class CacheInput(msgspec.Struct, omit_defaults=True, kw_only=True):
    selector: str = ""
    link: int


class CacheRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A step. Each input is a list of records, of which any one will do."""

    results: list[CacheResult] = field(name="layers", default_factory=list)
    digest: str
    inputs: list[list[CacheInput]] = field(default_factory=list)


class CacheConfig(msgspec.Struct, omit_defaults=True, kw_only=True):
    layers: list[CacheLayer] = field(default_factory=list)
    records: list[CacheRecord] = field(default_factory=list)


class Records:
    """The records of one cache, and the descriptors of its layers by their digests."""

    def __init__(self, config: CacheConfig, descriptors: Mapping[str, oci.Descriptor]) -> None:
        self._config = config
        self._descriptors = descriptors
        self._by_digest: defaultdict[str, list[int]] = defaultdict(list)
        for number, record in enumerate(config.records):
            self._by_digest[record.digest].append(number)
        self._found: dict[Vertex, frozenset[int]] = {}

    def find(self, vertex: Vertex) -> frozenset[int]:
        """The numbers of the records of a step: those that have one of its links for each of its inputs."""
        if vertex not in self._found:
            self._found[vertex] = frozenset(
                number for number in self._by_digest.get(vertex.digest, ()) if self._is(number, vertex)
            )
        return self._found[vertex]

    def _is(self, number: int, vertex: Vertex) -> bool:
        inputs = self._config.records[number].inputs
        if len(inputs) != len(vertex.inputs):
            return False
        for there, here in zip(inputs, vertex.inputs, strict=True):
            wanted = {(link.selector, parent) for link in here for parent in self.find(link.vertex)}
            if wanted.isdisjoint((each.selector, each.link) for each in there):
                return False
        return True

    def images(self, names: Names) -> list[list[Layer]]:
        """What the step with these names has made: the layers of each image, the lowest first."""
        numbers = {number for vertex in names for number in self.find(vertex)}
        results = (result for number in sorted(numbers) for result in self._config.records[number].results)
        return [layers for result in results if (layers := self._layers(result.layer)) is not None]

    def _layers(self, number: int) -> list[Layer] | None:
        """None for a malformed list."""
        layers: list[Layer] = []
        while number != -1:
            if not 0 <= number < len(self._config.layers) or len(layers) == _MOST_LAYERS:
                return None
            layer = self._config.layers[number]
            descriptor = self._descriptors.get(layer.blob)
            diff_id = descriptor.annotations.get(DIFF_ID, "") if descriptor else ""
            if descriptor is None or not is_digest(diff_id):
                return None
            blob = oci.Descriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)
            layers.append(Layer(diff_id, blob))
            number = layer.parent
        return layers[::-1]


@dataclass
class Writer:
    """Makes a list of steps for others."""

    config: CacheConfig = dataclasses.field(default_factory=CacheConfig)
    _numbers: dict[Vertex, int] = dataclasses.field(default_factory=dict)
    #: those of sources and contents, by their digests
    _sources: dict[str, int] = dataclasses.field(default_factory=dict)
    _layers: dict[tuple[str, int], int] = dataclasses.field(default_factory=dict)

    def add(self, vertex: Vertex, layers: Sequence[Layer], created: str) -> None:
        """Adds a step, those that it is made of, and the image that it has made. ``created`` is a time as RFC 3339, or empty.

        A source is listed without its image, as BuildKit does: whoever has a step on it has the source too.
        """
        results = self.config.records[self._number(vertex)].results
        if not vertex.inputs:
            return
        uppermost = self._uppermost(layers)
        if uppermost != -1 and all(result.layer != uppermost for result in results):
            results.append(CacheResult(layer=uppermost, created_at=created))

    def _number(self, vertex: Vertex) -> int:
        pending = [vertex]
        while pending:
            each = pending[-1]
            missing = [link.vertex for links in each.inputs for link in links if link.vertex not in self._numbers]
            pending += missing
            if not missing:
                self._record(pending.pop())
        return self._numbers[vertex]

    def _record(self, vertex: Vertex) -> None:
        if not vertex.inputs and vertex.digest in self._sources:
            self._numbers[vertex] = self._sources[vertex.digest]
        if vertex in self._numbers:
            return
        inputs = [
            [CacheInput(selector=link.selector, link=self._numbers[link.vertex]) for link in links] for links in vertex.inputs
        ]
        self._numbers[vertex] = len(self.config.records)
        if not inputs:
            self._sources[vertex.digest] = len(self.config.records)
        self.config.records.append(CacheRecord(digest=vertex.digest, inputs=inputs))

    def _uppermost(self, layers: Sequence[Layer]) -> int:
        below = -1
        for layer in layers:
            place = layer.blob.digest, below
            if place not in self._layers:
                self._layers[place] = len(self.config.layers)
                self.config.layers.append(CacheLayer(blob=layer.blob.digest, parent=below))
            below = self._layers[place]
        return below


def described(layer: Layer) -> oci.Descriptor:
    """The descriptor of a layer in the manifest of a cache."""
    return msgspec.structs.replace(layer.blob, annotations={DIFF_ID: layer.diff_id}, urls=[], platform=None)


class InlineConfig(oci.ImageConfig, kw_only=True):
    """The configuration of an image that has its own cache: a list of records in JSON, whose layers are those of the image."""

    cache: bytes = field(name="moby.buildkit.cache.v0")


def inline(config: oci.ImageConfig, writer: Writer) -> InlineConfig:
    """``writer`` has the layers of the image alone."""
    fields = {name: getattr(config, name) for name in oci.ImageConfig.__struct_fields__}
    return InlineConfig(**fields, cache=encode(writer.config.records))


class _Inline(msgspec.Struct, kw_only=True):
    """What is read of such a configuration."""

    cache: bytes | None = field(name="moby.buildkit.cache.v0", default=None)
    rootfs: oci.RootFs = field(default_factory=oci.RootFs)


def read_inline(configuration: bytes, layers: Sequence[oci.Descriptor]) -> Records | None:
    """The list in an image's configuration; None if it has none. Raises ``InvalidArgument``."""
    try:
        inline = decode(configuration, _Inline)
        if inline.cache is None:
            return None
        # Go writes an empty list as null
        records = decode(inline.cache, list[CacheRecord]) if inline.cache != b"null" else []
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"the build cache in the image cannot be read: {error}") from error
    if len(inline.rootfs.diff_ids) != len(layers):
        raise InvalidArgument("the build cache in the image cannot be read: its layers do not agree")
    described = {
        layer.digest: msgspec.structs.replace(layer, annotations={DIFF_ID: diff_id})
        for layer, diff_id in zip(layers, inline.rootfs.diff_ids, strict=True)
    }
    stack = [CacheLayer(blob=layer.digest, parent=number - 1) for number, layer in enumerate(layers)]
    return Records(CacheConfig(layers=stack, records=records), described)


def read(body: bytes, descriptors: Sequence[oci.Descriptor]) -> Records:
    """Parses a list. Raises ``InvalidArgument``."""
    try:
        config = decode(body, CacheConfig)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"the build cache cannot be read: {error}") from error
    return Records(config, {each.digest: each for each in descriptors if is_digest(each.digest)})
