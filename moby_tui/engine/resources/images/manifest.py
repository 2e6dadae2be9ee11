"""Manifests, indexes and image configurations, read strictly.

A document that can be read in two ways is refused (CVE-2021-41190): its media type must be given once and without contradiction, and its
fields must agree.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from moby_tui.errors import InvalidArgument
from moby_tui.reference import hex_of, is_digest
from moby_tui.schema import oci
from moby_tui.schema.base import Oci, decode

INDEX_TYPES = (oci.MEDIA_INDEX, oci.DOCKER_INDEX)
MANIFEST_TYPES = (oci.MEDIA_MANIFEST, oci.DOCKER_MANIFEST)
_CONFIG_TYPES = (oci.MEDIA_CONFIG, oci.DOCKER_CONFIG)
#: Foreign layers: not kept by the registry, but fetched from the ``urls`` of their descriptor.
_FOREIGN = ("application/vnd.docker.image.rootfs.foreign.diff.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar")
_ENCRYPTED = "+encrypted"
_MOST_LAYERS = 500
#: The largest configuration: it is kept in memory and in the database.
CONFIG_LIMIT = 4 << 20


class _Built(Oci, kw_only=True):
    """What a configuration says about its platform; an artifact's configuration says nothing."""

    architecture: str | None = None
    os: str | None = None
    os_version: str | None = msgspec.field(default=None, name="os.version")
    os_features: list[str] | None = msgspec.field(default=None, name="os.features")
    variant: str | None = None


def blob_name(digest: str) -> str:
    """The name of a blob in an image layout, and in an archive of ``save`` (image-spec, image-layout.md). Raises ``InvalidArgument``."""
    return f"blobs/sha256/{hex_of(digest)}"


def read(body: bytes, media_type: str, name: str) -> oci.Manifest | oci.Index:
    """The manifest of a container image, or the index, in ``body``; ``media_type`` is what its sender calls it, or empty.
    Raises ``InvalidArgument``."""
    manifest = read_any(body, media_type, name)
    if isinstance(manifest, oci.Index):
        return manifest
    if manifest.config.media_type not in _CONFIG_TYPES:
        raise InvalidArgument(f"{name} is not a container image but {manifest.config.media_type[:100]!r}")
    if manifest.config.size > CONFIG_LIMIT or len(manifest.layers) > _MOST_LAYERS:
        raise InvalidArgument(f"{name} has too large a configuration or more than {_MOST_LAYERS} layers")
    if any(layer.media_type.endswith(_ENCRYPTED) for layer in manifest.layers):
        raise InvalidArgument(f"{name} has encrypted layers; decrypt it first, with skopeo copy --decryption-key")
    return manifest


def read_any(body: bytes, media_type: str, name: str) -> oci.Manifest | oci.Index:
    """As ``read``, but a manifest may be of anything: artifacts, encrypted images. Raises ``InvalidArgument``."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"the manifest of {name} is not JSON") from error
    if not isinstance(document, dict):
        raise InvalidArgument(f"the manifest of {name} is not a JSON object")
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        raise InvalidArgument(
            f"{name} is in the old image format (manifest version 2, schema 1); its publisher must push it again"
        )
    kind = _kind(document, media_type, name)
    try:
        if kind in INDEX_TYPES:
            index = decode(body, oci.Index)
            _check_descriptors(index.manifests, name)
            return index
        manifest = decode(body, oci.Manifest)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InvalidArgument(f"the manifest of {name} is invalid: {error}") from error
    _check_descriptors([manifest.config, *manifest.layers], name)
    return manifest


def kind_of(document: oci.Manifest | oci.Index, media_type: str) -> str:
    """The media type of a document that ``read_any`` took, which its sender calls ``media_type``."""
    if document.media_type:
        return document.media_type
    known = INDEX_TYPES if isinstance(document, oci.Index) else MANIFEST_TYPES
    return media_type if media_type in known else known[0]


def platform_of(config: bytes, name: str) -> oci.Platform:
    """The platform that a manifest's configuration names; members that it lacks are empty. Raises ``InvalidArgument``."""
    try:
        configuration = decode(config, _Built)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InvalidArgument(f"the configuration of {name} is invalid: {error}") from error
    return oci.Platform(
        architecture=configuration.architecture or "",
        os=configuration.os or "",
        os_version=configuration.os_version or "",
        os_features=configuration.os_features or [],
        variant=configuration.variant or "",
    )


def is_foreign(layer: oci.Descriptor) -> bool:
    """True for a foreign layer, which is fetched from its ``urls`` and never pushed."""
    return layer.media_type.startswith(_FOREIGN) and bool(layer.urls)


def _kind(document: dict[str, Any], media_type: str, name: str) -> str:
    declared = document.get("mediaType") or ""
    shape = oci.MEDIA_INDEX if "manifests" in document else oci.MEDIA_MANIFEST
    known = media_type if media_type in INDEX_TYPES + MANIFEST_TYPES else ""
    kind = known or declared or shape
    if kind not in INDEX_TYPES + MANIFEST_TYPES:
        raise InvalidArgument(f"{name} has a manifest of unknown type {str(kind)[:100]!r}")
    foreign = ("config", "layers") if kind in INDEX_TYPES else ("manifests",)
    if (declared and declared != kind) or any(document.get(field) is not None for field in foreign):
        raise InvalidArgument(f"the manifest of {name} is ambiguous: its type and its fields do not agree; refused")
    return str(kind)


def read_config(body: bytes, manifest_layers: int, name: str) -> oci.ImageConfig:
    """An image configuration whose layers are as many as the manifest's. One that names no system is of Linux, as for dockerd.

    Raises ``InvalidArgument``.
    """
    try:
        config = msgspec.convert(config_document(body), oci.ImageConfig)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"the configuration of {name} is invalid: {error}") from error
    config.os = config.os or "linux"
    if config.rootfs.type != "layers" or len(config.rootfs.diff_ids) != manifest_layers:
        raise InvalidArgument(f"invalid rootfs in the configuration of {name}: it does not fit the manifest")
    if not all(is_digest(diff_id) for diff_id in config.rootfs.diff_ids):
        raise InvalidArgument(f"invalid rootfs in the configuration of {name}: a diff id is not a sha256 digest")
    return config


def config_document(body: bytes) -> Any:
    """An image configuration as JSON, in the specification's forms: Docker also reads a command that is one string, null for an empty
    word, and sets whose members are anything. Raises ``ValueError``."""
    document = json.loads(body)
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        return without_nulls(document)
    words = {key: _words(config[key]) for key in ("Cmd", "Entrypoint", "Shell") if key in config}
    sets: dict[str, Any] = {
        key: {name: {} for name in config[key]} for key in ("Volumes", "ExposedPorts") if isinstance(config.get(key), dict)
    }
    return without_nulls({**document, "config": {**config, **words, **sets}})


def _words(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    return ["" if word is None else word for word in value] if isinstance(value, list) else value


def without_nulls(value: Any) -> Any:
    """The document without null members, which some builders write for absent ones."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _check_descriptors(descriptors: list[oci.Descriptor], name: str) -> None:
    for descriptor in descriptors:
        if not is_digest(descriptor.digest) or descriptor.size < 0:
            raise InvalidArgument(f"the manifest of {name} holds an invalid descriptor ({descriptor.digest[:80]!r})")
