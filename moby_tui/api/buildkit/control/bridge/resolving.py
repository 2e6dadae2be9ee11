"""What is known of a source before a graph is made with it: an image's digest and configuration (ResolveImageConfig, ResolveSourceMeta)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from moby_tui.api.buildkit.control import definition
from moby_tui.api.buildkit.wire import gateway_pb2 as pb
from moby_tui.api.buildkit.wire.ops_pb2 import Platform
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.reference import parse
from moby_tui.schema.operations import Lookup

LookUp = Callable[[Lookup], Awaitable[tuple[str, bytes]]]
_IMAGE = "docker-image://"
_PULL = "pull"
#: The resolver of images in a client's stores of blobs (ResolverTypeOCILayout).
_OF_LAYOUTS = 1


async def image(look_up: LookUp, request: pb.ResolveImageConfigRequest) -> pb.ResolveImageConfigResponse:
    """Raises ``InvalidArgument`` for a malformed name, ``NotImplementedYet``, and the errors of a pull."""
    if request.ResolverType == _OF_LAYOUTS or request.StoreID:
        raise NotImplementedYet("the configuration of an image in an OCI layout, before it is built with")
    if request.SourcePolicies:
        raise NotImplementedYet("source policies of a call of the bridge")
    digest, config = await look_up(_lookup(request.Ref, request.Platform, request.ResolveMode))
    return pb.ResolveImageConfigResponse(Ref=request.Ref, Digest=digest, Config=config)


async def source(look_up: LookUp, request: pb.ResolveSourceMetaRequest) -> pb.ResolveSourceMetaResponse:
    """Only an image has something to tell. Raises as ``image``."""
    if request.SourcePolicies:
        raise NotImplementedYet("source policies of a call of the bridge")
    identifier = request.Source.identifier
    if not identifier:
        raise InvalidArgument("source is required")
    answer = pb.ResolveSourceMetaResponse(Source=request.Source)
    if identifier.startswith(_IMAGE):
        digest, config = await look_up(_lookup(identifier.removeprefix(_IMAGE), request.Platform, request.ResolveMode))
        answer.Image.CopyFrom(pb.ResolveSourceImageResponse(Digest=digest, Config=config))
    elif identifier.startswith("oci-layout://"):
        raise NotImplementedYet("the configuration of an image in an OCI layout, before it is built with")
    return answer


def _lookup(name: str, platform: Platform, mode: str) -> Lookup:
    return Lookup(image=parse(name).familiar, platform=definition.platform(platform), pull=mode == _PULL)
