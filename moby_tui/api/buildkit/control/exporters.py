"""Where a client wants a build's results: as ``Output``, tags and annotations of ``BuildOptions``.

https://docs.docker.com/build/exporters/
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from moby_tui.api.buildkit.wire.control_pb2 import Exporter, SolveRequest
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema import oci
from moby_tui.schema.base import decode, encode
from moby_tui.schema.build import Annotation, BuildOptions, Output, Packing

#: The kind of an output, by the exporter's type; ``moby`` is that of the docker driver.
_KINDS = {"moby": "image", "image": "image", "docker": "docker", "oci": "oci", "local": "local", "tar": "tar"}
#: The values of a flag, as Go has them.
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
_CONFIG, _EPOCH = "containerimage.config", "SOURCE_DATE_EPOCH"
_COMPRESSIONS = ("gzip", "uncompressed", "zstd")
#: The store that a client offers for the folder of an OCI layout.
_LAYOUT = "export"
#: Values that would make something else of what this engine does.
_LACKING = {"store": _FALSE}
_ANNOTATION = r"annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(\S+)"
_ANNOTATED = ("", "manifest", "manifest-descriptor", "index", "index-descriptor")


def of(request: SolveRequest) -> list[Exporter]:
    """The exporters of a request; older clients name one."""
    if request.Exporters or not request.ExporterDeprecated:
        return list(request.Exporters)
    return [Exporter(Type=request.ExporterDeprecated, Attrs=request.ExporterAttrsDeprecated)]


def read(request: SolveRequest, options: BuildOptions) -> oci.ImageConfig | None:
    """The configuration that an exporter gives to the image of a graph. Raises ``InvalidArgument``, ``NotImplementedYet``."""
    options.outputs = []
    given = None
    for exporter in of(request):
        if exporter.Type not in _KINDS:
            raise InvalidArgument(f'exporter "{exporter.Type[:40]}" could not be found')
        _read_attributes(exporter, options)
        options.outputs.append(_output(exporter))
        if text := exporter.Attrs.get(_CONFIG):
            given = config(text.encode())
    options.outputs = options.outputs or [Output(kind="cacheonly")]
    if given is not None and options.graph is None and options.task is None:
        raise NotImplementedYet(f"{_CONFIG} of an exporter for what a frontend makes")
    return given


def config(text: bytes) -> oci.ImageConfig:
    """The configuration of an image, as a client gives it. Raises ``InvalidArgument``."""
    try:
        return decode(encode(_without_nulls(decode(text, dict[str, Any]))), oci.ImageConfig)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"invalid configuration of an image: {error}") from None


def _without_nulls(value: Any) -> Any:
    """Go writes a list or an object that is not there as null."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def names(request: SolveRequest) -> list[str]:
    """The names of images as the client wrote them."""
    every_name = (name for exporter in of(request) for name in _listed(exporter.Attrs.get("name", "")))
    return list(dict.fromkeys(every_name))


def _read_attributes(exporter: Exporter, options: BuildOptions) -> None:
    """What all outputs of the build have. A name that is not known says nothing, as to BuildKit."""
    attributes = exporter.Attrs
    options.tags = list(dict.fromkeys([*options.tags, *_listed(attributes.get("name", ""))]))
    if epoch := attributes.get("source-date-epoch"):
        options.build_args.setdefault(_EPOCH, epoch)
    for annotation in _annotations(attributes):
        if annotation.kind == "manifest" and not annotation.platform:
            options.annotations[annotation.key] = annotation.value
    for name, values in _LACKING.items():
        if attributes.get(name) in values:
            raise NotImplementedYet(f"{name}={attributes[name]} of the exporter {exporter.Type}")


def _output(exporter: Exporter) -> Output:
    attributes, kind = exporter.Attrs, _KINDS[exporter.Type]
    rest = (each for each in _annotations(attributes) if each.kind != "manifest" or each.platform)
    return Output(
        kind=kind,
        push=_flag(attributes, "push"),
        packing=_packing(attributes, kind),
        split=_flag(attributes, "platform-split") if attributes.get("platform-split") else None,
        store="" if kind not in ("oci", "docker") or _flag(attributes, "tar", missing=True) else _LAYOUT,
        by_digest=_flag(attributes, "push-by-digest"),
        annotations=tuple(rest),
    )


def _packing(attributes: Mapping[str, str], kind: str) -> Packing:
    compression, level = attributes.get("compression", ""), attributes.get("compression-level", "")
    if compression == "estargz":
        raise NotImplementedYet("compression=estargz")
    if compression and compression not in _COMPRESSIONS:
        raise InvalidArgument(f"unsupported compression type {compression[:40]}")
    if level and not re.fullmatch(r"[+-]?[0-9]{1,18}", level):
        raise InvalidArgument(
            f"non-integer value {level[:40]} specified for compression-level: "
            f'strconv.ParseInt: parsing "{level[:40]}": invalid syntax'
        )
    return Packing(
        compression=compression,
        level=int(level) if level else None,
        force=_flag(attributes, "force-compression"),
        docker_types=not _flag(attributes, "oci-mediatypes", missing=kind != "docker"),
    )


def _annotations(attributes: Mapping[str, str]) -> Iterator[Annotation]:
    """Raises ``InvalidArgument`` for one of no kind."""
    for name, value in attributes.items():
        if found := re.fullmatch(_ANNOTATION, name):
            kind, platform, key = found[1] or "", found[2] or "", found[3]
            if kind not in _ANNOTATED:
                raise InvalidArgument(f"unrecognized annotation type {kind[:40]}")
            yield Annotation(key, value, kind or "manifest", platform)


def _listed(text: str) -> list[str]:
    return [field for row in csv.reader([text]) for field in row if field]


def _flag(attributes: Mapping[str, str], name: str, *, missing: bool = False) -> bool:
    text = attributes.get(name)
    if text is None:
        return missing
    if text and text not in (*_TRUE, *_FALSE):
        raise InvalidArgument(f'non-bool value specified for {name}: strconv.ParseBool: parsing "{text[:40]}": invalid syntax')
    return text not in _FALSE
