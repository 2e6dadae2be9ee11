"""A graph of operations (LLB), carried out: each vertex once, and those that do not need each other at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec

from moby_tui.engine.resources.builder.execution import written
from moby_tui.engine.resources.builder.execution.likeness import make_like
from moby_tui.engine.resources.builder.graph.changes import Changes
from moby_tui.engine.resources.builder.graph.commands import Command
from moby_tui.engine.resources.builder.graph.origins import Origins
from moby_tui.engine.resources.builder.graph.outputs import Output, Outputs, layered
from moby_tui.engine.resources.builder.graph.workshop import Workshop
from moby_tui.engine.resources.builder.image import BuiltImage, scratch
from moby_tui.engine.resources.builder.narration import Place, Tells
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.engine.tasks import in_thread, settled
from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci
from moby_tui.schema.build import Caller
from moby_tui.schema.operations import Difference, Execution, Files, Graph, Merge, Nested, Result, Source, Vertex

#: Graphs in files of graphs, and bytes of such a file.
_DEEPEST = 32
_LARGEST = 16 << 20


class Vertexes:
    """``report`` takes the lines of all vertexes; ``caller`` reads the graphs that are in files, ``depth`` of which this one is in."""

    def __init__(
        self, graph: Graph, shop: Workshop, origins: Origins, report: Tells, caller: Caller | None, depth: int = 0
    ) -> None:
        self._graph = graph
        self._caller = caller
        self._depth = depth
        self._shop = shop
        self._origins = origins
        self._report = report
        self._tasks: list[asyncio.Task[dict[int, Output]]] = []

    async def run(self) -> BuiltImage:
        """The result. Raises the error of the first vertex that fails; the others are ended."""
        try:
            for vertex in self._graph.vertexes:
                self._tasks.append(asyncio.create_task(self._make(vertex)))
            ended, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in self._tasks:
                if task in ended:
                    task.result()
            result = self._graph.result
            last = self._graph.vertexes[result.vertex]
            return await Outputs(self._shop, [], last.platform).image(await self._taken(result))
        finally:
            for task in self._tasks:
                task.cancel()
            for task in self._tasks:
                await settled(task)

    async def _taken(self, result: Result) -> Output:
        made = await asyncio.shield(self._tasks[result.vertex])
        if result.output not in made:
            digest = self._graph.vertexes[result.vertex].digest
            raise InvalidArgument(f"the operation {digest} has no output {result.output}")
        return made[result.output]

    async def _make(self, vertex: Vertex) -> dict[int, Output]:
        """The outputs of a vertex by their numbers, once its inputs are there."""
        inputs = [await self._taken(each) for each in vertex.inputs]
        digests = tuple(self._graph.vertexes[each.vertex].digest for each in vertex.inputs)
        shop = replace(self._shop, report=self._shop.report.of(self._report), anew=self._shop.anew or vertex.ignore_cache)
        with shop.report.step(vertex.name, vertex.name, Place(digest=vertex.digest, inputs=digests)):
            outputs = Outputs(shop, inputs, vertex.platform)
            match vertex.operation:
                case Source():
                    wanted = outputs.platform if vertex.platform else None
                    return {0: await self._origins.get(vertex.operation, wanted, shop)}
                case Execution():
                    return await Command(shop, vertex.operation, outputs).run()
                case Files():
                    return await Changes(shop, vertex.operation, outputs, vertex.description).run()
                case Merge():
                    return {0: await _merged(outputs, vertex.operation)}
                case Difference():
                    return {0: await _difference(shop, outputs, vertex.operation, vertex.description)}
                case Nested():
                    return {0: await self._nested(outputs, vertex.operation)}

    async def _nested(self, outputs: Outputs, nested: Nested) -> Output:
        """What the graph in a file makes. Raises ``InvalidArgument``, and what its vertexes raise."""
        if self._caller is None:
            raise InvalidArgument("a graph in a file needs a caller that reads it")
        if self._depth == _DEEPEST:
            raise InvalidArgument(f"graphs of operations lie more than {_DEEPEST} deep in each other's files")
        async with outputs.root(outputs.at(nested.input)) as root:
            data = await in_thread(written.file, root, nested.file, "graph of operations", _LARGEST)
        graph = self._caller.graph(data)
        inner = Vertexes(graph, self._shop, self._origins, self._report, self._caller, self._depth + 1)
        return Output(image=await inner.run())


async def _merged(outputs: Outputs, merge: Merge) -> Output:
    """The layers of all inputs. One that two have counts where it is uppermost: what is below it there changes nothing."""
    images = [await outputs.image(outputs.at(place)) for place in merge.inputs]
    layers = [pair for image in images for pair in zip(image.config.rootfs.diff_ids, image.blobs, strict=True)]
    kept = list(dict.fromkeys(diff_id for diff_id, _ in reversed(layers)))[::-1]
    blobs = dict(layers)
    return _laid(outputs, kept, [blobs[diff_id] for diff_id in kept], "merge", images)


async def _difference(shop: Workshop, outputs: Outputs, difference: Difference, description: str) -> Output:
    """The layers that ``upper`` has on top of ``lower``; if it is not made of that, a layer that makes ``upper`` of it."""
    images = [await outputs.image(outputs.at(place)) for place in (difference.lower, difference.upper)]
    lower, upper = (image.config.rootfs.diff_ids for image in images)
    whole = images[1]
    if upper[: len(lower)] != lower:
        async with outputs.root(outputs.at(difference.upper)) as root:
            whole = await shop.advance(
                images[0],
                description,
                produce=lambda: shop.layering.change(images[0], lambda target: make_like(target, root)),
                content=images[1].key,
            )
    return _laid(outputs, whole.config.rootfs.diff_ids[len(lower) :], whole.blobs[len(lower) :], "diff", images)


def _laid(outputs: Outputs, diff_ids: list[str], blobs: list[oci.Descriptor], operation: str, images: list[BuiltImage]) -> Output:
    keys = "\0".join((operation, platforms.text(outputs.platform), *(image.key for image in images)))
    if not diff_ids:
        return Output(image=msgspec.structs.replace(scratch(outputs.platform), chain=digest_of(keys.encode())))
    return Output(image=layered(outputs.platform, diff_ids, blobs, digest_of(keys.encode("utf-8", "surrogateescape"))))
