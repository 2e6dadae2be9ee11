"""The files of a build's images as an output has them: as folders, or as a tar. Those of several platforms are apart."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.builder.execution import difference
from moby_tui.engine.resources.builder.execution.layering import Layering
from moby_tui.engine.resources.builder.results import rewriting
from moby_tui.engine.resources.builder.results.export import Result
from moby_tui.engine.resources.images import platform as platforms
from moby_tui.errors import InvalidArgument
from moby_tui.schema.build import Output


class Files:
    """``moment`` (Unix seconds) is the modification time of all files, None for their own."""

    def __init__(self, layering: Layering, moment: int | None) -> None:
        self._layering = layering
        self._moment = moment

    @asynccontextmanager
    async def roots(self, results: Sequence[Result], output: Output) -> AsyncIterator[list[tuple[str, Path]]]:
        """The root of each platform, by the name of its folder; one without a name if they are not apart.

        Raises ``InvalidArgument`` if files of two platforms would be the same.
        """
        async with AsyncExitStack() as stack:
            opened = []
            for result in results:
                if result.image.config.rootfs.diff_ids:
                    root = await stack.enter_async_context(self._layering.mounted(result.image))
                    opened.append((_folder(result), Path(f"/proc/self/fd/{root}")))
            if not _is_split(results, output):
                _check_apart(opened)
                opened = [("", root) for _, root in opened]
            yield sorted(opened)

    def tar(self, results: Sequence[Result], output: Output) -> Iterator[bytes]:
        """All files, piece by piece. Blocking."""
        # one platform has no folder of its own in a tar, whatever is asked for
        is_split = len(results) > 1 and _is_split(results, output)
        pieces = self._split(results) if is_split else self._whole(results[-1])
        return pieces if self._moment is None else rewriting.at(self._moment, pieces)

    def _split(self, results: Sequence[Result]) -> Iterator[bytes]:
        for result in sorted(results, key=_folder):
            yield from rewriting.below(_folder(result), self._whole(result))
        yield rewriting.END

    def _whole(self, result: Result) -> Iterator[bytes]:
        if not result.image.config.rootfs.diff_ids:
            yield rewriting.END
            return
        with self._layering.opened(result.image) as root:
            empty = True
            for piece in difference.layer(Path(f"/proc/self/fd/{root}"), []):
                empty = False
                yield piece
            if empty:
                yield rewriting.END


def _folder(result: Result) -> str:
    return platforms.text(result.platform).replace("/", "_")


def _is_split(results: Sequence[Result], output: Output) -> bool:
    return len(results) > 1 if output.split is None else output.split


def _check_apart(opened: Sequence[tuple[str, Path]]) -> None:
    known: dict[str, str] = {}
    for name, root in opened:
        for path in _files(root):
            if path in known:
                of, other = name.replace("_", "/"), known[path].replace("_", "/")
                raise InvalidArgument(f"cannot overwrite {path} from {other} with {of} when split option is disabled")
            known[path] = name


def _files(root: Path) -> Iterator[str]:
    with trees.closing(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as top:
        for folder, _, names, _ in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            yield from (os.path.normpath(os.path.join(folder, name)) for name in names)
