"""Builds: a tar in, as for the classic builder, or an upload in parts of one of ours; a stream of steps out."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import web

from moby_tui.api.operations.builder import Builder
from moby_tui.api.operations.fields import extra
from moby_tui.api.server import shims
from moby_tui.api.server.answers import closing, empty, json, progress
from moby_tui.api.server.call import Call
from moby_tui.api.server.plain import plain
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import CommandFailed, InvalidArgument, MobyError, NotImplementedYet
from moby_tui.schema import base
from moby_tui.schema.build import UPLOADED, UPLOADED_CACHE, UPLOADED_LAYOUT, BuildOptions
from moby_tui.schema.container import HostConfig, Ulimit
from moby_tui.schema.image import Progress, RegistryAuth

if TYPE_CHECKING:
    from aiohttp import BodyPartReader, MultipartReader

table = RouteTable(Builder, plain)

Step = TypeVar("Step")

#: The parameter ``version`` of a build with BuildKit's builder.
_BUILDKIT = "2"
_PIECE = 1 << 18
_OPTIONS_LIMIT = 32 << 20
#: The last lines of a quiet build that are told if it fails.
_MOST_HELD = 500
#: Headers that hold logins.
_LOGINS_LIMIT = 1 << 20


@table.handles(Builder.build)
async def build(call: Call) -> web.StreamResponse:
    parameters = call.read()
    if parameters["parts"]:
        return await _build_in_parts(call)
    _check_builder(parameters)
    if parameters["version"] == _BUILDKIT:
        return await _build_with_buildkit(call, parameters)
    options = _options(parameters, call.request.headers.get("X-Registry-Config"))
    context = None if options.remote else call.request.content.iter_any()
    steps = call.client.builder.build(context, options)
    if parameters["buildid"]:
        steps = _cancellable(steps, parameters["buildid"])
    lines = _refused_at_once(steps)
    return await progress(call.request, _only_result(lines) if parameters["q"] else lines, code=_step_code)


async def _build_with_buildkit(call: Call, parameters: dict[str, Any]) -> web.StreamResponse:
    """The files are in the client's session, in the body, or in a request of their own, which names the build."""
    posted, ident, body = call.build_daemon().posted, parameters["buildid"], call.request.content.iter_any()
    kind, colon, of = ident.partition(":")
    if kind == "upload-request" and colon:
        await posted.uploads.send(of, body)
        return empty(200)
    steps: AsyncIterator[Any] = posted.build(parameters, body)
    return await progress(call.request, _cancellable(steps, ident) if ident else steps, code=_step_code)


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
            for line in _ended_apart(held):
                yield line
        async for step in steps:
            for line in _ended_apart(step):
                yield line


def _ended_apart(step: Progress) -> tuple[Progress, ...]:
    """The name of a step and its end of line are two messages, as with dockerd: clients compare the first."""
    if (text := step.stream or "").startswith("Step ") and text.endswith("\n"):
        return Progress(stream=text[:-1]), Progress(stream="\n")
    return (step,)


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


def _options(parameters: dict[str, Any], logins: str | None) -> BuildOptions:
    """The classic builder's parameters; as with dockerd's, what else there is changes nothing. Raises ``InvalidArgument``."""
    return BuildOptions(
        dockerfile=parameters["dockerfile"],
        # docker's own word for: it is in the body
        remote="" if parameters["remote"] == "client-session" else parameters["remote"],
        tags=parameters["t"],
        build_args={name: value for name, value in parameters["buildargs"].items() if value is not None},
        labels={name: value or "" for name, value in parameters["labels"].items()},
        target=parameters["target"],
        platforms=[parameters["platform"]] if parameters["platform"] else [],
        pull=parameters["pull"],
        no_cache=parameters["nocache"],
        cache_from=_list(parameters, "cachefrom", list[str]),
        classic=True,
        kept="" if parameters["forcerm"] else "failed" if parameters["rm"] else "all",
        host=_host(parameters),
        auths=_logins(logins),
    )


def _check_builder(parameters: dict[str, Any]) -> None:
    """Raises ``InvalidArgument``, with dockerd's texts, for parameters of builders that dockerd does not have on Linux."""
    if parameters["squash"]:
        raise InvalidArgument("squash is only supported with experimental mode")
    if parameters["isolation"].lower() not in ("", "default"):
        raise InvalidArgument(f'unsupported isolation: "{parameters["isolation"][:80]}"')
    if parameters["securityopt"]:
        raise InvalidArgument("security options are not supported on linux")
    if parameters["version"] not in ("", "1", _BUILDKIT):
        raise InvalidArgument(f'invalid version "{parameters["version"][:80]}"')


def _host(parameters: dict[str, Any]) -> HostConfig:
    return HostConfig(
        network_mode="" if parameters["networkmode"] == "default" else parameters["networkmode"],
        extra_hosts=parameters["extrahosts"] or None,
        shm_size=parameters["shmsize"],
        memory=parameters["memory"],
        memory_swap=parameters["memswap"],
        cpu_shares=parameters["cpushares"],
        cpu_period=parameters["cpuperiod"],
        cpu_quota=parameters["cpuquota"],
        cpuset_cpus=parameters["cpusetcpus"],
        cpuset_mems=parameters["cpusetmems"],
        cgroup_parent=parameters["cgroupparent"],
        ulimits=_list(parameters, "ulimits", list[Ulimit]) or None,
    )


def _list(parameters: dict[str, Any], name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(parameters[name] or "[]", type=kind | None) or []
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
    """Quietly: the image's id, as dockerd tells it; of a build that fails all that it told, if that is not too much."""
    held: deque[Progress] = deque(maxlen=_MOST_HELD)
    async with closing(steps):
        try:
            async for step in steps:
                if step.aux and "ID" in step.aux:
                    yield step
                    yield Progress(stream=f"{step.aux['ID']}\n")
                else:
                    held.append(step)
        except MobyError:
            for step in held:
                yield step
            raise


#: Set to end the builds that were given this id.
_cancels: dict[str, asyncio.Event] = {}


async def _cancellable(steps: AsyncIterator[Step], ident: str) -> AsyncIterator[Step]:
    """A build that ``/build/cancel`` can end; raises ``MobyError`` then."""
    cancelled = asyncio.ensure_future(_cancels.setdefault(ident, asyncio.Event()).wait())
    try:
        async with closing(steps):
            while (step := await _unless(cancelled, steps)) is not None:
                yield step
    finally:
        cancelled.cancel()
        _cancels.pop(ident, None)


async def _unless(cancelled: asyncio.Future[Any], steps: AsyncIterator[Step]) -> Step | None:
    """The next step; None at the end."""

    async def following() -> Step | None:
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


@table.post("/build/cancel", extra("id"), since="1.37", status=200)
async def cancel(call: Call) -> web.StreamResponse:
    """Ends the build that was given this ``buildid``. As with dockerd an id that no build has is no error: it may have ended."""
    ident = call.read()["id"]
    if not ident:
        raise InvalidArgument("build ID not provided")
    if ident in _cancels:
        _cancels[ident].set()
    return empty(200)


@table.handles(Builder.prune)
async def prune(call: Call) -> web.StreamResponse:
    parameters = call.read()
    reserved = parameters.pop("reserved-space") or parameters["reserved_space"]
    pruned = await call.client.builder.prune(**{**parameters, "reserved_space": reserved})
    return json(shims.or_null(pruned, "CachesDeleted"))
