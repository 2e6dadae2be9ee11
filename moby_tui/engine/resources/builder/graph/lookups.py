"""The configuration of an image that a client asks for before it makes a graph of operations with it."""

from __future__ import annotations

from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import ContentStore
from moby_tui.reference import parse
from moby_tui.schema.build import Caller
from moby_tui.schema.operations import Lookup


async def carry_out(lookup: Lookup, shop: Workshop, content: ContentStore, caller: Caller) -> None:
    """Tells the caller of the image, which is pulled if it is not here. Raises the errors of a pull."""
    name = parse(lookup.image).tagged()
    was_here = shop.bases.is_here(name.familiar)
    with shop.report.step(f"[internal] load metadata for {name.canonical}"):
        image = await shop.base(name.familiar, platforms.parse(lookup.platform) if lookup.platform else None)
    digests = shop.bases.manifests(image)
    digest = name.digest or (digests[0] if digests and (lookup.pull or not was_here) else "")
    caller.find(digest, content.read(image.id))
