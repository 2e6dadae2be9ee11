"""Builds: a tar in, as for the classic builder, or an upload in parts of one of ours; a stream of steps out."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from aiohttp import web

from moby_tui.api.server.answers import closing, empty, json, progress
from moby_tui.api.server.call import Call
from moby_tui.api.server.decode import Query
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import CommandFailed, InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema import base
from moby_tui.schema.build import UPLOADED, UPLOADED_CACHE, UPLOADED_LAYOUT, BuildOptions
from moby_tui.schema.container import HostConfig, Ulimit
from moby_tui.schema.image import Progress, RegistryAuth

if TYPE_CHECKING:
    from aiohttp import BodyPartReader, MultipartReader

table = RouteTable()

_PIECE = 1 << 18
_OPTIONS_LIMIT = 32 << 20
#: Headers that hold logins.
_LOGINS_LIMIT = 1 << 20


@table.post("/build", lasting=True)
async def build(call: Call) -> web.StreamResponse:
    if call.query.flag("parts"):
        return await _build_in_parts(call)
    options = _options(call)
    context = None if options.remote else call.request.content.iter_any()
    steps = call.client.builder.build(context, options)
    if ident := call.query.text("buildid"):
        steps = _cancellable(steps, ident)
    return await progress(call.request, _refused_at_once(_only_result(steps) if call.query.flag("q") else steps), code=_step_code)


async def _build_in_parts(call: Call) -> web.StreamResponse:
    """See ``api/client/builds.py``."""
    try:
        parts = _Parts(await call.request.multipart())
    except (ValueError, AssertionError) as error:
        raise InvalidArgument(f"the build's upload is not in parts: {error}") from None
    options = await parts.options()
    if options.ssh:
        raise NotImplementedYet("--ssh with an engine elsewhere, which has neither the agent nor the keys")
    sent = None if options.remote else parts.named("context")
    kinds = {name: source.partition(":")[0] for name, source in options.contexts.items()}
    uploads = {
        name: parts.named(f"context:{name}")
        for name, kind in kinds.items()
        if kind in (UPLOADED, UPLOADED_LAYOUT, UPLOADED_CACHE)
    }
    return await progress(call.request, call.client.builder.build(sent, options, uploads))


def _step_code(error: MobyError) -> int:
    """What docker build ends with: the exit code of the step that failed; 0, which is left out, for all else."""
    return error.exit_code if isinstance(error, CommandFailed) else 0


async def _refused_at_once(steps: AsyncIterator[Progress]) -> AsyncIterator[Progress]:
    """What a Dockerfile that cannot be read is refused for becomes the answer's status, without the lines of it that we would show."""
    async with closing(steps):
        held = await anext(steps, None)
        if held is not None and not (held.stream or "").startswith("Step "):
            following = await anext(steps, None)
            yield held
            held = following
        if held is not None:
            yield held
        async for step in steps:
            yield step


class _Parts:
    """The parts of an upload, which can only be read in their order."""

    def __init__(self, reader: MultipartReader) -> None:
        self._reader = reader

    async def options(self) -> BuildOptions:
        body = bytearray()
        async for piece in self.named("options"):
            body += piece
            if len(body) > _OPTIONS_LIMIT:
                raise InvalidArgument(f"the build's options have more than {_OPTIONS_LIMIT} bytes")
        try:
            return base.decode(bytes(body), BuildOptions)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidArgument(f"invalid build options: {error}") from None

    async def named(self, name: str) -> AsyncIterator[bytes]:
        try:
            part: BodyPartReader | MultipartReader | None = await self._reader.next()
            if part is None or unquote(getattr(part, "name", "") or "") != name:
                raise InvalidArgument(f"the build's upload lacks its part {name[:80]!r}")
            read: Any = part
            while piece := await read.read_chunk(_PIECE):
                yield piece
        except (ValueError, AssertionError, web.HTTPException) as error:
            raise InvalidArgument(f"the build's upload cannot be read: {error}") from None


def _options(call: Call) -> BuildOptions:
    """The classic builder's parameters; as with dockerd's, what else there is changes nothing. Raises ``InvalidArgument``."""
    query = call.query
    _check_builder(query)
    remote = query.text("remote")
    return BuildOptions(
        dockerfile=query.text("dockerfile") or "Dockerfile",
        # docker's own word for: it is in the body
        remote="" if remote == "client-session" else remote,
        tags=query.all("t"),
        build_args={name: value for name, value in query.map("buildargs").items() if value is not None},
        labels={name: value or "" for name, value in query.map("labels").items()},
        target=query.text("target"),
        platforms=[query.text("platform")] if query.text("platform") else [],
        pull=query.flag("pull"),
        no_cache=query.flag("nocache"),
        cache_from=_list(call, "cachefrom", list[str]),
        host=_host(call),
        auths=_logins(call.request.headers.get("X-Registry-Config")),
    )


def _check_builder(query: Query) -> None:
    """What dockerd's classic builder can be asked to be, and what it refuses."""
    if query.flag("squash"):
        raise InvalidArgument("squash is only supported with experimental mode")
    if query.text("isolation", "default").lower() not in ("", "default"):
        raise InvalidArgument(f'unsupported isolation: "{query.text("isolation")[:80]}"')
    if query.all("securityopt"):
        raise InvalidArgument("security options are not supported on linux")
    if query.text("version") == "2":
        raise NotImplementedYet("build parameter version=2 (BuildKit's wire; set DOCKER_BUILDKIT=0)")
    if query.text("version") not in ("", "1"):
        raise InvalidArgument(f'invalid version "{query.text("version")[:80]}"')


def _host(call: Call) -> HostConfig:
    query = call.query
    network = query.text("networkmode")
    return HostConfig(
        network_mode="" if network == "default" else network,
        extra_hosts=query.all("extrahosts") or None,
        shm_size=query.integer("shmsize"),
        memory=query.integer("memory"),
        memory_swap=query.integer("memswap"),
        cpu_shares=query.integer("cpushares"),
        cpu_period=query.integer("cpuperiod"),
        cpu_quota=query.integer("cpuquota"),
        cpuset_cpus=query.text("cpusetcpus"),
        cpuset_mems=query.text("cpusetmems"),
        cgroup_parent=query.text("cgroupparent"),
        ulimits=_list(call, "ulimits", list[Ulimit]) or None,
    )


def _list(call: Call, name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(call.query.text(name) or "[]", type=kind | None) or []
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidArgument(f"invalid {name}: {error}") from None


def _logins(header: str | None) -> dict[str, RegistryAuth]:
    """The header ``X-Registry-Config``. One that cannot be read counts as absent, as with the Docker Engine."""
    if not header or len(header) > _LOGINS_LIMIT:
        return {}
    try:
        raw = base64.urlsafe_b64decode(header.replace("+", "-").replace("/", "_") + "=" * (-len(header) % 4))
        return msgspec.json.decode(raw, type=dict[str, RegistryAuth])
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return {}


async def _only_result(steps: AsyncIterator[Progress]) -> AsyncIterator[Progress]:
    """Quietly: the image's id, as dockerd tells it."""
    async with closing(steps):
        async for step in steps:
            if step.aux and "ID" in step.aux:
                yield step
                yield Progress(stream=f"{step.aux['ID']}\n")


#: Set to end the builds that were given this id.
_cancels: dict[str, asyncio.Event] = {}


async def _cancellable(steps: AsyncIterator[Progress], ident: str) -> AsyncIterator[Progress]:
    """A build that ``/build/cancel`` can end; raises ``MobyError`` then."""
    cancelled = asyncio.ensure_future(_cancels.setdefault(ident, asyncio.Event()).wait())
    try:
        async with closing(steps):
            while (step := await _unless(cancelled, steps)) is not None:
                yield step
    finally:
        cancelled.cancel()
        _cancels.pop(ident, None)


async def _unless(cancelled: asyncio.Future[Any], steps: AsyncIterator[Progress]) -> Progress | None:
    """The next step; None at the end."""

    async def following() -> Progress | None:
        return await anext(steps, None)

    step = asyncio.ensure_future(following())
    try:
        await asyncio.wait({step, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        if not step.done():
            raise MobyError("the build was cancelled")
    finally:
        if not step.done():
            step.cancel()
            await asyncio.wait([step])
    return step.result()


@table.post("/build/cancel", since="1.37")
async def cancel(call: Call) -> web.StreamResponse:
    """As with dockerd an id that no build has is no error: it may have ended."""
    ident = call.query.text("id")
    if not ident:
        raise InvalidArgument("build ID not provided")
    if ident in _cancels:
        _cancels[ident].set()
    return empty(200)


@table.post("/build/prune", since="1.31")
async def prune(call: Call) -> web.StreamResponse:
    for name in ("reserved-space", "min-free-space"):
        if call.query.text(name) not in ("", "0"):
            raise NotImplementedYet(f"build prune parameter {name}")
    filters = call.query.filters(frozenset({"until"}))
    keep = call.query.integer("keep-storage") or call.query.integer("max-used-space")
    return json(await call.client.builder.prune(all=call.query.flag("all"), filters=filters, keep_storage=keep))
