"""The documents of ``moby manifest``, byte by byte as docker writes them: the list that is pushed, and what ``inspect`` prints.

A list is an OCI index if its first manifest is OCI's, else Docker's manifest list (github.com/distribution/distribution, manifestlist).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from moby_tui.cli.manifests.entry import Entry, escaped
from moby_tui.errors import InvalidArgument
from moby_tui.reference import Reference, is_digest
from moby_tui.schema import oci


def list_of(entries: Sequence[Entry], target: Reference) -> tuple[str, bytes]:
    """Media type and bytes of the list of these manifests, for the registry. Raises ``InvalidArgument``."""
    for entry in entries:
        platform = entry.descriptor.platform
        if platform is None or not platform.architecture or not platform.os:
            raise InvalidArgument(f"manifest {entry.ref} must have an OS and Architecture to be pushed to a registry")
        check_registry(entry, target)
    return encoded([entry.descriptor for entry in entries])


def check_registry(entry: Entry, target: Reference) -> None:
    """Raises ``InvalidArgument`` for a manifest of another registry than the list's, and for a digest that is none."""
    domain = entry.reference.domain
    if domain != target.domain:
        raise InvalidArgument(
            f"cannot use source images from a different registry than the target image: {domain} != {target.domain}"
        )
    if not is_digest(entry.descriptor.digest):
        raise InvalidArgument(f"digest parse of image {entry.ref} failed: invalid checksum digest format")


def encoded(descriptors: Sequence[oci.Descriptor]) -> tuple[str, bytes]:
    """Media type and bytes of a list; a descriptor's annotations are left out, as docker leaves them out."""
    is_oci = bool(descriptors) and descriptors[0].media_type == oci.MEDIA_MANIFEST
    kind = oci.MEDIA_INDEX if is_oci else oci.DOCKER_INDEX
    document = {"schemaVersion": 2, "mediaType": kind, "manifests": [_member(one) for one in descriptors]}
    return kind, escaped(json.dumps(document, indent=3, ensure_ascii=False)).encode()


def _member(descriptor: oci.Descriptor) -> dict[str, Any]:
    platform = descriptor.platform or oci.Platform(architecture="", os="")
    return {
        "mediaType": descriptor.media_type,
        "size": descriptor.size,
        "digest": descriptor.digest,
        "platform": msgspec.to_builtins(platform),
    }


def shown(entry: Entry) -> str:
    """The manifest itself, as ``inspect`` prints it."""
    return printed(_indented(entry.document))


def described(entries: Entry | Sequence[Entry]) -> str:
    """All that is known of one manifest or several, as ``inspect -v`` prints it."""
    return printed(escaped(_indented(msgspec.json.encode(entries))))


def _indented(document: bytes) -> str:
    """JSON with a tab for each level; names, texts and numbers stay as they are written."""
    return re.sub(
        "^ +", lambda spaces: "\t" * len(spaces[0]), msgspec.json.format(document, indent=1).decode(), flags=re.MULTILINE
    )


def printed(text: str) -> str:
    """The same JSON with escapes for characters that a terminal could obey: a registry has sent it."""
    if text.isascii():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else json.dumps(one)[1:-1] for one in text)
