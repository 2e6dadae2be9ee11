"""An image's manifests: one for each platform of its index, and what is attested of them there (Engine API, "ImageManifestSummary")."""

from __future__ import annotations

from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.errors import MobyError, NotFound
from moby_tui.schema import oci
from moby_tui.schema.image import AttestationData, ImageData, ManifestSize, ManifestSummary, UnpackedSize

_REFERENCE_TYPE, _REFERENCE_DIGEST = "vnd.docker.reference.type", "vnd.docker.reference.digest"


def variants(
    record: ImageRecord, present: dict[str, ImageRecord], content: ContentStore, users: list[str]
) -> list[ManifestSummary]:
    """The manifests of an image's index in its order, or its own where it has none. Blocking.

    ``present`` are the images that are here by their manifest's digest; ``users`` the containers of this one.
    """
    listed = _index(record, content) or [_own(record, content)]
    return [_summary(descriptor, present.get(descriptor.digest), content, users, record) for descriptor in listed]


def of_platform(
    record: ImageRecord, name: str, platform: str, present: dict[str, ImageRecord], content: ContentStore
) -> ImageRecord:
    """The image itself if it is for the platform, else the local image of the same index that is. Raises ``NotFound``. Blocking."""
    wanted = platforms.parse(platform)
    if platforms.runs(wanted, _platform(record)):
        return record
    here = {entry.digest: entry for entry in _index(record, content) if entry.digest in present}
    for descriptor in here.values():
        if descriptor.platform and platforms.runs(wanted, descriptor.platform):
            return present[descriptor.digest]
    if len(here) > 1:
        raise NotFound(f"image with reference {name} was found but does not provide the specified platform ({platform})")
    raise NotFound(
        f"image with reference {name} was found but its platform ({platforms.text(_platform(record))}) "
        f"does not match the specified platform ({platform})"
    )


def _index(record: ImageRecord, content: ContentStore) -> list[oci.Descriptor]:
    """The entries of the index that lists the image's manifest."""
    for digest in record.blobs:
        path = content.path(digest)
        if digest == record.manifest or not path.exists() or path.stat().st_size > manifests.CONFIG_LIMIT:
            continue
        with path.open("rb") as file:
            if file.read(1) != b"{":
                continue
        try:
            document = manifests.read(content.read(digest), "", digest)
        except MobyError:
            continue  # a configuration, or another blob that begins like JSON
        if isinstance(document, oci.Index) and any(item.digest == record.manifest for item in document.manifests):
            return document.manifests
    return []


def _own(record: ImageRecord, content: ContentStore) -> oci.Descriptor:
    document, size = _manifest(record, content)
    return oci.Descriptor(
        media_type=document.media_type or oci.MEDIA_MANIFEST, digest=record.manifest, size=size, platform=_platform(record)
    )


def _manifest(record: ImageRecord, content: ContentStore) -> tuple[oci.Manifest, int]:
    body = content.read(record.manifest)
    document = manifests.read(body, "", record.id)
    assert isinstance(document, oci.Manifest)
    return document, len(body)


def _platform(record: ImageRecord) -> oci.Platform:
    return oci.Platform(os=record.config.os, architecture=record.config.architecture, variant=record.config.variant)


def _summary(
    descriptor: oci.Descriptor, here: ImageRecord | None, content: ContentStore, users: list[str], asked: ImageRecord
) -> ManifestSummary:
    summary = ManifestSummary(id=descriptor.digest, descriptor=descriptor, available=here is not None)
    if descriptor.annotations.get(_REFERENCE_TYPE) == "attestation-manifest":
        summary.kind = "attestation"
        summary.attestation_data = AttestationData(subject=descriptor.annotations.get(_REFERENCE_DIGEST, ""))
        return summary
    platform = descriptor.platform or (_platform(here) if here else None)
    if platform is None:
        return summary
    summary.kind = "image"
    summary.image_data = ImageData(platform=platform)
    if here is not None:
        document, size = _manifest(here, content)
        sizes = {blob.digest: blob.size for blob in (document.config, *document.layers) if content.has(blob.digest)}
        packed = size + sum(sizes.values())
        summary.size = ManifestSize(content=packed, total=packed + here.size)
        summary.image_data.size = UnpackedSize(unpacked=here.size)
        summary.image_data.containers = users if here.id == asked.id else []
    return summary
