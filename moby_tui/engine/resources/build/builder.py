"""Building images: the client protocol's ``Builder``."""

from __future__ import annotations

from collections.abc import AsyncIterator

from moby_tui.errors import NotImplementedYet
from moby_tui.schema.image import Progress


class ImageBuilder:
    async def build(
        self,
        context: AsyncIterator[bytes],
        *,
        dockerfile: str = "Dockerfile",
        tags: list[str] | None = None,
        build_args: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        target: str = "",
        no_cache: bool = False,
    ) -> AsyncIterator[Progress]:
        raise NotImplementedYet("build")
        yield Progress()
