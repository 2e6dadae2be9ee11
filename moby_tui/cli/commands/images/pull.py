"""``moby pull``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME[:TAG|@DIGEST]", show_default=False)],
    all_tags: Annotated[bool, typer.Option("-a", "--all-tags", help="Download all tagged images in the repository")] = False,
    platform: Annotated[
        str,
        typer.Option(
            "--platform", help="Set platform if the engine is multi-platform capable", metavar="string", show_default=False
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Suppress verbose output")] = False,
) -> None:
    """Download an image from a registry."""
    session.call(lambda client: _pull(client, name, platform=platform, all_tags=all_tags, quiet=quiet))
    print(_familiar(name, tagged=not all_tags))


async def _pull(client: Client, name: str, *, platform: str, all_tags: bool, quiet: bool) -> None:
    from moby_tui.cli.output import progress

    steps = client.images.pull(name, platform=platform, all_tags=all_tags, auth=session.login_for(name))
    await (progress.consume(steps) if quiet else progress.show(steps))


def _familiar(name: str, *, tagged: bool) -> str:
    """The whole reference, as docker's last line has it: ``docker.io/library/alpine:latest``."""
    host, slash, _ = name.partition("/")
    named_host = bool(slash) and ("." in host or ":" in host or host == "localhost")
    path = name if named_host else f"docker.io/{name if slash else f'library/{name}'}"
    return path if not tagged or "@" in path or ":" in path.rpartition("/")[2] else f"{path}:latest"
