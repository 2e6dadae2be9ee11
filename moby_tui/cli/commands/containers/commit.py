"""Images from containers: commit."""

from __future__ import annotations

from moby_tui.cli import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.containers import ContainerCommitOptions


def commit(options: ContainerCommitOptions, container: str, reference: str) -> None:
    """``moby commit``."""
    print(
        session.call(
            lambda client: client.containers.commit(
                container,
                reference=reference,
                message=options.message,
                author=options.author,
                changes=options.change,
                pause=options.pause,
            )
        )
    )
