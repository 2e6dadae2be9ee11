"""Images: list, pull, import, load, inspect, tag, removal."""

from __future__ import annotations

import msgspec
from aiohttp import web

from moby_tui.api.server import shims
from moby_tui.api.server.answers import empty, json, progress, raw
from moby_tui.api.server.call import Call
from moby_tui.api.server.decode import registry_auth
from moby_tui.api.server.router import RouteTable
from moby_tui.api.server.routes.archive import TAR
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.base import decode
from moby_tui.schema.container import Committed, ContainerConfig
from moby_tui.schema.oci import Platform

table = RouteTable()

#: The docker CLI sends ``null`` where nothing is to be overridden; to mypy a union is no class.
_Overrides: type[ContainerConfig | None] = ContainerConfig | None  # type: ignore[assignment]
_FILTERS = frozenset({"before", "dangling", "label", "label!", "reference", "since", "until"})
_SEARCH_FILTERS = frozenset({"is-automated", "is-official", "stars"})
_PRUNE_FILTERS = frozenset({"dangling", "label", "label!", "until"})


@table.get("/images/json")
async def list_(call: Call) -> web.StreamResponse:
    query = call.query
    filters = query.filters(_FILTERS)
    if old := query.text("filter"):  # before 1.28 the reference filter was a parameter
        filters.setdefault("reference", []).append(old)
    images = await call.client.images.list(
        all=query.flag("all"),
        digests=query.flag("digests"),
        filters=filters,
        shared_size=query.flag("shared-size") and call.version >= (1, 42),
        manifests=query.flag("manifests") and call.version >= (1, 47),
    )
    return json([shims.image_summary(image, call.version) for image in images])


@table.post("/images/create", lasting=True)
async def create(call: Call) -> web.StreamResponse:
    """Two in one: a pull with ``fromImage``, an import with ``fromSrc``."""
    if call.query.text("fromImage"):
        return await _pull(call)
    if call.query.text("fromSrc"):
        return await _import(call)
    raise InvalidArgument("either fromImage or fromSrc must be given")


async def _pull(call: Call) -> web.StreamResponse:
    name, tag = call.query.text("fromImage").rstrip(":"), call.query.text("tag")
    if tag:
        name += f"@{tag}" if ":" in tag else f":{tag}"
    all_tags = "@" not in name and ":" not in name.rpartition("/")[2]
    auth = registry_auth(call.request.headers.get("X-Registry-Auth"))
    lines = call.client.images.pull(name, platform=call.query.text("platform"), all_tags=all_tags, auth=auth)
    return await progress(call.request, lines)


async def _import(call: Call) -> web.StreamResponse:
    query = call.query
    source = query.text("fromSrc")
    repo, tag = query.text("repo"), query.text("tag")
    steps = call.client.images.import_tar(
        call.request.content.iter_any() if source == "-" else source,
        reference=f"{repo}:{tag}" if repo and tag else repo,
        message=query.text("message"),
        changes=query.all("changes"),
        platform=query.text("platform"),
    )
    return await progress(call.request, steps)


@table.post("/images/{ref:.*}/push", lasting=True)
async def push(call: Call) -> web.StreamResponse:
    """Without a tag every tag of the repository is pushed, as dockerd does."""
    name, tag = call.ref, call.query.text("tag")
    auth = registry_auth(call.request.headers.get("X-Registry-Auth"))
    lines = call.client.images.push(f"{name}:{tag}" if tag else name, all_tags=not tag, platform=_platform(call), auth=auth)
    return await progress(call.request, lines)


@table.post("/images/load", abandoned=True)
async def load(call: Call) -> web.StreamResponse:
    archive, quiet = call.request.content.iter_any(), call.query.flag("quiet", True)
    steps = call.client.images.load(archive, quiet=quiet, platform=_platform(call))
    return await progress(call.request, steps, at_once=True)


@table.get("/images/get")
async def save(call: Call) -> web.StreamResponse:
    names = [name for text in call.query.all("names") for name in text.split(",") if name]
    return await raw(call.request, call.client.images.save(names, platforms=_platforms(call)), content_type=TAR)


@table.get("/images/{ref:.*}/get")
async def save_one(call: Call) -> web.StreamResponse:
    return await raw(call.request, call.client.images.save([call.ref], platforms=_platforms(call)), content_type=TAR)


@table.get("/images/search")
async def search(call: Call) -> web.StreamResponse:
    query = call.query
    auth = registry_auth(call.request.headers.get("X-Registry-Auth"))
    filters = query.filters(_SEARCH_FILTERS)
    return json(await call.client.registry.search(query.text("term"), limit=query.integer("limit"), filters=filters, auth=auth))


@table.get("/distribution/{ref:.*}/json", since="1.30")
async def distribution(call: Call) -> web.StreamResponse:
    auth = registry_auth(call.request.headers.get("X-Registry-Auth"))
    return json(await call.client.registry.inspect(call.ref, auth=auth))


@table.post("/images/prune", since="1.25")
async def prune(call: Call) -> web.StreamResponse:
    return json(await call.client.images.prune(filters=call.query.filters(_PRUNE_FILTERS)))


def _platforms(call: Call) -> list[str]:
    """What the API writes as an OCI object in JSON."""
    found = []
    for text in call.query.all("platform"):
        try:
            platform = decode(text, Platform)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise InvalidArgument(f"invalid platform: {error}") from error
        found.append("/".join(filter(None, (platform.os, platform.architecture, platform.variant))))
    return found


def _platform(call: Call) -> str:
    return next(iter(_platforms(call)), "")


@table.post("/commit")
async def commit(call: Call) -> web.StreamResponse:
    query = call.query
    repo, tag = query.text("repo"), query.text("tag")
    if not query.text("container"):
        raise InvalidArgument('invalid name or ID supplied: ""')
    ident = await call.client.containers.commit(
        query.text("container"),
        reference=f"{repo}:{tag}" if repo and tag else repo,
        message=query.text("comment"),
        author=query.text("author"),
        changes=[line for change in query.all("changes") for line in change.splitlines()],
        config=await call.body(_Overrides) if call.request.can_read_body else None,
        pause=query.flag("pause", True),
    )
    return json(Committed(id=ident), 201)


@table.get("/images/{ref:.*}/json")
async def inspect(call: Call) -> web.StreamResponse:
    return json(shims.image_inspect(await call.client.images.inspect(call.ref, platform=_platform(call)), call.version))


@table.get("/images/{ref:.*}/history")
async def history(call: Call) -> web.StreamResponse:
    return json(await call.client.images.history(call.ref, platform=_platform(call)))


@table.post("/images/{ref:.*}/tag")
async def tag(call: Call) -> web.StreamResponse:
    repo, name = call.query.text("repo"), call.query.text("tag")
    await call.client.images.tag(call.ref, f"{repo}:{name}" if name else repo)
    return empty(201)


@table.delete("/images/{ref:.*}")
async def remove(call: Call) -> web.StreamResponse:
    query = call.query
    if query.all("platforms"):
        raise NotImplementedYet("removing one platform of an image (remove its id)")
    return json(await call.client.images.remove(call.ref, force=query.flag("force"), prune=not query.flag("noprune")))
