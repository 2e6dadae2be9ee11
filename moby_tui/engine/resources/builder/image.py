"""An image between two instructions of a build."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from moby_tui.engine.resources.images import manifest as manifests
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images import wire
from moby_tui.engine.resources.images.describe import now
from moby_tui.engine.resources.images.lineage import layers_without_history
from moby_tui.engine.resources.images.store.content import ContentStore, digest_of
from moby_tui.engine.store.records.images import ImageRecord
from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci
from moby_tui.schema.base import decode, encode

#: The comment of a line of history that BuildKit's Dockerfile frontend has written.
BUILDKIT = "buildkit.dockerfile.v0"
#: The PATH of a base image that sets none.
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Layer(msgspec.Struct, frozen=True):
    """A layer in both stores: unpacked by its diff id, packed as the descriptor says."""

    diff_id: str
    blob: oci.Descriptor


class BuiltImage(msgspec.Struct, frozen=True):
    """``id`` is the digest of the configuration, or empty for nothing at all (``FROM scratch``); ``blobs`` are the layers, lowest first.

    ``chain`` is a digest of base, instructions and files, without times or places: equal builds have equal ones on any machine.
    ``told`` are the last lines of its history, those of this build's instructions, as BuildKit writes them.
    """

    id: str
    config: oci.ImageConfig
    blobs: list[oci.Descriptor]
    chain: str = ""
    told: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The cache key of this image, from which those of later steps are made."""
        return self.chain or self.id

    @property
    def execution(self) -> oci.ExecutionConfig:
        return self.config.config or oci.ExecutionConfig()

    @property
    def short(self) -> str:
        return self.id.removeprefix("sha256:")[:12]

    def followed_by(
        self,
        created_by: str,
        layer: Layer | None,
        change: Callable[[oci.ImageConfig, oci.ExecutionConfig], None],
        *,
        comment: str = "",
        chain: str = "",
    ) -> BuiltImage:
        """The image after an instruction: with its change of the configuration, its layer if any, and its line of history."""
        config = decode(encode(self.config), oci.ImageConfig)
        execution = config.config = config.config or oci.ExecutionConfig()
        change(config, execution)
        config.created = now()
        config.comment = comment
        entry = oci.HistoryEntry(
            created=config.created, created_by=created_by, author=config.author, comment=comment, empty_layer=layer is None
        )
        config.history += [oci.HistoryEntry() for _ in range(layers_without_history(config))]
        config.history.append(entry)
        if layer is not None:
            config.rootfs.diff_ids.append(layer.diff_id)
        return BuiltImage(digest_of(encode(config)), config, [*self.blobs, *([layer.blob] if layer else [])], chain)


def stored(record: ImageRecord, content: ContentStore) -> BuiltImage:
    """An image of the store as a base. Raises ``InvalidArgument`` if its manifest is not that of an image."""
    document = manifests.read(content.read(record.manifest), "", record.id)
    if not isinstance(document, oci.Manifest):
        raise InvalidArgument(f"{record.id} is an index of images, not an image")
    return BuiltImage(record.id, wire.config_to_show(record.config), document.layers)


def configured(image: BuiltImage, config: oci.ImageConfig | None) -> BuiltImage:
    """The layers of an image with another configuration, whose history gets a line for each layer that it does not tell of."""
    made = decode(encode(config or image.config), oci.ImageConfig)
    made.rootfs = image.config.rootfs
    made.architecture, made.os = made.architecture or image.config.architecture, made.os or image.config.os
    entries = [] if config is None else [entry for entry in image.config.history if not entry.empty_layer]
    missing = layers_without_history(made)
    made.history += [oci.HistoryEntry() for _ in range(missing - len(entries))] + entries[
        len(entries) - min(missing, len(entries)) :
    ]
    return BuiltImage(digest_of(encode(made)), made, image.blobs, image.chain)


def told_by_buildkit(image: BuiltImage) -> BuiltImage:
    """The same image with the lines of its history that are this build's in BuildKit's words, not in the classic builder's."""
    if not image.told:
        return image
    config = decode(encode(image.config), oci.ImageConfig)
    for entry, text in zip(config.history[-len(image.told) :], image.told, strict=True):
        entry.created_by, entry.comment, entry.author = text, BUILDKIT, ""
    return msgspec.structs.replace(image, id=digest_of(encode(config)), config=config)


def at_most(image: BuiltImage, epoch: int) -> BuiltImage:
    """The same image with no time later than ``epoch``: https://reproducible-builds.org/specs/source-date-epoch/."""
    config = decode(encode(image.config), oci.ImageConfig)
    latest = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config.created = latest
    for entry in config.history:
        if entry.created is None or _seconds(entry.created) > epoch:
            entry.created = latest
    return msgspec.structs.replace(image, id=digest_of(encode(config)), config=config)


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return float("inf")


def scratch(platform: oci.Platform | None = None) -> BuiltImage:
    """The empty image (``FROM scratch``) for a platform."""
    here = platform or platforms.host()
    config = oci.ImageConfig(
        architecture=here.architecture,
        os=here.os,
        variant=here.variant,
        config=oci.ExecutionConfig(env=[DEFAULT_PATH], working_dir="/"),
    )
    return BuiltImage("", config, [], f"scratch {platforms.text(here)}")
