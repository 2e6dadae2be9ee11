"""The classic builder: a tar in, a stream of steps out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from moby_tui.api.server.answers import json, progress
from moby_tui.api.server.call import Call
from moby_tui.api.server.router import RouteTable
from moby_tui.errors import NotImplementedYet
from moby_tui.schema.image import Progress

table = RouteTable()

#: Parameters that change nothing here, or whose absence the values given mean.
_WITHOUT_EFFECT = {
    "rm": ("1", "0", "true", "false"),
    "forcerm": ("0", "false", "1", "true"),
    "pull": ("0", "false"),
    "squash": ("0", "false"),
    "version": ("1",),
    "networkmode": ("default",),
    "cachefrom": ("[]", "null"),
    "ulimits": ("[]", "null"),
    "isolation": ("default",),
}
_KNOWN = frozenset({"dockerfile", "t", "buildargs", "labels", "target", "nocache", "q"})
_NUMBERS = frozenset({"memory", "memswap", "cpushares", "cpuperiod", "cpuquota", "shmsize"})


def _refuse_what_is_missing(call: Call) -> None:
    for name, value in call.request.rel_url.query.items():
        if name in _KNOWN or not value or (name in _NUMBERS and value == "0"):
            continue
        if value not in _WITHOUT_EFFECT.get(name, ()):
            raise NotImplementedYet(f"build parameter {name}={value[:80]}")


@table.post("/build", abandoned=True)
async def build(call: Call) -> web.StreamResponse:
    _refuse_what_is_missing(call)
    query = call.query
    steps = call.client.builder.build(
        call.request.content.iter_any(),
        dockerfile=query.text("dockerfile") or "Dockerfile",
        tags=query.all("t"),
        build_args={name: value for name, value in query.map("buildargs").items() if value is not None},
        labels={name: value or "" for name, value in query.map("labels").items()},
        target=query.text("target"),
        no_cache=query.flag("nocache"),
    )
    return await progress(call.request, _only_result(steps) if query.flag("q") else steps)


async def _only_result(steps: AsyncIterator[Progress]) -> AsyncIterator[Progress]:
    """Quietly: the image's id, as dockerd tells it."""
    async for step in steps:
        if step.aux and "ID" in step.aux:
            yield step
            yield Progress(stream=f"{step.aux['ID']}\n")


@table.post("/build/prune", since="1.31")
async def prune(call: Call) -> web.StreamResponse:
    for name in ("keep-storage", "reserved-space", "max-used-space", "min-free-space"):
        if call.query.text(name) not in ("", "0"):
            raise NotImplementedYet(f"build prune parameter {name}")
    filters = call.query.filters(frozenset({"until"}))
    return json(await call.client.builder.prune(all=call.query.flag("all"), filters=filters))
