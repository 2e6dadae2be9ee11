"""``moby push``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from moby_tui.cli import session

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client

app = typer.Typer()


@app.command(
    "push",
    epilog="""\b
Examples:
  moby tag web reg.example:5000/team/web
  moby push reg.example:5000/team/web
""",
)
def push(
    name: Annotated[str, typer.Argument(metavar="NAME[:TAG]", show_default=False)],
    all_tags: Annotated[bool, typer.Option("-a", "--all-tags", help="Push all tags of an image to the repository")] = False,
    platform: Annotated[
        str,
        typer.Option("--platform", help="Push a platform-specific manifest", metavar="os[/arch[/variant]]", show_default=False),
    ] = "",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Suppress verbose output")] = False,
) -> None:
    """Upload an image to a registry."""
    session.call(lambda client: _push(client, name, platform, all_tags=all_tags, quiet=quiet))
    if quiet:
        print(name)


async def _push(client: Client, name: str, platform: str, *, all_tags: bool, quiet: bool) -> None:
    from moby_tui.cli.output import progress

    steps = client.images.push(name, all_tags=all_tags, platform=platform, auth=session.login_for(name))
    await (progress.consume(steps) if quiet else progress.show(steps))
