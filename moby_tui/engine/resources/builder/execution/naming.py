"""What an instruction takes of a tree, as BuildKit's caches name it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from moby_tui.engine.resources.builder.llb.checksums import Tree
from moby_tui.engine.resources.builder.llb.operations import Source
from moby_tui.engine.resources.builder.llb.vertices import Unknown, content
from moby_tui.engine.tasks import in_thread

if TYPE_CHECKING:
    from moby_tui.engine.resources.builder.graph.workshop import Workshop


async def source(shop: Workshop, origin: str, paths: Sequence[str]) -> Source:
    """Files of the context, or of ``--from``. ``paths`` are absolute, perhaps with wildcards. Raises ``Unknown``."""
    names = await shop.names(origin)
    async with shop.source(origin) as root:
        tree, digests = Tree(root, is_sent=names is None), await shop.digests(origin)
        of = partial(digests.of, [b"/buildkit", *map(os.fsencode, paths)], (), partial(tree.digest, paths))
        try:
            return Source(paths, content(await in_thread(of)), names or ())
        except OSError as error:
            raise Unknown(f"its files cannot be read: {(error.strerror or '').lower()}") from error
