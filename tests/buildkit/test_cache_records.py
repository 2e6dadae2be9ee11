"""The build cache as buildx prunes it (``Control.Prune``): with BuildKit's filters."""

from __future__ import annotations

import pytest

from build.building import build
from moby_tui.api.buildkit.control import usage
from moby_tui.api.buildkit.wire.control_pb2 import PruneRequest
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument


async def test_a_prune_has_the_filters_of_the_list(engine: Engine, busybox: str) -> None:
    await build(engine, "FROM busybox\nRUN --mount=type=cache,target=/c echo a > /c/f; echo a > /a\nRUN echo b > /b\n")

    async def pruned(*filters: str) -> list[str]:
        return [record.RecordType for record in await usage.prune(engine, PruneRequest(all=True, filter=filters))]

    assert await pruned("type==nosuch") == []
    with pytest.raises(InvalidArgument, match="invalid filter"):
        await pruned("type=exec.cachemount")
    assert len(await usage.records(engine)) == 3
    assert await pruned("type==exec.cachemount", "type==nosuch") == ["exec.cachemount"]
    assert await pruned("type==regular,description~=b > /b") == ["regular"]
    assert await pruned("") == ["regular"]
    assert [record.RecordType for record in await usage.records(engine)] == ["exec.cachemount"]
