"""Images from containers: commit."""

from __future__ import annotations

from typing import Annotated

import typer

from moby_tui.cli import session

app = typer.Typer()


@app.command("commit")
def commit(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", show_default=False)],
    reference: Annotated[str, typer.Argument(metavar="[REPOSITORY[:TAG]]", show_default=False)] = "",
    author: Annotated[
        str, typer.Option("-a", "--author", help='Author (e.g., "Ada <ada@example.org>")', metavar="string", show_default=False)
    ] = "",
    change: Annotated[
        list[str] | None, typer.Option("-c", "--change", help="Apply Dockerfile instruction to the created image", metavar="list")
    ] = None,
    message: Annotated[str, typer.Option("-m", "--message", help="Commit message", metavar="string", show_default=False)] = "",
    pause: Annotated[
        bool, typer.Option("-p", "--pause", help="Pause container during commit (default true)", show_default=False)
    ] = True,
) -> None:
    """Create a new image from a container's changes.

    Examples:

      moby commit web web:patched

      moby commit -c 'CMD ["nginx"]' -m 'with our settings' web web:patched
    """
    print(
        session.call(
            lambda client: client.containers.commit(
                container, reference=reference, message=message, author=author, changes=change or [], pause=pause
            )
        )
    )
