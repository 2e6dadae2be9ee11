"""Images from archives and into them: load, import, save."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()


@app.command("load")
def load(
    input: Annotated[
        str, typer.Option("-i", "--input", help="Read from tar archive file, instead of STDIN", metavar="string")
    ] = "-",
    platform: Annotated[
        str,
        typer.Option(
            "--platform", help="Load only the given platform variant", metavar="os[/arch[/variant]]", show_default=False
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Suppress the load output")] = False,
) -> None:
    """Load an image from a tar archive or STDIN.

    The archive may be compressed with gzip, bzip2, xz or zstd.

    Examples:

      moby load -i app.tar.zst

      ssh other moby save app | moby load
    """
    if input == "-" and sys.stdin.isatty():
        raise InvalidArgument("refusing to read an archive from a terminal: name a file with -i, or redirect one")
    session.call(lambda client: _load(client, input, platform, quiet=quiet))


async def _load(client: Client, source: str, platform: str, *, quiet: bool) -> None:
    from moby_tui.cli.output import progress
    from moby_tui.cli.streams import chunks_of

    await progress.show(client.images.load(chunks_of(source), quiet=quiet, platform=platform))


@app.command("save")
def save(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE [IMAGE...]", show_default=False)],
    output: Annotated[str, typer.Option("-o", "--output", help="Write to a file, instead of STDOUT", metavar="string")] = "-",
    platform: Annotated[
        list[str] | None,
        typer.Option(
            "--platform", help="Save only the given platform variant (may come several times)", metavar="os[/arch[/variant]]"
        ),
    ] = None,
) -> None:
    """Save one or more images to a tar archive (streamed to STDOUT by default).

    Examples:

      moby save -o busybox.tar busybox

      moby save app:1 app:2 | gzip > app.tar.gz

      moby save --platform linux/amd64 --platform linux/arm64 -o app.tar app
    """
    session.call(lambda client: _save(client, images, output, platform or []))


async def _save(client: Client, images: list[str], output: str, platforms: list[str]) -> None:
    from moby_tui.cli.streams import write_archive

    await write_archive(client.images.save(images, platforms=platforms), output)


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="file|URL|-", show_default=False)],
    reference: Annotated[str, typer.Argument(metavar="[REPOSITORY[:TAG]]", show_default=False)] = "",
    change: Annotated[
        list[str] | None, typer.Option("-c", "--change", help="Apply Dockerfile instruction to the created image", metavar="list")
    ] = None,
    message: Annotated[
        str, typer.Option("-m", "--message", help="Set commit message for imported image", metavar="string", show_default=False)
    ] = "",
    platform: Annotated[
        str, typer.Option("--platform", help="Set platform of the image", metavar="string", show_default=False)
    ] = "",
) -> None:
    """Import the contents from a tarball to create a filesystem image.

    The engine fetches what is at an http(s) address.
    """
    session.call(lambda client: _import(client, source, reference, change or [], message, platform))


async def _import(client: Client, source: str, reference: str, changes: list[str], message: str, platform: str) -> None:
    from moby_tui.cli.output import progress
    from moby_tui.cli.streams import chunks_of

    archive = source if "://" in source else chunks_of(source)
    steps = client.images.import_tar(archive, reference=reference, message=message, changes=changes, platform=platform)
    await progress.show(steps)
