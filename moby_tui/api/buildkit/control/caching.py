"""Which caches a client wants a build to look into, and to write: as ``cache_from``, ``cache_stores`` and ``cache_to`` of ``BuildOptions``.

https://docs.docker.com/build/cache/backends/
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from typing import Any

from moby_tui.api.buildkit.wire.control_pb2 import CacheOptions, CacheOptionsEntry
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.reference import is_digest
from moby_tui.schema.build import BuildOptions, CacheTarget, StoredCache

#: Before the folder of a cache, in the name of a client's store.
_LOCAL = "local:"
_TRUE, _FALSE = ("1", "t", "true"), ("", "0", "f", "false")
#: Attributes with the values that ask for what this engine does anyway, and those that the client itself minds.
_GIVEN = {
    "mode": ("", "min", "max"),
    "compression": ("gzip",),
    "force-compression": _FALSE,
    "oci-mediatypes": _TRUE,
    "image-manifest": _TRUE,
    "ignore-error": _FALSE,
    "registry.insecure": _FALSE,
}
_OF_THE_CLIENT = ("ref", "dest", "src", "tag", "digest", "reset")


def read(attributes: Mapping[str, str], asked: CacheOptions, more: Iterable[Any], options: BuildOptions) -> None:
    """``attributes`` are the frontend's; ``more`` are caches that its call names. Raises ``InvalidArgument``, ``NotImplementedYet``."""
    options.cache_to = [_target(entry) for entry in asked.Exports]
    named = [(entry.Type, dict(entry.Attrs)) for entry in (*asked.Imports, *more)]
    references = _listed(attributes.get("cache-from", ""))
    for kind, entry in (*named, *_in_json(attributes.get("cache-imports", ""))):
        _check(kind, entry)
        if kind == "registry":
            references.append(str(entry.get("ref", "")))
        elif (cache := _stored(entry)) not in options.cache_stores:
            options.cache_stores.append(cache)
    options.cache_from = list(dict.fromkeys(references))


def _target(entry: CacheOptionsEntry) -> CacheTarget:
    attributes = dict(entry.Attrs)
    everything = attributes.get("mode", "min") == "max"
    if entry.Type == "inline":
        return CacheTarget(kind="inline")
    _check(entry.Type, attributes)
    if entry.Type == "registry":
        return CacheTarget(kind="registry", reference=attributes.get("ref", ""), everything=everything)
    if not attributes.get("dest"):
        raise InvalidArgument("a cache of type local needs a folder: write type=local,dest=folder")
    return CacheTarget(kind="local", reference=_LOCAL + attributes["dest"], everything=everything)


def _stored(entry: Mapping[str, Any]) -> StoredCache:
    folder, digest = str(entry.get("src", "")), str(entry.get("digest", ""))
    if not folder or not is_digest(digest):
        raise InvalidArgument("a cache of type local needs a folder and the digest of its manifest: write type=local,src=folder")
    return StoredCache(_LOCAL + folder, digest)


def _check(kind: str, attributes: Mapping[str, Any]) -> None:
    if kind not in ("registry", "local"):
        raise NotImplementedYet(f"a cache of type {str(kind)[:40]!r} (use type=registry, type=local or type=inline)")
    for name, value in attributes.items():
        if name not in _OF_THE_CLIENT and str(value).lower() not in _GIVEN.get(name, ()):
            raise NotImplementedYet(f"{str(name)[:80]}={str(value)[:40]} of a cache of type {kind}")


def _in_json(text: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        return [(entry["Type"], dict(entry["Attrs"])) for entry in json.loads(text)] if text else []
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidArgument("invalid cache-imports: it is a JSON list of entries with Type and Attrs") from None


def _listed(text: str) -> list[str]:
    return [field for row in csv.reader([text]) for field in row if field]
