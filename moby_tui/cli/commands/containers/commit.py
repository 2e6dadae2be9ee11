"""Images from containers: commit."""

from __future__ import annotations

from moby_tui.cli import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.containers import ContainerCommitOptions


def _require_reference(text: str) -> None:
    """Raises ``InvalidArgument``, in docker's words: its command line reads the reference itself."""
    from moby_tui.errors import InvalidArgument
    from moby_tui.reference import parse_tag

    try:
        parse_tag(text)
    except InvalidArgument as error:
        raise InvalidArgument(error.message.partition(": '")[0]) from None


def commit(options: ContainerCommitOptions, container: str, reference: str) -> None:
    """``moby commit``."""
    if reference and session.program() == "docker":
        _require_reference(reference)
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
