"""Builds of a remote engine.

Of one of ours all is asked for with one upload in parts (``multipart/form-data``): ``options`` are the whole ``BuildOptions`` as JSON,
``context`` is the context, the others are the contexts that come along. Any other engine is asked as the classic builder is (``POST
/build`` of the Docker Engine API), and what that has no place for is refused by name.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from urllib.parse import quote

from moby_tui.api.client.remote import Remote, progress
from moby_tui.api.operations.builder import Builder
from moby_tui.errors import Forbidden, InvalidArgument, NotImplementedYet
from moby_tui.schema.base import encode, to_builtins
from moby_tui.schema.build import BuildOptions, Caller
from moby_tui.schema.container import HostConfig
from moby_tui.schema.image import Progress

#: What the far engine says with a ping where it takes an upload in parts.
FEATURE = "build-parts"
#: What ``POST /build`` of the Docker Engine API has a place for.
_CLASSIC = {
    *(
        "dockerfile",
        "tags",
        "labels",
        "build_args",
        "target",
        "no_cache",
        "pull",
        "remote",
        "host",
        "cache_from",
        "live",
        "platforms",
    ),
    # nothing that is made is other for these
    *("live", "classic", "jobs", "auths", "id"),
}
_CLASSIC_HOST = {
    "network_mode": "networkmode",
    "shm_size": "shmsize",
    "memory": "memory",
    "memory_swap": "memswap",
    "cpu_shares": "cpushares",
    "cpu_period": "cpuperiod",
    "cpu_quota": "cpuquota",
    "cpuset_cpus": "cpusetcpus",
    "cpuset_mems": "cpusetmems",
    "cgroup_parent": "cgroupparent",
}


class RemoteBuilder(Remote):
    family = Builder

    async def build(
        self,
        context: AsyncIterator[bytes] | None = None,
        options: BuildOptions | None = None,
        contexts: Mapping[str, AsyncIterator[bytes]] | None = None,
        caller: Caller | None = None,
    ) -> AsyncIterator[Progress]:
        """Raises ``InvalidArgument`` if the far engine has no place for an option, ``Forbidden`` if a secret could be overheard."""
        options = options or BuildOptions()
        if caller is not None:
            raise NotImplementedYet("a build whose caller supplies files while it runs, with an engine elsewhere")
        if options.secrets and not self._session.is_private:
            raise Forbidden(
                "a secret is not sent over plain tcp, where it can be read on the way: use a unix socket, or build there"
            )
        if await self._session.can(FEATURE):
            boundary = os.urandom(16).hex()
            parts = {"context": context} if context is not None else {}
            parts |= {f"context:{name}": pieces for name, pieces in (contexts or {}).items()}
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            body = _multipart(boundary, options, parts)
            exchange = await self.compose("build", {"parts": True}, body=body, headers=headers)
        else:
            exchange = await self.compose("build", _query(options), body=context)
        async with aclosing(progress(self._session, exchange)) as lines:
            async for line in lines:
                yield line


async def _multipart(boundary: str, options: BuildOptions, parts: Mapping[str, AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    """RFC 7578."""
    yield _head(boundary, "options", first=True) + encode(options)
    for name, pieces in parts.items():
        yield _head(boundary, name)
        async for piece in pieces:
            yield piece
    yield f"\r\n--{boundary}--\r\n".encode()


def _head(boundary: str, name: str, *, first: bool = False) -> bytes:
    begin = "" if first else "\r\n"
    disposition = f'Content-Disposition: form-data; name="{quote(name)}"'
    return f"{begin}--{boundary}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()


def _query(options: BuildOptions) -> dict[str, object]:
    plain = BuildOptions()
    for name in options.__struct_fields__:
        if name not in _CLASSIC and getattr(options, name) != getattr(plain, name):
            raise InvalidArgument(f"{name.replace('_', ' ')}: the engine there has no place for it; it needs a moby daemon")
    if len(options.platforms) > 1:
        raise InvalidArgument("several platforms: the engine there builds for one at a time")
    host = HostConfig()
    changed = {name for name in host.__struct_fields__ if getattr(options.host, name) != getattr(host, name)}
    if unknown := changed - _CLASSIC_HOST.keys() - {"ulimits", "extra_hosts"}:
        raise InvalidArgument(f"{min(unknown)}: the engine there has no place for it")
    query: dict[str, object] = {theirs: getattr(options.host, ours) or "" for ours, theirs in _CLASSIC_HOST.items()}
    if options.host.ulimits:
        query["ulimits"] = encode(to_builtins(options.host.ulimits)).decode()
    return query | {
        "dockerfile": options.dockerfile,
        "t": options.tags,
        "buildargs": options.build_args,
        "labels": options.labels,
        "target": options.target,
        "nocache": options.no_cache,
        "pull": options.pull,
        # as here: no container of a step stays
        "forcerm": options.kept == "",
        "remote": options.remote,
        "platform": options.platforms[0] if options.platforms else "",
        "extrahosts": options.host.extra_hosts or "",
        "cachefrom": encode(options.cache_from).decode() if options.cache_from else "",
        "version": "1",
    }
