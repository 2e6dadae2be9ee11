"""Where a client wants a build's results: as ``Output``, tags and annotations of ``BuildOptions``.

https://docs.docker.com/build/exporters/
"""

from __future__ import annotations

import csv

import msgspec

from moby_tui.api.buildkit.wire.control_pb2 import Exporter, SolveRequest
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema import oci
from moby_tui.schema.base import decode
from moby_tui.schema.build import BuildOptions, Output

#: The kind of an output, by the exporter's type; ``moby`` is that of the docker driver.
_KINDS = {"moby": "image", "image": "image", "docker": "docker", "oci": "oci", "local": "local", "tar": "tar"}
_TRUE, _FALSE = ("1", "t", "true", ""), ("0", "f", "false")
#: Attributes with the values that ask for what this engine does anyway.
_GIVEN = {
    "unpack": (*_TRUE, *_FALSE),
    "store": _TRUE,
    "oci-mediatypes": _TRUE,
    "compression": ("gzip",),
    "force-compression": _FALSE,
    "tar": _TRUE,
    "platform-split": _FALSE,
    "push-by-digest": _FALSE,
    "name-canonical": _FALSE,
    "insecure": _FALSE,
    "registry.insecure": _FALSE,
    "rewrite-timestamp": (*_TRUE, *_FALSE),
    "prefer-image-digest": (*_TRUE, *_FALSE),
    "attestation-inline": (*_TRUE, *_FALSE),
}
_CONFIG = "containerimage.config"
_READ = (_CONFIG, "name", "push", "dest", "source-date-epoch", "context", "buildinfo-attrs", "mode")
_EPOCH = "SOURCE_DATE_EPOCH"


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
            raise NotImplementedYet(f"the exporter {exporter.Type[:40]!r}")
        options.outputs.append(Output(kind=_KINDS[exporter.Type], push=_flag("push", exporter.Attrs.get("push", "false"))))
        _read_attributes(exporter, options)
        if text := exporter.Attrs.get(_CONFIG):
            given = config(text.encode())
    options.outputs = options.outputs or [Output(kind="cacheonly")]
    if given is not None and options.graph is None and options.task is None:
        raise NotImplementedYet(f"{_CONFIG} of an exporter for what a frontend makes")
    return given


def config(text: bytes) -> oci.ImageConfig:
    """The configuration of an image, as a client gives it. Raises ``InvalidArgument``."""
    try:
        return decode(text, oci.ImageConfig)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"invalid configuration of an image: {error}") from None


def names(request: SolveRequest) -> list[str]:
    """The names of images as the client wrote them."""
    every_name = (name for exporter in of(request) for name in _listed(exporter.Attrs.get("name", "")))
    return list(dict.fromkeys(every_name))


def _read_attributes(exporter: Exporter, options: BuildOptions) -> None:
    options.tags = list(dict.fromkeys([*options.tags, *_listed(exporter.Attrs.get("name", ""))]))
    for name, value in exporter.Attrs.items():
        if name == "source-date-epoch":
            options.build_args.setdefault(_EPOCH, value)
        elif name.startswith("annotation."):
            options.annotations[name.removeprefix("annotation.")] = value
        elif name.startswith("annotation-manifest."):
            options.annotations[name.removeprefix("annotation-manifest.")] = value
        elif name in _GIVEN and value.lower() in _GIVEN[name]:
            continue
        elif name not in _READ:
            raise NotImplementedYet(f"{name[:80]}={value[:40]} of the exporter {exporter.Type}")


def _listed(text: str) -> list[str]:
    return [field for row in csv.reader([text]) for field in row if field]


def _flag(name: str, text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise InvalidArgument(f"invalid {name} {text[:40]!r}: it is true or false")
    return text.lower() in _TRUE
