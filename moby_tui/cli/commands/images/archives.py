"""Images from archives and into them: load, import, save."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.images import ImageImportOptions, ImageLoadOptions, ImageSaveOptions


def load(options: ImageLoadOptions) -> None:
    """``moby load``."""
    if options.input == "-" and sys.stdin.isatty():
        raise InvalidArgument("refusing to read an archive from a terminal: name a file with -i, or redirect one")
    session.call(lambda client: _load(client, options.input, options.platform, quiet=options.quiet))


async def _load(client: Client, source: str, platforms: list[str], *, quiet: bool) -> None:
    from moby_tui.cli.output import progress
    from moby_tui.cli.streams import chunks_of

    await progress.show(client.images.load(chunks_of(source), quiet=quiet, platforms=platforms))


def save(options: ImageSaveOptions, images: list[str]) -> None:
    """``moby save``."""
    session.call(lambda client: _save(client, images, options.output, options.platform))


async def _save(client: Client, images: list[str], output: str, platforms: list[str]) -> None:
    from moby_tui.cli.streams import write_archive

    await write_archive(client.images.save(images, platforms=platforms), output)


def import_(options: ImageImportOptions, source: str, reference: str) -> None:
    """``moby import``."""
    session.call(lambda client: _import(client, source, reference, options.change, options.message, options.platform))


async def _import(client: Client, source: str, reference: str, changes: list[str], message: str, platform: str) -> None:
    from moby_tui.cli.output import progress
    from moby_tui.cli.streams import chunks_of

    archive = source if "://" in source else chunks_of(source)
    steps = client.images.import_tar(archive, reference=reference, message=message, changes=changes, platform=platform)
    await progress.show(steps)
