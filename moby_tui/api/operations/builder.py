"""Builds, and their cache."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from moby_tui.api.operations.fields import extra, field, filters, made
from moby_tui.api.operations.operation import post
from moby_tui.schema.base import Filters
from moby_tui.schema.build import BuildOptions, Caller
from moby_tui.schema.image import BuildPruned, Progress

#: What the classic builder takes; the server makes ``BuildOptions`` of it.
_CLASSIC = (
    extra("parts", "flag", default=False),
    extra("dockerfile", default="Dockerfile"),
    extra("remote"),
    extra("t", "texts"),
    extra("buildargs", "map"),
    extra("labels", "map"),
    extra("target"),
    extra("platform"),
    extra("pull", "flag", default=False),
    extra("nocache", "flag", default=False),
    extra("rm", "flag", default=True),
    extra("forcerm", "flag", default=False),
    extra("cachefrom"),
    extra("q", "flag", default=False),
    extra("buildid"),
    extra("networkmode"),
    extra("extrahosts", "texts"),
    extra("shmsize", "integer", default=0),
    extra("memory", "integer", default=0),
    extra("memswap", "integer", default=0),
    extra("cpushares", "integer", default=0),
    extra("cpuperiod", "integer", default=0),
    extra("cpuquota", "integer", default=0),
    extra("cpusetcpus"),
    extra("cpusetmems"),
    extra("cgroupparent"),
    extra("ulimits"),
    extra("squash", "flag", default=False),
    extra("isolation"),
    extra("securityopt", "texts"),
    extra("version"),
    extra("session"),
    extra("outputs"),
)


class Builder(Protocol):
    @post(
        "/build",
        *_CLASSIC,
        *made("options", "contexts", "caller"),
        lasting=True,
        headers={"X-Registry-Config": "base64url of the JSON of a map from registries to a RegistryAuth"},
    )
    def build(
        self,
        context: AsyncIterator[bytes] | None = None,
        options: BuildOptions | None = None,
        contexts: Mapping[str, AsyncIterator[bytes]] | None = None,
        caller: Caller | None = None,
    ) -> AsyncIterator[Progress]:
        """Builds an image of a context and a Dockerfile.

        A tar of the context, or nothing where ``options.remote`` names one; ``contexts`` are what ``options.contexts`` says comes along,
        in its order; ``caller`` supplies the rest while the build runs (an engine in this process alone takes one).

        The last line with ``aux`` has the image's ``ID``; ``output`` are pieces of what was asked for as a file.
        """
        ...

    @post(
        "/build/prune",
        filters("until", "unused-for"),
        field("reserved_space", "keep-storage"),
        field("max_used_space", "max-used-space"),
        field("min_free_space", "min-free-space"),
        # the name of keep-storage since API 1.48
        extra("reserved-space", "integer", default=0),
        since="1.31",
    )
    async def prune(
        self,
        *,
        all: bool = False,
        filters: Filters | None = None,
        reserved_space: int = 0,
        max_used_space: int = 0,
        min_free_space: int = 0,
    ) -> BuildPruned:
        """Removes what builds have left for later ones, what was used last of all.

        In bytes: the cache keeps ``reserved_space`` in any case, and at most ``max_used_space``, or less for ``min_free_space`` to be free
        on its disk. With none of them, and if the disk has enough free space, everything goes.
        """
        ...
