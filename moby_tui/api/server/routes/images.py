"""Images: what of them is not as the table of operations has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from moby_tui.api.operations.fields import extra
from moby_tui.api.operations.images import Images
from moby_tui.api.operations.operation import TAR
from moby_tui.api.operations.registry import Registry
from moby_tui.api.server import decode, shims
from moby_tui.api.server.answers import json, progress, raw
from moby_tui.api.server.call import Call
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import RouteTable
from moby_tui.api.server.routes.archive import serve_archives
from moby_tui.api.server.versions import parse
from moby_tui.errors import InvalidArgument

table = RouteTable(Images, plain)
registries = RouteTable(Registry, plain)
serve_archives(table, Images, lambda client: client.images)
#: The first version whose save and load take several.
_SEVERAL_PLATFORMS = parse("1.52")
#: The first version whose inspect has nothing of the container of an image's last step.
_WITHOUT_STEPS = parse("1.45")


@table.handles(Images.list)
async def list_(call: Call) -> web.StreamResponse:
    arguments = call.read()
    if old := arguments.pop("filter"):  # before 1.28 the reference filter was a parameter
        arguments["filters"].setdefault("reference", []).append(old)
    images = await call.client.images.list(**arguments)
    return json([shims.image_summary(image, call.version) for image in images])


@table.handles(Images.pull)
async def create(call: Call) -> web.StreamResponse:
    """Two in one: a pull with ``fromImage``, an import with ``fromSrc``."""
    arguments = call.read()
    if arguments["fromImage"]:
        return await _pull(call, arguments)
    if arguments["fromSrc"]:
        return await _import(call, arguments)
    raise InvalidArgument("either fromImage or fromSrc must be given")


async def _pull(call: Call, arguments: dict[str, Any]) -> web.StreamResponse:
    name = decode.with_tag(arguments["fromImage"].rstrip(":"), arguments["tag"])
    all_tags = "@" not in name and ":" not in name.rpartition("/")[2]
    lines = call.client.images.pull(name, platform=arguments["platform"], all_tags=all_tags, auth=arguments["auth"])
    return await progress(call.request, lines)


async def _import(call: Call, arguments: dict[str, Any]) -> web.StreamResponse:
    source = arguments["fromSrc"]
    steps = call.client.images.import_tar(
        call.request.content.iter_any() if source == "-" else source,
        reference=decode.with_tag(arguments["repo"], arguments["tag"]),
        message=arguments["message"],
        changes=arguments["changes"],
        platform=arguments["platform"],
    )
    return await progress(call.request, steps)


@table.handles(Images.inspect)
async def inspect(call: Call) -> web.StreamResponse:
    arguments = call.read()
    if arguments["manifests"] and arguments["platform"]:
        raise InvalidArgument("conflicting options: manifests and platform options cannot both be set")
    image = await call.client.images.inspect(call.ref, platform=arguments["platform"])
    steps = await call.client.images.history(call.ref, platform=arguments["platform"]) if call.version < _WITHOUT_STEPS else []
    return json(shims.image_inspect(image, call.version, steps[0].created_by if steps else ""))


@table.handles(Images.push)
async def push(call: Call) -> web.StreamResponse:
    """Without a tag every tag of the repository is pushed, as dockerd does."""
    arguments = call.read()
    name = decode.with_tag(arguments["reference"], arguments["tag"])
    lines = call.client.images.push(name, all_tags=not arguments["tag"], platform=arguments["platform"], auth=arguments["auth"])
    return await progress(call.request, lines)


@table.handles(Images.load)
async def load(call: Call) -> web.StreamResponse:
    arguments = call.read()
    _check_number(call, arguments["platforms"])
    return await progress(call.request, call.binding.call(call.client.images.load, arguments), always_200=True)


def _check_number(call: Call, platforms: Sequence[str]) -> None:
    """Raises ``InvalidArgument`` for more platforms than the version has."""
    if len(platforms) > 1 and call.version < _SEVERAL_PLATFORMS:
        raise InvalidArgument("multiple platform parameters not supported")


@table.handles(Images.save)
async def save(call: Call) -> web.StreamResponse:
    arguments = call.read()
    _check_number(call, arguments["platforms"])
    names = [name for text in arguments["refs"] for name in text.split(",") if name]
    return await raw(call.request, call.client.images.save(names, platforms=arguments["platforms"]), content_type=TAR)


@table.get("/images/{ref:.*}/get", extra("platform", "platforms", default=(), since="1.48"), errors=(404,), media=TAR)
async def save_one(call: Call) -> web.StreamResponse:
    """An uncompressed tar of one image."""
    arguments = call.read()
    _check_number(call, arguments["platform"])
    return await raw(call.request, call.client.images.save([arguments["ref"]], platforms=arguments["platform"]), content_type=TAR)
