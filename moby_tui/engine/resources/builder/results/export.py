"""The images of a build as one output has them: packed, attested, annotated, in an index if it needs one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.resources.builder.results import packing
from moby_tui.engine.resources.builder.results.attestations import Attestation, Statement, attest
from moby_tui.engine.resources.builder.stores import Stores
from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.resources.images.transfer import save
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.errors import InvalidArgument
from moby_tui.reference import Reference
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.build import Output

#: Makes a statement of an image, by its description in an output.
Stating = Callable[[oci.Descriptor], Statement]
_CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True)
class Result:
    """An image of one platform, stored but not registered yet."""

    image: BuiltImage
    record: ImageRecord

    @property
    def platform(self) -> oci.Platform:
        config = self.image.config
        return oci.Platform(os=config.os, architecture=config.architecture, variant=config.variant)


@dataclass(frozen=True)
class Export:
    """``top`` is what a tag of the output means: the ``index``, or the manifest of the one image if there is none."""

    images: list[Result]
    attestations: list[Attestation]
    index: oci.Index | None
    top: oci.Descriptor

    @property
    def documents(self) -> list[bytes]:
        """What the store does not have."""
        index = [encode(self.index)] if self.index is not None else []
        return [*index, *(body for each in self.attestations for _, body in each.bodies)]

    @property
    def blobs(self) -> list[str]:
        """What the store has."""
        return sorted({digest for result in self.images for digest in result.record.blobs})

    def layout(self, tags: Sequence[Reference]) -> oci.Index:
        """The index of an OCI layout: one entry for each name, one if there is none."""
        names = [save.names_of(tag) for tag in tags] or [{}]
        entries = [msgspec.structs.replace(self.top, annotations=self.top.annotations | name) for name in names]
        return oci.Index(schema_version=2, media_type=oci.MEDIA_INDEX, manifests=entries)


def make(
    results: Sequence[Result], output: Output, stating: Mapping[str, Sequence[Stating]], kept: Set[str], stores: Stores
) -> Export:
    """``stating`` is what is stated of the images, by the digests of their manifests; ``kept`` are the layers of base images. Blocking.

    Raises ``InvalidArgument`` for annotations of an index where there is none.
    """
    images = [_packed(result, output, kept, stores) for result in results]
    described = [_described(result, output, stores) for result in images]
    attestations = [
        attest(image, [state(image) for state in states])
        for result, image in zip(results, described, strict=True)
        if (states := stating.get(result.record.manifest))
    ]
    created = {_CREATED: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    if len(images) == 1 and not attestations:
        if any(each.kind.startswith("index") for each in output.annotations):
            raise InvalidArgument("index annotations not supported for single platform export")
        [one] = described
        return Export(images, [], None, msgspec.structs.replace(one, annotations=one.annotations | created))
    index = oci.Index(
        schema_version=2,
        media_type=packing.media_type(oci.MEDIA_INDEX, output.packing),
        manifests=[*described, *(each.descriptor for each in attestations)],
        annotations=_annotations(output, "index"),
    )
    body = encode(index)
    top = oci.Descriptor(
        media_type=index.media_type,
        digest=digest_of(body),
        size=len(body),
        annotations=created | _annotations(output, "index-descriptor"),
    )
    return Export(images, attestations, index, top)


def _packed(result: Result, output: Output, kept: Set[str], stores: Stores) -> Result:
    annotations = _annotations(output, "manifest", result.platform)
    if not annotations and output.packing == type(output.packing)():
        return result
    return Result(result.image, packing.packed(result.record, output.packing, annotations, kept, stores))


def _described(result: Result, output: Output, stores: Stores) -> oci.Descriptor:
    document = manifests.read(stores.content.read(result.record.manifest), "", result.record.id)
    size = stores.content.path(result.record.manifest).stat().st_size
    return oci.Descriptor(
        media_type=document.media_type or oci.MEDIA_MANIFEST,
        digest=result.record.manifest,
        size=size,
        platform=result.platform,
        annotations=_annotations(output, "manifest-descriptor", result.platform),
    )


def _annotations(output: Output, kind: str, platform: oci.Platform | None = None) -> dict[str, str]:
    return {
        each.key: each.value
        for each in output.annotations
        if each.kind == kind
        and (not each.platform or (platform is not None and platforms.runs(platforms.parse(each.platform), platform)))
    }
